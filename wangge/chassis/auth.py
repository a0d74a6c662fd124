"""Knows who is asking: bearer tokens (JWT, EdDSA) verified offline, and API keys where a service knows them.

A token carries `sub` (person id), `roles`, `areas` (codes it covers) and `unit`; issuer `wangge`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from wangge.chassis.errors import Forbidden, Unauthenticated
from wangge.contracts.areas import Area

if TYPE_CHECKING:
    from wangge.chassis.tokens import TokenKeys

ISSUER = "wangge"

#: Seconds by which the issuer's clock may differ from ours.
LEEWAY = 30


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, in which roles, for which areas and unit."""

    id: str
    roles: frozenset[str] = frozenset()
    areas: tuple[Area, ...] = ()
    unit: str | None = None

    def has_role(self, *roles: str) -> bool:
        """Whether one of `roles` is theirs; an `admin` has all."""
        return "admin" in self.roles or not self.roles.isdisjoint(roles)

    def covers(self, area: str) -> bool:
        """Whether the area lies in their scope."""
        wanted = Area.parse(area)
        return any(own.contains(wanted) for own in self.areas)

    def require_role(self, roles: Iterable[str]) -> None:
        """Refuse unless one of `roles` is theirs."""
        wanted = sorted(roles)
        if not self.has_role(*wanted):
            raise Forbidden(
                "role.missing",
                f"需要角色：{'、'.join(wanted)}",
                f"needs one of the roles {', '.join(wanted)}",
            )

    def require_area(self, area: str) -> None:
        """Refuse unless the area lies in their scope."""
        if not self.covers(area):
            raise Forbidden("area.outside", f"{area} 不在权限范围内", f"area {area} is outside your scope")


class Authenticator:
    """Turns the Authorization or X-API-Key header into a principal.

    `api_key` looks an API key up; a service without API keys leaves it out.
    """

    def __init__(self, keys_dir: Path, api_key: Callable[[str], Principal | None] | None = None) -> None:
        self._path = keys_dir / "jwks.json"
        self.api_key = api_key

    def who(self, authorization: str | None, api_key: str | None) -> Principal:
        """Who is asking. Raises `Unauthenticated` saying what is wrong with the token."""
        if api_key and self.api_key:
            known = self.api_key(api_key)
            if known:
                return known
            raise _unknown("the API key is not known")
        if not authorization:
            raise _unknown("send `Authorization: Bearer <token>`")
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise _unknown("the Authorization header is not `Bearer <token>`")
        return self._verify(token.strip())

    @cached_property
    def _keys(self) -> TokenKeys:
        from wangge.chassis.tokens import TokenKeys  # noqa: PLC0415 (9 MB that a process without HTTP callers saves)

        return TokenKeys(self._path)

    def _verify(self, token: str) -> Principal:
        try:
            claims = self._keys.claims(token)
        except ValueError as wrong:
            raise _unknown(str(wrong)) from wrong
        if claims.get("iss") != ISSUER:
            raise _unknown("the token has another issuer")
        if not isinstance(claims.get("exp"), int | float) or claims["exp"] < time.time() - LEEWAY:
            raise _unknown("the token has expired")
        try:
            return Principal(
                id=str(claims["sub"]),
                roles=frozenset(claims.get("roles", ())),
                areas=tuple(Area.parse(code) for code in claims.get("areas", ())),
                unit=claims.get("unit"),
            )
        except (KeyError, ValueError, TypeError) as wrong:
            raise _unknown(f"the token's claims are wrong: {wrong}") from wrong


def _unknown(why: str) -> Unauthenticated:
    return Unauthenticated("unauthenticated", "未登录或令牌无效", why)
