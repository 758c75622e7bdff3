"""Many people into a course by a table: foretold row by row, then done in the background, each row once.

Who has an account comes in; who has none is given one and invited by mail, as a student. What a row makes is named after
the run and the row, so that a run which was cut meets its own work. How a table is read is `people_tables.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from documents.base import Row
from documents.bulk_people import accounts_of, enrollment_statuses, students_of
from documents.enrollment import enrollment_id_of
from documents.enums import Role
from documents.import_run import ImportPart, ImportRun
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import CursorPage
from lms_rt.contracts.bulk import (
    Foretold,
    PeopleImportQuery,
    PeoplePreview,
    PersonRowView,
    RunRowQuery,
    RunView,
    TableEncoding,
    counts_view,
)
from lms_rt.contracts.enrollments import EnrollmentDraft
from lms_rt.contracts.outbox import Write, audit, event
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id, new_id
from lms_rt.interchange.csv_rows import csv_lines
from lms_rt.security.access.courses import require_taught_course, teaches
from lms_rt.security.permissions import Permission
from lms_rt.services.bulk_rows import PART, outcome_of, parts_of, row_view, shown_of, stored_view
from lms_rt.services.enrollments import Enrollments
from lms_rt.services.groups import put_into_group
from lms_rt.services.import_runs import PREFIX, Asked, ImportRuns, Run, words_of
from lms_rt.services.invitations import Invitations
from lms_rt.services.people_tables import People, PersonRow, read_people
from lms_rt.services.relay import Relay
from lms_rt.services.user_search import found_by

ASKED_AT_ONCE = 500
MAX_A_DAY = 30_000
"""So many rows one person may ask for in a day: each may be a mail to a stranger."""
DAY = timedelta(days=1)
_READING = 2
_BUSY_SECONDS = 20.0
_HEAD = ("line", "email", "full_name", "group", "outcome", "code", "reason")
_LINES_AT_ONCE = 20


class BulkEnrollment:
    """Brings many people into a course. Only for who sees to its enrolments."""

    def __init__(
        self, *, clock: Clock, relay: Relay, runs: ImportRuns, enrollments: Enrollments, invitations: Invitations
    ) -> None:
        self._clock, self._relay, self._runs, self._enrollments = clock, relay, runs, enrollments
        self._invitations, self._turns = invitations, asyncio.Semaphore(_READING)
        runs.add_kind("people", self.perform)

    # --- asking ---

    async def preview(self, actor: Actor, course_id: str, raw: bytes, query: PeopleImportQuery) -> PeoplePreview:
        """What an import would do to whom. Nothing is written."""
        course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)
        people = await self._read(raw, query.encoding)
        may_group = teaches(actor, course, Permission.QUIZZES_MANAGE)
        asks = _Asks(actor, course.id, may_invite=query.invite, may_group=may_group)
        outcomes = await _foretold(people.rows, asks)
        counts = Counter(outcomes)
        shown = shown_of(people.rows, outcomes)
        return PeoplePreview(
            encoding=people.encoding,
            separator=people.separator,
            columns=people.columns,
            total=len(people.rows),
            counts=counts_view(counts),
            rows=[row_view(row, outcome) for row, outcome in shown],
            is_cut=len(shown) < len(people.rows),
        )

    async def begin(
        self, actor: Actor, course_id: str, raw: bytes, query: PeopleImportQuery, *, filename: str | None = None
    ) -> RunView:
        """Begin an import. Its rows are kept first: a run without rows would be done at once."""
        course = await require_taught_course(actor, course_id, Permission.ENROLLMENTS_MANAGE)
        people = await self._read(raw, query.encoding)
        if await ImportRun.count_of(actor.user_id, self._clock.now() - DAY) + len(people.rows) > MAX_A_DAY:
            words = f"{MAX_A_DAY} rows may be asked for in a day."
            raise Refused(Code.RATE_LIMITED, words, retry_after_seconds=3_600)
        run_id, asker = new_id(PREFIX), await User.find_by_id(actor.user_id)
        await ImportPart.add_all(parts_of(run_id, people, self._clock.now()))
        asked = Asked(
            "people",
            "course.import_people",
            course_id=course.id,
            options={"invite": query.invite, "locale": "en" if asker is None else asker.locale},
            total=len(people.rows),
            filename=(filename or "")[-200:] or None,
            open_key=f"people:{course.id}",
            run_id=run_id,
        )
        try:
            return await self._runs.ask(actor, asked)
        except Refused:  # after anything else the run may be there; if it is not, its rows go in the night
            await ImportPart.forget_of(run_id)
            raise

    # --- looking ---

    async def rows(self, actor: Actor, run_id: str, query: RunRowQuery) -> CursorPage[PersonRowView]:
        """The rows of a run, in the order of the file."""
        await self._runs.require_result(actor, run_id)
        first = int(query.after) + 1 if query.after is not None else 0
        found: list[tuple[int, PersonRowView]] = []
        async for place, view in _rows_from(run_id, first):
            if query.outcome in (None, view.outcome):
                found.append((place, view))
            if len(found) > query.limit:
                break
        kept = found[: query.limit]
        after = str(kept[-1][0]) if len(found) > query.limit else None
        return CursorPage(items=[view for _, view in kept], next=after, limit=query.limit)

    async def result(self, actor: Actor, run_id: str) -> AsyncGenerator[bytes, None]:
        """The rows of a run with what became of each, as CSV with a mark that spreadsheets know UTF-8 by."""
        await self._runs.require_result(actor, run_id)
        return _csv(run_id)

    # --- doing ---

    async def perform(self, run: Run) -> None:
        """All rows that are not done yet, part by part."""
        course = await require_taught_course(run.actor, run.row["course_id"], Permission.ENROLLMENTS_MANAGE)
        may_group = teaches(run.actor, course, Permission.QUIZZES_MANAGE)
        counts = Counter[str](run.row.get("counts") or {})
        while (part := await ImportPart.find_from(run.run_id, run.row["done"])) is not None:
            results = await self._do(run, course.id, part, may_group=may_group)
            ids = sorted({one["student_id"] for one in results.values() if one.get("student_id")})
            await ImportPart.finish(part["_id"], results, ids)
            counts.update(one["outcome"] for one in results.values())
            done = part["first"] + len(part["rows_by_place"])
            if not await self._runs.advance(run, fields := {"done": done, "counts": dict(counts)}):
                await ImportRun.note(run.run_id, fields, self._clock.now())
                return

    async def _do(self, run: Run, course_id: str, part: Row, *, may_group: bool) -> dict[str, Row]:
        """One part after the other row: what it comes to. A part that was cut is done again, and meets its own work."""
        results: dict[str, Row] = {}
        groups: dict[str, list[str]] = {}
        for place, row in sorted(part["rows_by_place"].items(), key=lambda item: int(item[0])):
            results[place] = await self._do_row(run, course_id, row)
            await asyncio.sleep(0)  # on a store within the process nothing else lets others have their turn
            student_id = results[place].get("student_id")
            if may_group and student_id and row.get("group"):
                groups.setdefault(row["group"], []).append(enrollment_id_of(student_id, course_id))
        for group, ids in groups.items():
            await put_into_group(self._relay, course_id, ids, group, now=self._clock.now())
        return results

    async def _do_row(self, run: Run, course_id: str, row: Row) -> Row:
        if row.get("code"):
            return {"outcome": "refused", "code": row["code"], "reason": row.get("reason")}
        if "email_key" not in row:
            return {"outcome": "refused", "code": "withheld", "reason": "This row speaks of nobody any more."}
        try:
            student, is_invited = await self._account(run, row)
            draft = EnrollmentDraft(course_id=course_id, student_id=student.id)
            seed = f"{run.run_id}:{row['line']}"
            enrolled = await self._enrollments.enroll(run.actor, draft, request_seed=seed)
        except Refused as refused:
            if refused.code is Code.ALREADY_ENROLLED:
                return {"outcome": "present", "student_id": student.id}
            code, reason = words_of(refused)
            return {"outcome": "refused", "code": code, "reason": reason}
        if is_invited:
            return {"outcome": "invited", "student_id": student.id}
        return {"outcome": "enrolled" if enrolled.is_new else "returned", "student_id": student.id}

    async def _account(self, run: Run, row: Row) -> tuple[User, bool]:
        """Whose address it is; somebody new is invited. Who was made by this row before the run was cut counts as new."""
        made_id = derived_id("usr", run.run_id, row["email_key"])
        for _ in range(2):
            user = await User.find_by_email_key(row["email_key"])
            if user is not None:
                return user, user.id == made_id
            if not run.options.get("invite", True):
                raise Refused(Code.NOT_FOUND, "Nobody here has this address.")
            user = self._new(run, row, made_id)
            if await User.add(user):
                await self._relay.hand_over(User, user.id)
                return user, True
        raise Refused(Code.CONFLICT, "This address is being registered; try it again.")

    def _new(self, run: Run, row: Row, user_id: str) -> User:
        now, full_name = self._clock.now(), row.get("full_name") or row["email"].partition("@")[0]
        user = User(
            id=user_id,
            email=row["email"],
            email_key=row["email_key"],
            password_hash="",
            full_name=full_name,
            role=Role.STUDENT,
            locale=row.get("locale") or run.options.get("locale") or "en",
            created_at=now,
            updated_at=now,
            outbox_at=now,
            **found_by(full_name, row["email"]),
        )
        write, made = Write(1, now), {"email": user.email, "full_name": user.full_name, "role": Role.STUDENT.value}
        user.outbox = [
            event(write, "user_registered", n=0, channels=[], data={"user_id": user.id}, record="user.registered"),
            audit(write, run.actor, "user.create", kind="user", target_id=user.id, after=made),
            self._invitations.invite(write, user, run.actor),
        ]
        return user

    async def _read(self, raw: bytes, encoding: TableEncoding | None) -> People:
        """Beside the event loop, some at a time."""
        try:
            async with asyncio.timeout(_BUSY_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise Refused(Code.BUSY, "Other tables are being read; try again.", retry_after_seconds=5) from None
        try:
            return await asyncio.to_thread(read_people, raw, encoding)
        finally:
            self._turns.release()


@dataclass(frozen=True, slots=True)
class _Asks:
    """Who asks what would become of whom."""

    actor: Actor
    course_id: str
    may_invite: bool
    may_group: bool

    @property
    def knows_all(self) -> bool:
        """May they look through all accounts anyway?"""
        return self.actor.is_admin or Permission.USERS_MANAGE in self.actor.permissions

    async def known(self, account_ids: list[str]) -> set[str]:
        """Those of these accounts that the asker may know to exist: who is or was in a course of theirs."""
        if self.knows_all:
            return set(account_ids)
        return await students_of(self.actor.user_id, account_ids)


async def _foretold(rows: Sequence[PersonRow], asks: _Asks) -> list[Foretold]:
    """What each row would come to; what is wrong with one by what there is, is written into it."""
    outcomes: list[Foretold] = []
    for start in range(0, len(rows), ASKED_AT_ONCE):
        some = rows[start : start + ASKED_AT_ONCE]
        accounts = await accounts_of([row.email_key for row in some if row.email_key])
        known = await asks.known([user_id for user_id, _ in accounts.values()])
        ids = [enrollment_id_of(user_id, asks.course_id) for user_id in known]
        statuses = await enrollment_statuses(ids)
        for row in some:
            if row.code is None and row.group is not None and not asks.may_group:
                row.group = None
            account = accounts.get(row.email_key)
            if row.code is None and not asks.knows_all and (account is None or account[0] not in known):
                outcomes.append("added")
                continue
            status = None if account is None else statuses.get(enrollment_id_of(account[0], asks.course_id))
            outcomes.append(outcome_of(row, account, status, may_invite=asks.may_invite))
    return outcomes


async def _rows_from(run_id: str, first: int) -> AsyncGenerator[tuple[int, PersonRowView], None]:
    """The rows of a run from this place on, each with its place."""
    at = first // PART * PART
    while (part := await ImportPart.find_from(run_id, at)) is not None:
        for place in range(len(part["rows_by_place"])):
            if part["first"] + place >= first:
                yield part["first"] + place, stored_view(part, str(place))
        at = part["first"] + PART


async def _csv(run_id: str) -> AsyncGenerator[bytes, None]:
    yield b"\xef\xbb\xbf" + csv_lines([_HEAD])
    lines: list[list[object]] = []
    async for _, view in _rows_from(run_id, 0):
        lines.append([getattr(view, name) for name in _HEAD])
        if len(lines) == _LINES_AT_ONCE:
            yield csv_lines(lines)
            lines = []
    if lines:
        yield csv_lines(lines)
