import json
import os
import time

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from wangge.chassis.auth import Authenticator, Principal
from wangge.chassis.errors import Forbidden, Unauthenticated
from wangge.contracts.areas import Area


@pytest.fixture
def key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", auto_kid=True)


@pytest.fixture
def authenticator(tmp_path, key) -> Authenticator:
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    return Authenticator(tmp_path)


def bearer(key, **claims):
    standard = {"iss": "wangge", "sub": "p-1", "exp": int(time.time()) + 60}
    token = jwt.encode({"alg": "Ed25519", "kid": key.kid}, standard | claims, key, algorithms=["Ed25519"])
    return f"Bearer {token}"


def test_a_token_tells_who_asks_in_which_roles_and_scope(authenticator, key):
    who = authenticator.who(bearer(key, roles=["checker"], areas=["140802002902"], unit="u-1"), None)
    assert who == Principal("p-1", frozenset({"checker"}), (Area("140802002902"),), "u-1")
    assert who.covers("14080200290200100")
    assert not who.covers("140802003")


@pytest.mark.parametrize(
    "claims", [{"iss": "somebody"}, {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"areas": ["99x"]}]
)
def test_a_token_with_wrong_claims_is_nobodys(authenticator, key, claims):
    with pytest.raises(Unauthenticated):
        authenticator.who(bearer(key, **claims), None)


def test_a_token_signed_with_another_key_is_nobodys(authenticator):
    with pytest.raises(Unauthenticated):
        authenticator.who(bearer(OKPKey.generate_key("Ed25519", auto_kid=True)), None)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "Bearer a.b.c", "Bearer ."])
def test_without_a_readable_token_nobody_asks(authenticator, header):
    with pytest.raises(Unauthenticated):
        authenticator.who(header, None)


def test_keys_that_are_replaced_count_at_once(authenticator, tmp_path, key):
    fresh = OKPKey.generate_key("Ed25519", auto_kid=True)
    old = bearer(key)
    authenticator.who(old, None)
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [fresh.as_dict(private=False)]}))
    later = time.time() + 5
    os.utime(path, (later, later))
    assert authenticator.who(bearer(fresh), None).id == "p-1"
    with pytest.raises(Unauthenticated):
        authenticator.who(old, None)


def test_an_admin_has_every_role_and_a_missing_role_is_named():
    Principal("a", frozenset({"admin"})).require_role(["checker"])
    with pytest.raises(Forbidden, match=r"checker, dispatcher"):
        Principal("b", frozenset({"mediator"})).require_role(["dispatcher", "checker"])


def test_an_area_outside_the_scope_is_refused():
    who = Principal("a", areas=(Area("140802002902"),))
    who.require_area("14080200290200100")
    with pytest.raises(Forbidden):
        who.require_area("140802002")
