"""The audit log against who puts back what we signed ourselves, or writes nonsense where we look, or rewrites a reason."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from config.logging import set_up_logging
from config.settings import Settings
from documents.audit_beside import ANEW, CHECKED, CUT, HEAD, KNOWN, VERDICT, AuditMark, AuditReason, AuditSalt
from documents.audit_record import FILTERS, AuditRecord
from documents.base import Row
from documents.enums import Role
from documents.job import Job
from documents.user import User
from lms_rt.bus.memory import memory_bus
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.audit import AuditQuery
from lms_rt.contracts.base import CursorQuery
from lms_rt.contracts.mails import AuditChecked
from lms_rt.security.audit_chain import AuditChain
from lms_rt.security.keyring import Keyring
from lms_rt.security.permissions import permissions_of
from lms_rt.services.audit import Audit
from lms_rt.services.audit_check import AuditCheck
from lms_rt.services.audit_telling import AuditTelling
from lms_rt.services.audit_views import AuditLog
from lms_rt.services.audit_witness import Witness
from lms_rt.services.jobs import Jobs
from tests.services.test_audit import KEY, REASON, Place, told

pytestmark = pytest.mark.usefixtures("database")

ADMIN = Actor("usr_ada", Role.ADMIN, permissions_of(Role.ADMIN, []))


class Process(Place):
    """One process: who writes and who checks share what they have seen."""

    def __init__(self) -> None:
        super().__init__()
        self.witness = Witness(clock=self.clock, chain=self.chain)
        self.node = Audit(clock=self.clock, chain=self.chain, witness=self.witness)
        self.check = AuditCheck(clock=self.clock, chain=self.chain, witness=self.witness)

    def restarted(self) -> Process:
        """The same one without its memory."""
        fresh = Process()
        fresh.clock.advance((self.clock.now() - fresh.clock.now()).total_seconds())
        return fresh


@pytest.fixture
def place() -> Process:
    return Process()


async def marks() -> list[Row]:
    return [row async for row in AuditMark.rows().find({})]


async def put_back(place: Process, *names: str, first: int = 6) -> None:
    """Some records, a copy of the marks, three more; then the copies of these marks are put back, and the three are gone."""
    await place.filled(first)
    assert await place.found() == []
    copies, last = [row for row in await marks() if row["_id"] in names], (await place.rows())[-1]["_id"]
    place.clock.advance(60)
    await place.filled(3)
    assert await place.found() == []
    for row in copies:
        await AuditMark.rows().replace_one({"_id": row["_id"]}, row)
    await AuditRecord.rows().delete_many({"_id": {"$gt": last}})


# --- an older head ---


async def test_an_older_head_is_known_by_what_was_found_whole_since(place: Process) -> None:
    await put_back(place, HEAD)
    fresh = place.restarted()
    assert await fresh.seen_at_a_glance() == [("tail_missing", 7, 9)]
    assert await fresh.found() == [("tail_missing", 7, 9)]


async def test_whoever_was_further_knows_it_though_all_marks_are_put_back(
    place: Process, caplog: pytest.LogCaptureFixture
) -> None:
    await put_back(place, HEAD, CHECKED, VERDICT)
    assert await place.restarted().found() == []  # nothing that the database holds tells
    await place.witness.look()
    assert "verify-audit --head 9:" in caplog.text
    assert await place.seen_at_a_glance() == [("tail_missing", 7, 9)]
    assert await place.found() == [("tail_missing", 7, 9)]


async def test_who_was_further_leaves_a_gap_that_everybody_sees(place: Process) -> None:
    await put_back(place, HEAD, CHECKED, VERDICT)
    await place.node.append(place.intent("usr_later"))
    assert [row["_id"] for row in await place.rows()] == [1, 2, 3, 4, 5, 6, 10]
    assert await place.restarted().found() == [("missing", 7, 9)]


async def test_signed_anew_by_who_has_the_key_it_goes_on_from_there(place: Process) -> None:
    await put_back(place, HEAD, CHECKED, VERDICT)
    place.clock.advance(60)
    console = place.restarted()
    await console.check.sign_anew()
    assert await place.found() == []
    await place.node.append(place.intent("usr_later"))
    assert [row["_id"] for row in await place.rows()] == [1, 2, 3, 4, 5, 6, 7]
    assert await place.found() == []
    await put_back(place, HEAD, CHECKED, VERDICT, first=1)  # the mark is of before, and excuses nothing later
    assert await place.found() == [("tail_missing", 9, 11)]


async def test_a_process_that_looks_remembers_what_others_wrote(place: Process) -> None:
    other = place.restarted()
    await place.filled(4)
    await other.witness.look()
    await AuditRecord.rows().delete_many({"_id": {"$gt": 2}})
    row = await AuditRecord.find_at(2)
    assert row is not None
    mark = place.chain.mark(HEAD, other.witness.place.__class__(2, row["hash"]), place.clock.now())
    await AuditMark.put(HEAD, mark)  # as if it were a copy of then
    assert await other.found() == [("tail_missing", 3, 4)]


async def test_a_log_that_was_cut_off_and_grew_again_is_found(place: Process, caplog: pytest.LogCaptureFixture) -> None:
    other = place.restarted()
    await put_back(place, HEAD, CHECKED, VERDICT)
    for number in range(4):
        await other.node.append(place.intent(f"usr_else_{number}"))
    assert [row["_id"] for row in await place.rows()] == list(range(1, 11))
    await place.witness.look()
    assert "verify-audit --head 9:" in caplog.text
    await place.node.append(place.intent("usr_later"))
    assert await place.seen_at_a_glance() == [("tail_differs", 9, 9)]
    assert await place.found() == [("tail_differs", 9, 9)]
    place.clock.advance(60)
    await place.restarted().check.sign_anew()
    assert await place.found() == []


async def test_who_writes_into_a_log_that_grew_again_finds_it(place: Process) -> None:
    other = place.restarted()
    await put_back(place, HEAD, CHECKED, VERDICT)
    for number in range(4):
        await other.node.append(place.intent(f"usr_else_{number}"))
    await place.node.append(place.intent("usr_later"))
    assert [row["_id"] for row in await place.rows()] == list(range(1, 12))
    assert await place.found() == [("tail_differs", 9, 9)]


async def test_a_head_that_stayed_behind_is_no_alarm_and_follows_when_the_record_is_brought_again(
    place: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def killed(*_: object) -> None:
        raise ConnectionError("killed")

    await place.filled(2)
    intent = place.intent()
    with monkeypatch.context() as broken:
        broken.setattr(AuditMark, "move", killed)
        with pytest.raises(ConnectionError):
            await place.node.append(intent)
    assert await place.restarted().found() == []  # and *checked* is ahead of the head
    await place.witness.look()
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]
    await place.restarted().node.append(intent)
    head = await AuditMark.find_mark(HEAD)
    assert head is not None
    assert (head["seq"], head["hash"]) == (3, (await place.rows())[-1]["hash"])


@pytest.fixture
def log_at(settings: Settings) -> Iterator[Callable[[str], io.StringIO]]:
    """The log of a process with this LOG_LEVEL, as it is set up."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def set_up(wanted: str) -> io.StringIO:
        stream = io.StringIO()
        set_up_logging(settings.model_copy(update={"log_level": wanted}), stream)
        return stream

    yield set_up
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
async def test_where_the_log_ends_is_logged_whatever_the_level(
    place: Process, log_at: Callable[[str], io.StringIO], level: str
) -> None:
    stream = log_at(level)
    await place.filled(2)
    await place.witness.look()
    await place.witness.look()  # nothing has moved
    await place.check.check()
    assert stream.getvalue().count("the audit log goes up to 2:") == 2


