from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from wangge.chassis.schema import CHASSIS_MIGRATIONS, head_of

REPOSITORY = Path(__file__).parents[3]
LOCATIONS = [CHASSIS_MIGRATIONS, *sorted(REPOSITORY.glob("services/*/migrations"))]


@pytest.mark.parametrize("location", LOCATIONS, ids=lambda location: location.parent.name)
def test_the_head_is_the_one_that_alembic_finds(location):
    config = Config()
    config.set_main_option("script_location", str(location))
    assert head_of(location) == ScriptDirectory.from_config(config).get_current_head()


def test_two_heads_are_named(tmp_path):
    versions = tmp_path / "versions"
    versions.mkdir()
    for revision in ("0002a", "0002b"):
        (versions / f"{revision}.py").write_text(f'revision = "{revision}"\ndown_revision = "0001"\n')
    with pytest.raises(ValueError, match="0002a.*0002b"):
        head_of(tmp_path)
