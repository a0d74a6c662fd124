"""`wangge token`: signs a bearer token with the local system's key, for a person in their roles."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

from wangge.chassis.auth import ISSUER
from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY
from wangge.cli.options import Directory
from wangge.contracts.areas import Area
from wangge.contracts.sites import ROLES

commands = typer.Typer()

DAY_SECONDS = 86_400


def sign(
    keys_dir: Path,
    person: str,
    roles: Iterable[str] = (),
    areas: Iterable[str] = (),
    unit: str | None = None,
    days: float = 1,
) -> str:
    """A JWT (EdDSA) that says who asks, in which roles, for which areas and unit, for so many days.

    Raises:
        CommandFailed: the private key is not there.
    """
    path = keys_dir / "token-private.json"
    try:
        key = OKPKey.import_key(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as missing:
        raise CommandFailed(f"There is no key to sign with at {path}: `wangge up` makes one.") from missing
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": person,
        "roles": list(roles),
        "areas": list(areas),
        "iat": now,
        "exp": now + int(days * DAY_SECONDS),
        **({"unit": unit} if unit else {}),
    }
    with warnings.catch_warnings():
        # RFC 9864 renames EdDSA to Ed25519; the old name is the one that other programs' libraries know
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.encode({"alg": "EdDSA", "kid": key.kid}, claims, key, algorithms=["EdDSA"])


@commands.command()
def token(
    person: Annotated[str, typer.Option(help="Whose token: the person's id.")],
    role: Annotated[list[str] | None, typer.Option(help="A role; give it several times for several.")] = None,
    area: Annotated[list[str] | None, typer.Option(help="An area code that the token covers.")] = None,
    unit: Annotated[str | None, typer.Option(help="The unit the person works for.")] = None,
    days: Annotated[float, typer.Option(help="For how long it is valid.")] = 1,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Print a bearer token for `Authorization: Bearer …`."""
    for name in role or ():
        if name not in ROLES:
            raise CommandFailed(f"There is no role {name}; the roles are {', '.join(ROLES)}.")
    try:
        areas = [Area.parse(code).code for code in area or ()]
    except ValueError as wrong:
        raise CommandFailed(str(wrong)) from wrong
    print(sign(directory / "keys", person, role or (), areas, unit, days))