# --- marks that are none ---

NONSENSE: dict[str, Row] = {
    "nothing": {},
    "texts": {"seq": "x", "hash": 7, "at": "yesterday", "key_id": "k", "signature": "s"},
    "a place between": {"seq": 2.5, "hash": "0" * 64, "at": None},
    "lists": {"seq": [1], "hash": [], "at": [], "key_id": [], "signature": {}, "verdict": [1]},
    "our key, other signs": {
        "seq": 2,
        "hash": "é",
        "at": 5,
        "key_id": AuditChain(Keyring(KEY)).key_id,
        "signature": "é",
    },
}


@pytest.mark.parametrize("name", [HEAD, CUT, CHECKED, ANEW, KNOWN, VERDICT])
async def test_a_mark_that_is_none_is_found_and_stands_in_nobodys_way(place: Process, name: str) -> None:
    expected = {HEAD: {"head_forged"}, CUT: {"cut_forged"}}.get(name, set())
    for count, (words, nonsense) in enumerate(NONSENSE.items(), start=1):
        await place.filled(1)
        await AuditMark.rows().replace_one({"_id": name}, {"_id": name, **nonsense}, upsert=True)
        await place.node.append(place.intent("usr_later"))
        await place.restarted().witness.look()
        await place.check.cut(place.clock.now() - timedelta(days=730), limit=10)
        await place.check.renew_marks()
        await place.seen_at_a_glance()
        assert {kind for kind, _, _ in await place.found()} >= expected, words
        assert len(await place.rows()) == 2 * count
        await AuditMark.rows().delete_one({"_id": name})
        await place.check.sign_anew()
        assert await place.found() == []


