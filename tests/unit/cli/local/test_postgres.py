import tempfile
from pathlib import Path

from wangge.cli.local.postgres import can_be_entered_by_all


def test_private_directory_anywhere_above_keeps_others_out():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's tmp_path lies in a private one
        top = Path(name)
        inner = top / "inner"
        inner.mkdir(mode=0o755)
        top.chmod(0o711)
        assert can_be_entered_by_all(inner)
        top.chmod(0o700)
        assert not can_be_entered_by_all(inner)
