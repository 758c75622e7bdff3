"""The mark of a browser that signed in before (the cookie `lms_device`): which accounts it is known to.

It lets nobody in. It only lets its owner's attempts be counted apart from those of everybody else, so that who guesses at an
account locks himself out and nobody else. It says nothing of an account that has not signed in with this browser, nor of
one whose password was set anew by mail since then: whoever had it taken over is a stranger from there on, and the browser in
which it was set the only one that is known.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass

from lms_rt.ids import random_token
from lms_rt.security.keyring import Keyring

MAX_ACCOUNTS = 8
"""A browser in a classroom is known to so many; the one that has not signed in for longest gives way."""
MAX_MARK = 400
_PURPOSE = "device"
_SHAPE = re.compile(r"[A-Za-z0-9_-]{8,40}(\.[A-Za-z0-9_-]{12}){0,8}")


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark that is ours: the browser's id, and a digest for each account."""

    device_id: str
    accounts: tuple[str, ...] = ()


class DeviceMarks:
    """Makes and reads marks `device id.account….HMAC`."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def find_device(self, mark: str) -> str | None:
        """Which browser it is; None: the mark is none of ours."""
        read = self._read(mark)
        return read.device_id if read else None

    def find_known_device(self, mark: str, user_id: str, *, since_ms: int = 0) -> str | None:
        """Which browser it is, if this account has signed in with it since its password was set by mail at `since_ms`."""
        read = self._read(mark)
        return read.device_id if read and _digest(read.device_id, user_id, since_ms) in read.accounts else None

    def renewed(self, mark: str, user_id: str, *, since_ms: int = 0) -> str:
        """The mark of the same browser, which this account has signed in with now."""
        read = self._read(mark) or _Mark(random_token(15))
        digest = _digest(read.device_id, user_id, since_ms)
        others = [known for known in read.accounts if known != digest]
        said = ".".join([read.device_id, digest, *others[: MAX_ACCOUNTS - 1]])
        signature = urlsafe_b64encode(self._keyring.sign(_PURPOSE, said.encode())).decode().rstrip("=")
        return f"{said}!{signature}"

    def _read(self, mark: str) -> _Mark | None:
        said, _, signature = mark.partition("!")
        if len(mark) > MAX_MARK or not _SHAPE.fullmatch(said):
            return None
        try:
            raw = urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        except (Error, ValueError):
            return None
        if not self._keyring.is_signed(_PURPOSE, said.encode(), raw):
            return None
        device_id, *accounts = said.split(".")
        return _Mark(device_id, tuple(accounts))


def _digest(device_id: str, user_id: str, since_ms: int) -> str:
    """Nine bytes tell the accounts of one browser apart; the signature is over all of them."""
    said = f"{device_id}\x1f{user_id}" + (f"\x1f{since_ms}" if since_ms else "")
    return urlsafe_b64encode(hashlib.sha256(said.encode()).digest()[:9]).decode()
