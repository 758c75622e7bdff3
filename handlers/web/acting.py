"""What every page says above itself while its reader acts in somebody's place, and until they are back in their own session.

The pages that begin and end it are `impersonating.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from handlers.rest.session_cookies import cookie_names
from lms_rt.clock import from_ms
from lms_rt.contracts.actor import Actor

if TYPE_CHECKING:
    from handlers.web.looks import LooksHandler

ACTING_PATH = "/acting"
"""Where the way back is."""


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, as whom, and until when; or that it is over, and one's own session waits."""

    is_over: bool = False
    by: str = ""
    name: str = ""
    until_ms: int = 0

    @property
    def until(self) -> datetime:
        """When it ends by itself."""
        return from_ms(self.until_ms)


async def find_acting(page: LooksHandler, actor: Actor) -> Acting | None:
    """What there is to say; None for everybody who is simply themselves."""
    if actor.is_impersonated:
        return Acting(by=actor.impersonator_name, name=actor.full_name, until_ms=actor.expires_at_ms)
    mark = page.get_cookie(cookie_names(page.services.settings).own)
    if mark and actor.is_stranger and await page.services.impersonation.is_way_open(mark):
        return Acting(is_over=True)
    return None
