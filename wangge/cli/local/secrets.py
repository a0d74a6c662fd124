"""Makes, once, the passwords and keys of a local system and keeps them for their owner only."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from wangge.cli.local.files import write_atomically


class Secrets:
    """One password a file, so that any of them can also be handed over as `<SETTING>_FILE`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def password(self, name: str) -> str:
        """The password of this name, made on first use; letters, digits, `-` and `_`: safe in an address."""
        path = self._directory / name
        if not path.exists():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="utf-8")

    def forget(self, name: str) -> None:
        """Remove the password of this name: the next use makes another."""
        (self._directory / name).unlink(missing_ok=True)


def make_keys(directory: Path) -> None:
    """Make the key pair that signs tokens and the one to which contacts for notify are encrypted, once."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (directory / "token-private.json").exists():
        key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"}, auto_kid=True)
        _write_key(directory / "jwks.json", {"keys": [key.as_dict(private=False)]}, mode=0o644)
        _write_key(directory / "token-private.json", key.as_dict(private=True), mode=0o600)
    if not (directory / "notify-private.json").exists():
        key = OKPKey.generate_key("X25519", {"use": "enc"}, auto_kid=True)
        _write_key(directory / "notify-public.json", key.as_dict(private=False), mode=0o644)
        _write_key(directory / "notify-private.json", key.as_dict(private=True), mode=0o600)


def _write_key(path: Path, key: Mapping[str, Any], mode: int) -> None:
    write_atomically(path, json.dumps(key, indent=2) + "\n", mode)
