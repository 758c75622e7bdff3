"""Runs in the background: asked for, followed live, cancelled, ended, fetched, forgotten. What one does, its kind says.

A run may be cut at any moment, and goes on where it was: whoever performs one takes steps that meet what is done already.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from documents.base import Row
from documents.import_run import ImportPart, ImportRun
from documents.user import User
from lms_rt.clock import Clock, rfc3339
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.bulk import RunKind, RunQuery, RunView
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.outbox import Deed, Intent, Write, event, job
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id, new_id
from lms_rt.security.access.courses import require_taught_course, teaches
from lms_rt.security.permissions import Permission, permissions_of
from lms_rt.services.jobs import NotYet
from lms_rt.services.relay import Relay
from lms_rt.services.telling import Telling
from lms_rt.storage.files.base import FileMissing, FileStore
from lms_rt.undoing import Undo, undoing, whole

TASK = "imports.run"
PREFIX = "imp"
KEPT = timedelta(days=30)
"""So long a run is told of."""
ARCHIVES_KEPT = timedelta(days=7)
"""So long an archive may be fetched, as any export."""
RESULT_BY: Mapping[str, tuple[Permission, ...]] = {
    "people": (Permission.ENROLLMENTS_MANAGE,),
    "course_export": (Permission.COURSE_UPDATE, Permission.QUIZZES_MANAGE),
}
"""By what right, over its course, somebody may have what came of a run: addresses of people, or keys of quizzes."""
MAX_OPEN = 20
"""So many runs of one person wait or run at once."""
TOLD_MS = 250
"""Progress is told at most so often."""
SPELL = timedelta(minutes=10)
"""So long a worker stays with one run before others have their turn: the job's limit is 15 minutes."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """A run while it is worked on. At `until` others have their turn; None: it has to be done in one go."""

    row: Row
    actor: Actor
    until: datetime | None
    told_ms: int = 0
    made: Row = field(default_factory=dict)
    undo: Undo | None = None

    async def take_back(self) -> None:
        """What was taken for what it makes; not where it ended with that: `undo` looks."""
        if self.undo is not None:
            await self.undo()

    @property
    def run_id(self) -> str:
        """Which one."""
        return str(self.row["_id"])

    @property
    def options(self) -> Row:
        """What was asked for."""
        return dict(self.row.get("options") or {})

    @property
    def file_id(self) -> str:
        """Where this try keeps what it makes: no other try writes there."""
        return f"{self.run_id}x{self.row['tries']}.zip"


