import json

import pytest
from joserfc import jwe, jwt
from joserfc.jwk import KeySet, OKPKey

from wangge.cli.local.secrets import Secrets, make_keys


def test_password_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    password = Secrets(tmp_path / "secrets").password("redis")
    assert Secrets(tmp_path / "secrets").password("redis") == password
    assert (tmp_path / "secrets" / "redis").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_every_account_has_a_password_of_its_own(tmp_path):
    secrets = Secrets(tmp_path)
    assert secrets.password("broker-intake") != secrets.password("broker-dispatch")


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_token_signed_with_the_private_key_is_verified_with_the_public_set(tmp_path):
    make_keys(tmp_path)
    private = OKPKey.import_key(json.loads((tmp_path / "token-private.json").read_text()))
    public = KeySet.import_key_set(json.loads((tmp_path / "jwks.json").read_text()))
    token = jwt.encode({"alg": "EdDSA", "kid": private.kid}, {"sub": "p-1"}, private, algorithms=["EdDSA"])
    assert jwt.decode(token, public, algorithms=["EdDSA"]).claims == {"sub": "p-1"}


def test_contact_encrypted_to_the_public_key_is_read_with_the_private_one(tmp_path):
    make_keys(tmp_path)
    public = OKPKey.import_key(json.loads((tmp_path / "notify-public.json").read_text()))
    private = OKPKey.import_key(json.loads((tmp_path / "notify-private.json").read_text()))
    sealed = jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM"}, b"phone", public)
    assert jwe.decrypt_compact(sealed, private).plaintext == b"phone"


def test_public_files_hold_no_private_part(tmp_path):
    make_keys(tmp_path)
    assert "d" not in json.loads((tmp_path / "jwks.json").read_text())["keys"][0]
    assert "d" not in json.loads((tmp_path / "notify-public.json").read_text())
    for name in ("token-private.json", "notify-private.json"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_keys_are_kept_when_they_are_there(tmp_path):
    make_keys(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make_keys(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
