"""Seals what only another service may read: JWE, ECDH-ES+A256KW with A256GCM, to that service's public key.

The library that does it is loaded on first use: 9 MB that a process without contacts to hand on saves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from wangge.chassis.errors import Permanent

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OKPKey

ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM"]


def seal(keys_dir: Path, service: str, content: Mapping[str, Any]) -> str:
    """`content` as a compact JWE that only `service` can open. Raises `Permanent` when its public key is missing."""
    from joserfc import jwe  # noqa: PLC0415 (on first use)

    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}
    key = _key(keys_dir / f"{service}-public.json")
    return jwe.encrypt_compact(header, orjson.dumps(content), key, algorithms=ALGORITHMS)


def unseal(keys_dir: Path, service: str, sealed: str) -> dict[str, Any]:
    """What was sealed for `service`. Raises `Permanent` when it cannot be opened."""
    from joserfc import jwe  # noqa: PLC0415 (on first use)
    from joserfc.errors import JoseError  # noqa: PLC0415

    key = _key(keys_dir / f"{service}-private.json")
    try:
        opened = jwe.decrypt_compact(sealed, key, algorithms=ALGORITHMS)
        content: dict[str, Any] = orjson.loads(opened.plaintext or b"")
    except (JoseError, ValueError) as wrong:
        raise Permanent("seal.broken", f"cannot be opened: {type(wrong).__name__}") from wrong
    return content


def _key(path: Path) -> OKPKey | ECKey:
    from joserfc.jwk import ECKey, OKPKey  # noqa: PLC0415 (on first use)

    try:
        document = orjson.loads(path.read_bytes())
    except FileNotFoundError as missing:
        raise Permanent("seal.no_key", f"no key {path.name}") from missing
    return ECKey.import_key(document) if document["kty"] == "EC" else OKPKey.import_key(document)