Perform = Callable[[Run], Awaitable[None]]
"""Does all that is left of a run; `Run.made` is kept with its end. Raises `Refused` with words when it cannot be done."""
Clear = Callable[[Row], Awaitable[None]]
"""Takes back what a run left that did not come to its end."""
Landed = Callable[[Row], Awaitable[Row | None]]
"""What a run made, if its last write was done by a try that did not come to say so."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Who does the runs of a kind."""

    perform: Perform
    clear: Clear | None
    landed: Landed | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for. `open_key`: the same is not done twice at once."""

    kind: RunKind
    action: str
    course_id: str | None = None
    options: Row = field(default_factory=dict)
    total: int = 0
    filename: str | None = None
    open_key: str | None = None
    run_id: str | None = None
    target_id: str = ""


class ImportRuns:
    """Keeps runs and does them."""

    def __init__(self, *, clock: Clock, relay: Relay, telling: Telling, files: FileStore) -> None:
        self._clock, self._relay, self._telling, self._files = clock, relay, telling, files
        self._kinds: dict[str, _Kind] = {}

    def add_kind(
        self, kind: RunKind, perform: Perform, *, clear: Clear | None = None, landed: Landed | None = None
    ) -> None:
        """Who does the runs of a kind, who clears up after one that failed, and who knows whether it did not fail at all."""
        self._kinds[kind] = _Kind(perform, clear, landed)

    # --- for people ---

    async def ask(self, actor: Actor, asked: Asked) -> RunView:
        """Begin one. Refused while the same is being done, and while the person has too many open."""
        if await ImportRun.count_open(actor.user_id) >= MAX_OPEN:
            words = f"{MAX_OPEN} of your runs are not done yet; wait, or cancel one."
            raise Refused(Code.RATE_LIMITED, words, retry_after_seconds=30)
        row = self._row(actor, asked)
        if not await ImportRun.add(row):
            raise Refused(Code.CONFLICT, "The same is being done already.", import_id=await _open_one(asked))
        await self._relay.hand_over(ImportRun, row["_id"])
        return run_view(row)

    async def show(self, actor: Actor, run_id: str) -> RunView:
        """How far one is."""
        return run_view(await self.require(actor, run_id))

    async def list(self, actor: Actor, query: RunQuery) -> Page[RunView]:
        """One's own, newest first."""
        asked = {name: value for name in ("kind", "status", "course_id") if (value := getattr(query, name)) is not None}
        rows, total = await ImportRun.page({**asked, "user_id": actor.user_id}, skip=query.skip, limit=query.page_size)
        return page_of([run_view(row) for row in rows], query, total)

    async def cancel(self, actor: Actor, run_id: str) -> RunView:
        """Let it end where it is: what is done stays done. Again changes nothing; one that has ended stays as it ended.

        One that is at its last write comes to its end.
        """
        row = await self.require(actor, run_id)
        if await self._end(row, "cancelled", {}, Deed(actor, "import.cancel", run_id)):
            await self._clear(row)
        return run_view(await self.require(actor, run_id))

    async def require(self, actor: Actor, run_id: str) -> Row:
        """A run of the actor's own; an administrator's are all."""
        row = await ImportRun.find_row(run_id, user_id=None if actor.is_admin else actor.user_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        return row

    async def require_result(self, actor: Actor, run_id: str) -> Row:
        """The same for what came of it: only while the actor has the right that it was asked for by; 404 else."""
        row = await self.require(actor, run_id)
        if (by := RESULT_BY.get(row["kind"])) is not None:
            course = await require_taught_course(actor, row["course_id"])
            if not all(teaches(actor, course, permission) for permission in by):
                raise Refused(Code.NOT_FOUND)
        return row

    async def fetch(self, actor: Actor, run_id: str) -> tuple[RunView, AsyncGenerator[bytes, None]]:
        """The file that a run made."""
        row = await self.require_result(actor, run_id)
        if row["status"] != "finished" or row.get("file_id") is None:
            raise Refused(Code.NOT_FOUND)
        chunks = self._files.read(row["file_id"])
        try:
            first = await anext(chunks)
        except (FileMissing, StopAsyncIteration):
            raise Refused(Code.NOT_FOUND) from None
        return run_view(row), _joined(first, chunks)

    # --- for the workers ---

    async def run(self, run_id: str) -> None:
        """Do it, or go on with it; what was cancelled or ended meanwhile is left alone."""
        now = self._clock.now()
        row = await ImportRun.begin(run_id, now)
        if row is None:
            return
        try:
            run = Run(row, await _actor_of(row), now + SPELL)
            async with undoing(run.take_back):
                await self._kinds[row["kind"]].perform(run)
                is_ended = await whole(self._end(row, "finished", run.made))
        except Refused as refused:
            await self._fail(row, *words_of(refused))
            return
        if not is_ended:
            await whole(run.take_back())
            await self._clear(row)

    async def give_up(self, run_id: str) -> None:
        """It failed too often: whoever asked for it is told."""
        row = await ImportRun.find_row(run_id)
        if row is not None:
            await self._fail(row, "failed", "This could not be done; ask again, or tell an administrator.")

    async def advance(self, run: Run, fields: Mapping[str, Any]) -> bool:
        """Note how far it is, and tell; False: it was cancelled. Lets others have their turn from time to time."""
        now = self._clock.now()
        if not await ImportRun.advance(run.run_id, fields, now):
            return False
        run.row |= fields
        if (now_ms := self._clock.now_ms()) - run.told_ms >= TOLD_MS:
            run.told_ms = now_ms
            await self._telling.state(user_channel(run.row["user_id"]), "import_progress", progress_data(run.row))
        if run.until is not None and now >= run.until:
            raise NotYet(now, "it goes on after others")
        return True

    async def land(self, run: Run, fields: Mapping[str, Any]) -> bool:
        """All is done but the last write: from here on it is not cancelled any more. False: it was."""
        run.row |= fields
        return await ImportRun.land(run.run_id, fields, self._clock.now())

    async def has_failed(self, run_id: str) -> bool:
        """Did it end without what it was to make?"""
        row = await ImportRun.find_row(run_id)
        return row is not None and row["status"] in ("failed", "cancelled")

    async def _fail(self, row: Row, error: str, detail: str) -> None:
        landed = self._kinds[row["kind"]].landed
        if landed is not None and (made := await landed(row)) is not None:
            await self._end(row, "finished", made)
            return
        if await self._end(row, "failed", {"error": error, "error_detail": detail[:500]}):
            await self._clear(row)

    async def _end(self, row: Row, status: str, fields: Mapping[str, Any], deed: Deed | None = None) -> bool:
        at = self._clock.now()
        records = [] if deed is None else deed.intents(Write(2, at), after={"status": status})
        ended = {**row, **fields, "status": status}
        told = event(
            Write(2, at), "import_finished", n=0, channels=[user_channel(row["user_id"])], data=finished_data(ended)
        )
        intents = [told, *records]
        if status == "cancelled":
            is_ended = await ImportRun.cancel(row["_id"], at=at, intents=intents)
        else:
            is_ended = await ImportRun.end(row["_id"], {**fields, "status": status}, at=at, intents=intents)
        if not is_ended:
            return False
        _log.info("run %s (%s) is %s", row["_id"], row["kind"], status)
        await self._relay.hand_over(ImportRun, row["_id"])
        return True

    async def _clear(self, row: Row) -> None:
        kind = self._kinds.get(row["kind"])
        if kind is not None and kind.clear is not None:
            await kind.clear(row)
        for file_id in file_ids_of(row):
            await self._files.remove(file_id)

    def _row(self, actor: Actor, asked: Asked) -> Row:
        at, run_id = self._clock.now(), asked.run_id or new_id(PREFIX)
        write = Write(1, at)
        intents: list[Intent] = [job(write, TASK, {"import_id": run_id}, job_id=derived_id("job", run_id))]
        target = asked.target_id or asked.course_id or run_id
        intents += Deed(actor, asked.action, target).intents(write, after={"import_id": run_id, **asked.options})
        row: Row = {
            "_id": run_id,
            "kind": asked.kind,
            "user_id": actor.user_id,
            "actor": {"impersonator_id": actor.impersonator_id, "impersonator_name": actor.impersonator_name},
            "status": "waiting",
            "options": asked.options,
            "total": asked.total,
            "done": 0,
            "counts": {},
            "tries": 0,
            "version": 1,
            "created_at": at,
            "updated_at": at,
            "outbox": intents,
            "outbox_at": at,
        }
        named = {"course_id": asked.course_id, "filename": asked.filename, "open_key": asked.open_key}
        return row | {name: value for name, value in named.items() if value is not None}

    # --- retention ---

    async def forget(self, before: datetime, *, limit: int) -> int:
        """Remove some that are too old, files first, and files that no run speaks of; how many."""
        rows = await ImportRun.find_before(before, limit=limit)
        for row in rows:
            if row["status"] != "finished":
                await self._clear(row)
            for file_id in file_ids_of(row):
                await self._files.remove(file_id)
            await ImportPart.forget_of(row["_id"])
            await ImportRun.remove(row["_id"])
        if rows:
            return len(rows)
        left = [one for one in await self._files.find_ids(before=before, limit=limit) if one.startswith(f"{PREFIX}_")]
        known = await ImportRun.find_known([one.partition("x")[0] for one in left]) if left else set()
        unnamed = [one for one in left if one.partition("x")[0] not in known]
        for file_id in unnamed:
            await self._files.remove(file_id)
        return len(unnamed)

    async def forget_lost(self, before: datetime, *, limit: int) -> int:
        """Remove rows that were kept for a run which never came to be; of how many."""
        after, lost = "", list[str]()
        while not lost and (page := await ImportPart.run_ids_before(before, after=after, limit=limit)):
            known, after = await ImportRun.find_known(page), page[-1]
            lost = sorted(set(page) - known)
        for run_id in lost:
            await ImportPart.forget_of(run_id)
        return len(lost)


def words_of(refused: Refused) -> tuple[str, str]:
    """Why something was refused, in one code and one sentence: those of the first faulty field, where there is one."""
    if not refused.fields:
        return refused.code.code, refused.detail
    fault = refused.fields[0]
    named = "" if fault.field in ("file", "file_id") else f"{fault.field}: "
    return fault.code, named + fault.message


def file_ids_of(row: Row) -> list[str]:
    """Every file that there may be of a run, whole or broken off."""
    return [f"{row['_id']}x{number}.zip" for number in range(1, row.get("tries", 0) + 1)]


def run_view(row: Row) -> RunView:
    """A run as whoever asked for it sees it."""
    has_result = row["kind"] == "people" or (row["status"] == "finished" and row.get("file_id") is not None)
    return RunView(
        id=row["_id"],
        kind=row["kind"],
        status=row["status"],
        **{
            name: row.get(name)
            for name in ("course_id", "made_course_id", "filename", "error", "error_detail", "finished_at")
        },
        **{name: row[name] for name in ("total", "done", "counts", "version", "created_at", "updated_at")},
        url=f"/api/v1/imports/{row['_id']}/result" if has_result else None,
        size_bytes=row.get("size_bytes"),
        expires_at=row["created_at"] + (ARCHIVES_KEPT if row["kind"] == "course_export" else KEPT),
    )


def progress_data(row: Row) -> Row:
    """`import_progress`."""
    names = ("kind", "status", "total", "done", "counts")
    return {"import_id": row["_id"], "course_id": row.get("course_id"), **{name: row[name] for name in names}}


def finished_data(row: Row) -> Row:
    """`import_finished`."""
    view = run_view(row)
    made = {"made_course_id": view.made_course_id}
    return {**progress_data(row), **made, "error": view.error, "url": view.url, "expires_at": rfc3339(view.expires_at)}


async def _open_one(asked: Asked) -> str | None:
    row = None if asked.open_key is None else await ImportRun.find_by_open_key(asked.open_key)
    return None if row is None else str(row["_id"])


async def _actor_of(row: Row) -> Actor:
    """Who asked, with the rights that they have now: work that waited long is not done for who may not any more."""
    user = await User.find_by_id(row["user_id"])
    if user is None or not user.is_active:
        raise Refused(Code.FORBIDDEN, "The account of who asked for this is closed.")
    return Actor(
        user.id,
        user.role,
        permissions_of(user.role, user.permissions),
        full_name=user.full_name,
        **cast("dict[str, str]", row.get("actor") or {}),  # type: ignore[arg-type]
    )


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for chunk in rest:
        yield chunk