# --- reasons ---


async def account(place: Process, user_id: str, role: str = "student") -> str:
    """Somebody who has an account; their id."""
    address, now = f"{user_id}@example.org", place.clock.now()
    row: Row = {"email": address, "email_key": address, "full_name": "Zenobia", "role": role, "is_active": True}
    more: Row = {"password_hash": "x", "permissions": [], "created_at": now, "updated_at": now}
    await User.rows().insert_one({"_id": user_id, **row, **more})
    return user_id


async def with_reason(place: Process) -> str:
    """A record with a reason, of somebody who has an account; its `event_id`."""
    await account(place, "usr_zenobia")
    await place.filled(2)
    await place.node.append(place.intent(reason=REASON))
    return str((await place.rows())[-1]["event_id"])


async def reworded(event_id: str) -> None:
    await AuditReason.rows().update_one({"_id": event_id}, {"$set": {"text": "asked me to"}})


async def of_another(event_id: str) -> None:
    await AuditReason.rows().update_one({"_id": event_id}, {"$set": {"person_id": "usr_1"}})


async def of_nobody(event_id: str) -> None:
    await AuditReason.rows().update_one({"_id": event_id}, {"$unset": {"person_id": "", "text": ""}})


async def without_its_salt(event_id: str) -> None:
    await reworded(event_id)
    await AuditSalt.forget("usr_zenobia")


@pytest.mark.parametrize("harm", [reworded, of_another, of_nobody, without_its_salt])
async def test_a_reason_that_was_rewritten_is_found_and_not_shown(
    place: Process, harm: Callable[[str], Awaitable[None]]
) -> None:
    event_id = await with_reason(place)
    log = AuditLog(check=place.check)
    assert [one.reason for one in (await log.list(ADMIN, AuditQuery())).items] == [REASON, None, None]
    assert await place.found() == []
    await harm(event_id)
    assert await place.seen_at_a_glance() == [("reason_changed", 3, 3)]
    assert await place.found() == [("reason_changed", 3, 3)]
    assert {one.reason for one in (await log.list(ADMIN, AuditQuery())).items} == {None}


@pytest.mark.parametrize("is_salt_gone", [False, True])
async def test_a_reason_that_was_taken_away_is_missed_until_its_time_is_over(
    place: Process, *, is_salt_gone: bool
) -> None:
    event_id = await with_reason(place)
    assert await place.found() == []
    await AuditReason.rows().delete_one({"_id": event_id})
    if is_salt_gone:
        await AuditSalt.forget("usr_zenobia")
    assert await place.found() == [("reason_missing", 3, 3)]
    place.clock.advance(timedelta(days=729).total_seconds())
    assert await place.found() == []


