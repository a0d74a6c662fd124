"""A token that the command signs is one that the services take."""

from pathlib import Path

import pytest

from wangge.chassis.auth import Authenticator
from wangge.chassis.errors import Unauthenticated
from wangge.cli.errors import CommandFailed
from wangge.cli.local.secrets import make_keys
from wangge.cli.token import sign, token


def test_the_services_read_who_in_which_roles_for_which_areas_and_unit(tmp_path: Path) -> None:
    make_keys(tmp_path)
    signed = sign(tmp_path, "hx-worker-1", ["grid_worker"], ["14080200290200100"], "hx-shequ")
    who = Authenticator(tmp_path).who(f"Bearer {signed}", None)
    assert (who.id, who.roles, who.unit) == ("hx-worker-1", {"grid_worker"}, "hx-shequ")
    assert who.covers("14080200290200101")
    assert not who.covers("14080200290200200")


def test_an_old_token_is_not_taken(tmp_path: Path) -> None:
    make_keys(tmp_path)
    signed = sign(tmp_path, "hx-worker-1", days=-1)
    with pytest.raises(Unauthenticated, match="expired"):
        Authenticator(tmp_path).who(f"Bearer {signed}", None)


def test_without_a_key_the_command_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="wangge up"):
        sign(tmp_path, "hx-worker-1")


def test_a_role_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no role king"):
        token("hx-worker-1", role=["king"], directory=tmp_path)


def test_an_area_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="area code"):
        token("hx-worker-1", area=["123"], directory=tmp_path)
