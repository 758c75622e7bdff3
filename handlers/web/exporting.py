"""How far the copy of one's data is, for the pages that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from handlers.web.base import PageHandler, Screen, shape
from lms_rt.errors import Code, Refused

_UNDER_WAY = frozenset({"waiting", "running"})


async def own_export(page: PageHandler) -> dict[str, Any] | None:
    """The reader's newest; None before the first."""
    try:
        return shape(await page.services.exports.tell(page.actor))
    except Refused as refused:
        if refused.code is not Code.NOT_FOUND:
            raise
        return None


def watching(screen: Screen, export: Mapping[str, Any] | None) -> Screen:
    """The screen with the script that looks again, and its words, while one is being made."""
    if export is None or export["status"] not in _UNDER_WAY:
        return screen
    return replace(screen, scripts=(*screen.scripts, "export.js"), groups=(*screen.groups, "export"))
