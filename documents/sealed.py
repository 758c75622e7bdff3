"""Where sealed secrets lie, for sealing them anew when the key has changed. What sealing is, is security's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from documents.base import Record
from documents.calendar_feed import CalendarFeed
from documents.user import User
from documents.webhook import Webhook


@dataclass(frozen=True, slots=True)
class SealedPlace:
    """A field of a collection; whose document it is in owns the secret. `purpose` is that of its seal."""

    purpose: str
    document: type[Record]
    path: str

    async def page(self, *, after: str, limit: int) -> list[tuple[str, str]]:
        """The sealed texts of documents behind this one, by their ids."""
        which: dict[str, Any] = {"_id": {"$gt": after}, self.path: {"$gt": ""}}
        found = self.document.rows().find(which, {self.path: 1}).sort("_id", 1).limit(limit)
        return [(row["_id"], self._of(row)) for row in await found.to_list(length=limit)]

    async def replace(self, document_id: str, old: str, new: str) -> bool:
        """The same secret under another seal, which is no edit; False when it is another one by now."""
        which = {"_id": document_id, self.path: old}
        return bool((await self.document.rows().update_one(which, {"$set": {self.path: new}})).matched_count)

    def _of(self, row: dict[str, Any]) -> str:
        value: Any = row
        for name in self.path.split("."):
            value = value[name]
        return str(value)


SEALED_PLACES = (
    SealedPlace("webhooks", Webhook, "secret"),
    SealedPlace("mfa", User, "mfa.secret"),
    SealedPlace("calendar", CalendarFeed, "secret"),
)
"""Every place. Secrets that are about to go (a webhook's old ones, an app that waits for its first code) are not sealed anew."""
