"""Exports: a copy of everything held about a person, asked for, made by a worker, fetched for some days, and forgotten.

One at a time: whoever asks while one is being made is given that one. What is in it is `export_parts.py`'s.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from datetime import datetime, timedelta

from config.settings import Settings
from documents.base import Row
from documents.export import OPEN, Export, file_ids_of
from documents.user import User
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.mails import ExportReady
from lms_rt.contracts.outbox import Write, event, job
from lms_rt.contracts.privacy import EXPORT_URL, ExportView
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id, new_id
from lms_rt.services.archive import archived
from lms_rt.services.contended import until_written
from lms_rt.services.export_parts import Sources, entries_of
from lms_rt.services.relay import Relay
from lms_rt.storage.files.base import FileMissing, FileStore

TASK = "exports.build"
MAX_A_DAY = 5
DAY = timedelta(days=1)
STALE = timedelta(days=1)
"""Nobody is at work on it any more: the next request begins another."""
PREFIX = "exp"
_FORMER = 100

_log = logging.getLogger(__name__)


class Exports:
    """Makes them and hands them out."""

    def __init__(self, *, settings: Settings, clock: Clock, relay: Relay, files: FileStore, sources: Sources) -> None:
        self._settings, self._clock, self._relay, self._files, self._sources = settings, clock, relay, files, sources

    # --- for the person ---

    async def ask(self, actor: Actor) -> ExportView:
        """A new export, or the one that is being made. So many a day, and no more: each is work, a file and a mail."""

        async def step() -> Row | None:
            row = await Export.find_newest(actor.user_id)
            if row is not None and row["status"] in OPEN:
                if row["created_at"] > self._clock.now() - STALE:
                    return row
                await Export.end(row["_id"], {"status": "failed"}, at=self._clock.now())
            return await self._begin(actor.user_id, row)

        row = await until_written(step)
        await self._relay.hand_over(Export, row["_id"])
        return self._view(row)

    async def tell(self, actor: Actor) -> ExportView:
        """How far the newest is. 404 before the first."""
        row = await Export.find_newest(actor.user_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        return self._view(row)

    async def fetch(self, actor: Actor) -> tuple[ExportView, AsyncGenerator[bytes, None]]:
        """The newest export and its file, while it is there."""
        row = await Export.find_newest(actor.user_id)
        view = None if row is None else self._view(row)
        if row is None or view is None or view.url is None:
            raise Refused(Code.NOT_FOUND)
        chunks = self._files.read(row["file_id"])
        try:
            first = await anext(chunks)
        except (FileMissing, StopAsyncIteration):
            raise Refused(Code.NOT_FOUND) from None
        return view, _joined(first, chunks)

    async def _begin(self, user_id: str, former: Row | None) -> Row | None:
        at, export_id = self._clock.now(), new_id(PREFIX)
        lately = [one for one in _asked_for(former) if one > at - DAY]
        if len(lately) >= MAX_A_DAY:
            wait = lately[-MAX_A_DAY] + DAY - at
            raise Refused(Code.RATE_LIMITED, retry_after_seconds=math.ceil(wait.total_seconds()))
        fields: Row = {
            "user_id": user_id,
            "status": "waiting",
            "open_key": user_id,
            "asked_lately": [*lately, at],
            "version": 1,
            "created_at": at,
            "updated_at": at,
        }
        once = derived_id("job", export_id)
        intents = [job(Write(1, at), TASK, {"export_id": export_id}, job_id=once)]
        return {"_id": export_id, **fields} if await Export.add(export_id, fields, intents) else None

    def _view(self, row: Row) -> ExportView:
        expires_at: datetime | None = row.get("expires_at")
        status = row["status"]
        if status == "ready" and (expires_at is None or expires_at <= self._clock.now()):
            status = "expired"
        return ExportView(
            id=row["_id"],
            status=status,
            created_at=row["created_at"],
            expires_at=expires_at,
            size_bytes=row.get("size_bytes"),
            url=EXPORT_URL if status == "ready" else None,
        )

    # --- for the workers ---

    async def build(self, export_id: str) -> None:
        """Make it, and tell; again after a crash, from the beginning. One that was made or given up is left alone."""
        row = await Export.begin(export_id, self._clock.now())
        if row is None:
            return
        user = await User.find_by_id(row["user_id"])
        if user is None or user.erasing_at is not None:
            await self.give_up(export_id)
            return
        *former, file_id = file_ids_of(row)
        saved = await self._files.save(file_id, archived(entries_of(self._sources, user), self._clock.now()))
        at = self._clock.now()
        expires_at = at + self._kept_for
        fields = {
            "status": "ready",
            "file_id": file_id,
            "size_bytes": saved.size_bytes,
            "sha256": saved.sha256,
            "expires_at": expires_at,
        }
        if not await Export.end(export_id, fields, at=at, intents=_told(export_id, user.id, at, expires_at)):
            await self._files.remove(file_id)
            return
        await self._remove_files(former)
        await self._forget_former(user.id, export_id)
        _log.info("export %s is ready", export_id)
        await self._relay.hand_over(Export, export_id)

    async def give_up(self, export_id: str) -> None:
        """It will not be made: its person may ask again."""
        row = await Export.find_row(export_id)
        if row is not None and await Export.end(export_id, {"status": "failed"}, at=self._clock.now()):
            await self._remove_files(file_ids_of(row))

    async def _forget_former(self, user_id: str, newest_id: str) -> None:
        """Nobody is handed an older one: it would lie there until its time is over, and as many as were asked for."""
        for row in await Export.find_of(user_id, limit=_FORMER):
            if row["_id"] != newest_id and "outbox_at" not in row:
                await self._remove_files(file_ids_of(row))
                await Export.remove(row["_id"])

    async def _remove_files(self, file_ids: Iterable[str]) -> None:
        """What tries left that came to nothing; one that is still written removes its own when it cannot end."""
        for file_id in file_ids:
            await self._files.remove(file_id)

    # --- retention ---

    @property
    def _kept_for(self) -> timedelta:
        """How long one can be fetched: the setting may move while the school runs."""
        return timedelta(days=self._settings.retention_exports_days)

    async def forget(self, before: datetime, *, limit: int) -> int:
        """Remove some whose time is over, files first, and files that no export speaks of; how many."""
        before = min(before, self._clock.now() - self._kept_for - STALE)
        rows = await Export.find_before(before, limit=limit)
        for row in rows:
            await self._remove_files(file_ids_of(row))
            await Export.remove(row["_id"])
        if rows:
            return len(rows)
        return await self._forget_unnamed(before, limit=limit)

    async def _forget_unnamed(self, before: datetime, *, limit: int) -> int:
        after, removed = "", 0
        while left := await self._files.find_ids(before=before, limit=limit, prefix=f"{PREFIX}_", after=after):
            named = await Export.find_named(left)
            unnamed = [file_id for file_id in left if file_id not in named]
            await self._remove_files(unnamed)
            after, removed = left[-1], removed + len(unnamed)
        return removed


def _asked_for(row: Row | None) -> list[datetime]:
    """When the person has asked lately, this one included: the row of an older one is gone by then."""
    return [] if row is None else row.get("asked_lately") or [row["created_at"]]


def _told(export_id: str, user_id: str, at: datetime, expires_at: datetime) -> list[Row]:
    write = Write(2, at)
    data = {"export_id": export_id, "expires_at": rfc3339(expires_at), "url": EXPORT_URL}
    mail = ExportReady(link="/me/security", expires_at=expires_at).model_dump(mode="json")
    args = {"template": "export_ready", "user_id": user_id, "data": mail}
    once = derived_id("job", export_id, "mail")
    return [
        event(write, "export_ready", n=0, channels=[user_channel(user_id)], data=data),
        job(write, "mail.send", args, job_id=once),
    ]


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for chunk in rest:
        yield chunk
