"""The keys of an embedded installation, made at its first start and kept in `<data>/secrets` (mode 0600).

Installations on MongoDB are given theirs by settings: nodes share keys, never a directory.
"""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from lms_rt.storage.embedded import StoreError

_NAMES = ("SECRET_KEY", "PASSWORD_PEPPER")
_SIGNING = "SIGNING_KEY"
_KEY_BYTES = 48
_SIGNING_BYTES = 32


@dataclass(frozen=True)
class Secrets:
    """Never shown: the representation hides the values."""

    secret_key: str
    password_pepper: str
    signing_key: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def secrets_path(data_dir: Path) -> Path:
    """Where the keys lie."""
    return data_dir / "secrets"


def open_secrets(data_dir: Path, *, can_make: bool) -> Secrets:
    """The keys of this directory. They are made only for a store without documents.

    New ones beside old data would make every password wrong without a word, so that is refused. Not so the key that signs
    receipts: what a lost one signed is checked by its public half, which is in the store, and a new one signs from now on.
    """
    path = secrets_path(data_dir)
    try:
        found = _read(path)
        missing = [name for name in _NAMES if not found.get(name)]
        if missing and not can_make:
            raise StoreError(
                f"{path} lacks {' and '.join(missing)}, without which no password of this store fits: "
                f"put the file back, or restore a backup"
            )
        made = {name: secrets.token_urlsafe(_KEY_BYTES) for name in missing}
        if not found.get(_SIGNING):
            made[_SIGNING] = base64.urlsafe_b64encode(secrets.token_bytes(_SIGNING_BYTES)).decode()
        if made:
            found |= made
            _write(path, found)
    except OSError as error:
        raise StoreError(f"cannot use {path}: {error.strerror}") from error
    return Secrets(found["SECRET_KEY"], found["PASSWORD_PEPPER"], found[_SIGNING])


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    path.chmod(0o600)
    pairs = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, _, value in pairs if name}


def _write(path: Path, found: dict[str, str]) -> None:
    """All of it or nothing: a second file, synced and renamed."""
    made = path.with_name(f"{path.name}.new")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in found.items())
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
