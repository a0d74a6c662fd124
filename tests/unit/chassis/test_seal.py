import json

import pytest
from joserfc.jwk import OKPKey

from wangge.chassis.errors import Permanent
from wangge.chassis.seal import seal, unseal


@pytest.fixture
def keys(tmp_path):
    key = OKPKey.generate_key("X25519")
    (tmp_path / "notify-public.json").write_text(json.dumps(key.as_dict(private=False)))
    (tmp_path / "notify-private.json").write_text(json.dumps(key.as_dict(private=True)))
    return tmp_path


def test_only_the_holder_of_the_key_reads_what_was_sealed(keys):
    sealed = seal(keys, "notify", {"phone": "13900000000"})
    assert "139" not in sealed
    assert unseal(keys, "notify", sealed) == {"phone": "13900000000"}


def test_a_tampered_seal_or_a_missing_key_is_told(keys):
    sealed = seal(keys, "notify", {"phone": "1"})
    with pytest.raises(Permanent, match="cannot be opened"):
        unseal(keys, "notify", sealed[:-4] + "AAAA")
    with pytest.raises(Permanent, match="no key"):
        seal(keys, "points", {})
