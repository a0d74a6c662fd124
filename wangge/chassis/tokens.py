"""Verifies the signatures of tokens with the keys of a file, read again when the file has changed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet

# RFC 9864 renames EdDSA to Ed25519; tokens come under both names, and a log line for each helps nobody
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)

ALGORITHMS = ["Ed25519", "EdDSA"]

#: Verified tokens remembered: a caller sends the same one with each request, and a signature costs more than the rest.
REMEMBERED = 1000


class TokenKeys:
    """The public keys in `path` (a JWK set)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: KeySet | None = None
        self._read_at = 0.0
        self._verified: dict[str, dict[str, Any]] = {}

    def claims(self, token: str) -> dict[str, Any]:
        """What a genuine token says; whether it still holds is the caller's question. Raises `ValueError` saying what is wrong."""
        keys = self._key_set()
        known = self._verified.get(token)
        if known is None:
            known = self._decoded(token, keys)
            if len(self._verified) >= REMEMBERED:
                self._verified.clear()
            self._verified[token] = known
        return known

    @staticmethod
    def _decoded(token: str, keys: KeySet) -> dict[str, Any]:
        try:
            return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError) as wrong:
            raise ValueError(f"the token cannot be verified: {type(wrong).__name__}") from wrong

    def _key_set(self) -> KeySet:
        try:
            changed = self._path.stat().st_mtime
        except FileNotFoundError as missing:
            raise ValueError("this service has no token keys") from missing
        if self._keys is None or changed != self._read_at:
            self._keys = KeySet.import_key_set(orjson.loads(self._path.read_bytes()))
            self._read_at = changed
            self._verified.clear()
        return self._keys
