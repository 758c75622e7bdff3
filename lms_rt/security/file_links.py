"""Links to files that need no sign-in: each opens one file, in one manner, until one moment, and cannot be made to open another.

It is somebody's: whether they may have the file still is asked of `services/file_downloads.py` whenever it is opened.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass

from lms_rt.security.keyring import Keyring

_PURPOSE = "file link"
MAX_SIGNATURE = 150


@dataclass(frozen=True, slots=True)
class Linked:
    """What a link opens: which file, as its rights stood at `epoch`, in which manner, until when, in epoch seconds."""

    file_id: str
    disposition: str
    expires: int
    epoch: int = 0


class FileLinks:
    """Signs and checks. A link holds until it expires, also when its key has become a former one."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    def sign(self, linked: Linked, *, signer_id: str) -> str:
        """The signature of somebody's link; it names them."""
        mac = self._keys.sign(_PURPOSE, _said(linked, signer_id))
        return f"{signer_id}.{urlsafe_b64encode(mac).decode().rstrip('=')}"

    def signer_of(self, linked: Linked, signature: str) -> str | None:
        """Whose link it is, if it was signed here for just this; None else. Takes as long for any signature."""
        signer_id, _, text = signature.partition(".")
        if len(signature) > MAX_SIGNATURE:
            return None
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (Error, ValueError):
            return None
        return signer_id if self._keys.is_signed(_PURPOSE, _said(linked, signer_id), raw) else None


def _said(linked: Linked, signer_id: str) -> bytes:
    parts = (linked.file_id, linked.disposition, str(linked.expires), str(linked.epoch), signer_id)
    return "\x1f".join(parts).encode()
