"""The way back of who acts in somebody's place: a signed mark (the cookie `lms_own`) that names the session they came from.

It is no token: it opens nothing but the return, holds a day, and only while the session that it names does, which
`services/impersonation.py` asks the database each time. Scripts cannot read it.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass

from lms_rt.clock import Clock
from lms_rt.security.keyring import Keyring

WAY_BACK_SECONDS = 86_400
MAX_WAY = 400
_PURPOSE = "way back"
_SHAPE = re.compile(r"([A-Za-z0-9_]{1,64})\.([A-Za-z0-9_]{1,64})\.([A-Za-z0-9_]{1,64})\.([0-9]{1,16})")


@dataclass(frozen=True, slots=True)
class WayBack:
    """Who acts, from which session of theirs, and in which one they act."""

    user_id: str
    session_id: str
    acting_id: str


class WaysBack:
    """Writes and reads the marks."""

    def __init__(self, keyring: Keyring, clock: Clock) -> None:
        self._keyring, self._clock = keyring, clock

    def write(self, way: WayBack) -> str:
        """The mark that leads back, for a day."""
        until_ms = self._clock.now_ms() + WAY_BACK_SECONDS * 1000
        said = f"{way.user_id}.{way.session_id}.{way.acting_id}.{until_ms}"
        signature = urlsafe_b64encode(self._keyring.sign(_PURPOSE, said.encode())).decode().rstrip("=")
        return f"{said}!{signature}"

    def find(self, mark: str) -> WayBack | None:
        """Where it leads; None: it is none of ours, or its day is over."""
        said, _, signature = mark.partition("!")
        match = _SHAPE.fullmatch(said) if len(mark) <= MAX_WAY else None
        if match is None or not self._is_signed(said, signature):
            return None
        return None if int(match[4]) <= self._clock.now_ms() else WayBack(match[1], match[2], match[3])

    def _is_signed(self, said: str, signature: str) -> bool:
        try:
            raw = urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        except (Error, ValueError):
            return False
        return self._keyring.is_signed(_PURPOSE, said.encode(), raw)