@pytest.mark.parametrize("moment", ["erasing_at", "erased_at"])
async def test_of_who_is_erased_no_reason_is_missed(place: Process, moment: str) -> None:
    await with_reason(place)
    await AuditReason.forget_of("usr_zenobia")
    await User.rows().update_one({"_id": "usr_zenobia"}, {"$set": {moment: place.clock.now()}})
    assert await place.found() == []
    await place.node.forget_person("usr_zenobia")
    assert await place.found() == []


async def test_a_reason_by_a_key_that_is_not_known_any_more_is_believed(place: Process) -> None:
    await with_reason(place)
    rotated = AuditChain(Keyring("a newer key", (KEY,)))
    check = AuditCheck(clock=place.clock, chain=rotated)
    assert told(await check.check()) == []
    await check.renew_marks()
    later = AuditCheck(clock=place.clock, chain=AuditChain(Keyring("a newer key")))
    assert told(await later.check()) == []


# --- one at a time, and whom it is told ---


async def test_however_many_ask_the_log_is_followed_twice_at_most(
    place: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.filled(3)
    followed, follow = 0, AuditCheck._follow

    async def counted(self: AuditCheck, walk: Any) -> int:
        nonlocal followed
        followed += 1
        await asyncio.sleep(0)
        return await follow(self, walk)

    monkeypatch.setattr(AuditCheck, "_follow", counted)
    verdicts = await asyncio.gather(*(place.check.check() for _ in range(20)))
    assert followed == 2
    assert all(verdict.is_whole and verdict.last_seq == 3 for verdict in verdicts)
    await place.check.check()
    assert followed == 3


async def test_who_may_look_at_the_log_is_told_of_its_end_once_and_of_damage_each_night(
    place: Process, settings: Settings
) -> None:
    ada = await account(place, "usr_ada", "admin")
    await account(place, "usr_sara")
    jobs = Jobs(clock=place.clock, wake_ups=memory_bus(place.clock).wake_ups)
    telling = AuditTelling(settings=settings, clock=place.clock, jobs=jobs)

    async def mails() -> list[tuple[str, str, str]]:
        rows = [row["args"] async for row in Job.rows().find({"task": "mail.send"}).sort("created_at", 1)]
        shown = [AuditChecked.model_validate(args["data"]) for args in rows]
        return [(args["template"], args["user_id"], one.place) for args, one in zip(rows, shown, strict=True)]

    await telling.tell(await place.check.check())  # nothing is recorded yet
    assert await mails() == []
    await place.filled(2)
    whole = await place.check.check()
    for _ in range(3):
        await telling.tell(whole)
    assert await mails() == [("audit_checked", ada, f"2:{whole.last_hash}")]
    quiet = settings.model_copy(update={"audit_mails": False})
    await place.filled(1)
    await AuditTelling(settings=quiet, clock=place.clock, jobs=jobs).tell(await place.check.check())
    assert len(await mails()) == 1
    place.clock.advance(1)
    await AuditRecord.rows().delete_one({"_id": 2})
    for _ in range(2):
        damaged = await place.check.check()
        await AuditTelling(settings=quiet, clock=place.clock, jobs=jobs).tell(damaged)
        place.clock.advance(86_400)
    assert [template for template, _, _ in await mails()] == ["audit_checked", "audit_damaged", "audit_damaged"]


# --- looking for records ---


def test_each_way_of_asking_has_an_index_that_begins_with_it() -> None:
    asked = set(AuditQuery.model_fields) - set(CursorQuery.model_fields) - {"since", "until"}
    assert asked == set(FILTERS)
    first = {next(iter(index.document["key"])) for index in AuditRecord.Settings.indexes}
    assert first >= asked | {"at"}
