"""The audit log against real stores: one chain whoever writes, nothing of a person in it, and damage of every kind told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from documents.audit_beside import CUT, HEAD, AuditMark, AuditReason, AuditSalt
from documents.audit_record import AuditRecord
from documents.base import Row
from documents.course import Course
from documents.enums import Role
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.audit import AuditVerdict
from lms_rt.contracts.base import encode
from lms_rt.contracts.outbox import Intent, Write, audit
from lms_rt.security.audit_chain import AuditChain, Link, record_hash
from lms_rt.security.keyring import Keyring
from lms_rt.services import audit_check
from lms_rt.services.audit import Audit
from lms_rt.services.audit_check import AuditCheck
from tests.services.relaying import relay_over

pytestmark = pytest.mark.usefixtures("database")

ADMIN = Actor("usr_ada", Role.ADMIN)
NAME = "Zenobia Quartz"
REASON = "Zenobia asked by telephone"
KEY = "the key of this school"


class Place:
    """Nodes that write into one log, and who checks it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.chain = AuditChain(Keyring(KEY))
        self.check = AuditCheck(clock=self.clock, chain=self.chain)
        self.node = self.another()

    def another(self) -> Audit:
        return Audit(clock=self.clock, chain=self.chain)

    def intent(self, target_id: str = "usr_zenobia", **act: Any) -> Intent:
        write = Write(2, self.clock.now())
        return audit(write, ADMIN, "user.change", kind="user", target_id=target_id, **act)

    async def filled(self, count: int = 8) -> None:
        for number in range(count):
            await self.node.append(self.intent(f"usr_{number}", after={"role": "admin"}))

    async def rows(self) -> list[Row]:
        return await AuditRecord.find_stretch(after=0, limit=10_000)

    async def found(self, noted: Link | None = None) -> list[tuple[str, int, int]]:
        return told(await self.check.check(noted))

    async def seen_at_a_glance(self) -> list[tuple[str, int, int]]:
        return told(await self.check.glance())


def told(verdict: Any) -> list[tuple[str, int, int]]:
    return [(one.kind, one.first_seq, one.last_seq) for one in verdict.findings]


@pytest.fixture
def place() -> Place:
    return Place()


# --- writing ---


async def test_a_record_holds_ids_and_hashes_and_nothing_of_a_person(place: Place) -> None:
    change: dict[str, Any] = {"before": {"full_name": NAME}, "after": {"full_name": "Else"}, "reason": REASON}
    await place.node.append(place.intent(**change))
    (row,) = await place.rows()
    assert (row["_id"], row["actor_id"], row["action"], row["target_id"]) == (
        1,
        "usr_ada",
        "user.change",
        "usr_zenobia",
    )
    assert [name for name, _ in row["before"]] == ["full_name"]
    assert NAME not in str(row)
    assert REASON not in str(row)
    assert row["reason_hash"]
    kept = await AuditReason.rows_of([row["event_id"]])
    assert {one: reason["text"] for one, reason in kept.items()} == {row["event_id"]: REASON}


async def test_the_same_intent_is_one_record(place: Place) -> None:
    intent = place.intent(reason="Once")
    await asyncio.gather(*(node.append(intent) for node in (place.node, place.another(), place.node)))
    await place.another().append(intent)
    assert len(await place.rows()) == 1
    assert await place.found() == []


async def test_nodes_that_write_at_once_make_one_chain(place: Place) -> None:
    nodes = [place.node, place.another(), place.another()]
    intents = [place.intent(f"usr_{number}") for number in range(60)]
    await asyncio.gather(*(nodes[n % 3].append(intent) for n, intent in enumerate(intents)))
    rows = await place.rows()
    assert [row["_id"] for row in rows] == list(range(1, 61))
    assert {row["event_id"] for row in rows} == {intent["id"] for intent in intents}
    assert await place.found() == []
    head = await AuditMark.find_mark(HEAD)
    assert head is not None
    assert (head["seq"], head["hash"]) == (60, rows[-1]["hash"])


async def test_a_crash_before_the_head_was_moved_is_no_damage(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.filled(2)

    async def killed(*_: object) -> None:
        raise ConnectionError("killed")

    intent = place.intent()
    with monkeypatch.context() as broken:
        broken.setattr(Audit, "_move_head", killed)
        with pytest.raises(ConnectionError):
            await place.node.append(intent)
    assert await place.found() == []
    await place.another().append(intent)  # the relay brings it again
    await place.filled(1)
    assert [row["_id"] for row in await place.rows()] == [1, 2, 3, 4]
    assert await place.found() == []


async def test_erasing_a_person_breaks_no_chain_and_leaves_no_guess(place: Place) -> None:
    intent = place.intent(after={"role": "admin"}, reason=REASON)
    await place.node.append(intent)
    await place.node.append(place.intent(after={"role": "admin"}))
    first, second = await place.rows()
    assert first["after"] == second["after"]  # equal values of one person
    await place.node.forget_person("usr_zenobia")
    assert await AuditReason.rows().count_documents({}) == 0
    assert await AuditSalt.rows().count_documents({}) == 0
    assert await place.found() == []
    await place.node.append(place.intent(after={"role": "admin"}))
    assert (await place.rows())[2]["after"] != first["after"]  # whoever knows the key alone cannot try values any more


async def test_of_nothing_about_values_no_salt_is_kept(place: Place) -> None:
    await place.node.append(place.intent())
    assert await AuditSalt.rows().count_documents({}) == 0


async def test_records_of_one_aggregate_keep_their_order_whatever_fails(place: Place) -> None:
    """The second waits in the outbox for the first, and both leave when the log can be written again."""
    refused = [True]

    async def append(intent: Row) -> None:
        if refused and intent["data"]["reason"] == "first":
            refused.pop()
            raise ConnectionError("the database is away")
        await place.node.append(intent)

    relay = relay_over(memory_bus(place.clock).fan_out, place.clock, [Course])
    relay.register_audit(append)
    intents = [place.intent(reason=reason) for reason in ("first", "second")]
    await Course.rows().insert_one({"_id": "crs_1", "slug": "one", "outbox": intents, "outbox_at": place.clock.now()})
    await relay.hand_over(Course, "crs_1")
    assert await place.rows() == []
    await relay.hand_over(Course, "crs_1")
    assert [row["event_id"] for row in await place.rows()] == [intent["id"] for intent in intents]
    row = await Course.find_outbox("crs_1")
    assert row is not None
    assert (row["outbox"], "outbox_at" in row) == ([], False)


# --- damage ---


async def changed_field() -> None:
    await AuditRecord.rows().update_one({"_id": 4}, {"$set": {"actor_id": "usr_nobody"}})


async def made_to_fit() -> None:
    row = await AuditRecord.find_at(4)
    assert row is not None
    row["target_id"] = "usr_nobody"
    await AuditRecord.rows().update_one({"_id": 4}, {"$set": {"target_id": "usr_nobody", "hash": record_hash(row)}})


async def removed() -> None:
    await AuditRecord.rows().delete_many({"_id": {"$in": [3, 4]}})


async def tail_cut() -> None:
    await AuditRecord.rows().delete_many({"_id": {"$gte": 7}})


async def front_cut() -> None:
    await AuditRecord.rows().delete_many({"_id": {"$lte": 2}})


async def all_gone() -> None:
    await AuditRecord.rows().delete_many({})


async def head_gone() -> None:
    await AuditMark.rows().delete_one({"_id": HEAD})


async def head_set_back() -> None:
    """With the tail cut, so that it would fit, but for the signature."""
    row = await AuditRecord.find_at(6)
    assert row is not None
    await AuditMark.rows().update_one({"_id": HEAD}, {"$set": {"seq": 6, "hash": row["hash"]}})
    await tail_cut()


async def cut_pretended() -> None:
    """The old end taken away with a mark of one's own."""
    row = await AuditRecord.find_at(2)
    assert row is not None
    await AuditMark.begin(CUT, AuditChain(Keyring("stolen")).mark(CUT, Link(2, row["hash"]), row["at"]))
    await front_cut()


DAMAGE: dict[str, tuple[Callable[[], Awaitable[None]], list[tuple[str, int, int]]]] = {
    "a field is changed": (changed_field, [("changed", 4, 4)]),
    "a record is rewritten": (made_to_fit, [("forged", 4, 4), ("unlinked", 5, 5)]),
    "records are removed": (removed, [("missing", 3, 4)]),
    "the new end is cut off": (tail_cut, [("tail_missing", 7, 8)]),
    "the old end is cut off": (front_cut, [("front_missing", 1, 2)]),
    "everything is removed": (all_gone, [("tail_missing", 1, 8)]),
    "the head is removed": (head_gone, [("head_missing", 8, 8)]),
    "the head is set back": (head_set_back, [("head_forged", 6, 6), ("tail_missing", 7, 8)]),
    "retention is pretended": (cut_pretended, [("cut_forged", 2, 2)]),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_damage_is_told_apart(place: Place, damage: str) -> None:
    harm, expected = DAMAGE[damage]
    await place.filled(8)
    assert await place.found() == []
    await harm()
    if damage != "the old end is cut off":  # only the whole walk knows where it began
        assert await place.seen_at_a_glance() == expected
    assert await place.found() == expected
    assert await place.seen_at_a_glance() == expected  # the verdict is kept


@pytest.mark.parametrize("damage", ["the new end is cut off", "everything is removed", "the head is removed"])
async def test_who_writes_on_hides_no_damage(place: Place, damage: str) -> None:
    """Places that were given are not given again, and a head that is gone is not made anew."""
    harm, expected = DAMAGE[damage]
    await place.filled(8)
    await harm()
    await place.another().append(place.intent("usr_later"))
    found = await place.found()
    if damage == "the head is removed":
        assert found == [("head_missing", 9, 9)]
    else:
        kind = "front_missing" if damage == "everything is removed" else "missing"
        assert found == [(kind, expected[0][1], 8)]
        assert (await place.rows())[-1]["_id"] == 9


async def test_what_was_noted_elsewhere_is_compared(place: Place) -> None:
    """Against whoever takes both back, the log and its head, to a state of before."""
    await place.filled(4)
    noted = await place.check.check()
    place_noted = Link(noted.last_seq, noted.last_hash)
    assert await place.found(place_noted) == []
    assert await place.found(Link(4, "0" * 64)) == [("tail_differs", 4, 4)]
    assert await place.found(Link(6, "0" * 64)) == [("tail_missing", 5, 6)]


async def test_after_damage_was_looked_into_the_head_is_signed_anew(place: Place) -> None:
    await place.filled(3)
    await head_gone()
    await place.check.sign_anew()
    assert await place.found() == []
    await place.filled(1)
    head = await AuditMark.find_mark(HEAD)
    assert head is not None
    assert head["seq"] == 4


async def test_a_new_key_signs_what_the_former_one_has_signed(place: Place) -> None:
    await place.filled(2)
    rotated = AuditChain(Keyring("a newer key", (KEY,)))
    check = AuditCheck(clock=place.clock, chain=rotated)
    assert told(await check.check()) == []
    await check.renew_marks()
    without_former = AuditCheck(clock=place.clock, chain=AuditChain(Keyring("a newer key")))
    assert told(await without_former.check()) == []
    await Audit(clock=place.clock, chain=rotated).append(place.intent())
    assert told(await without_former.check()) == []


# --- retention ---


async def aged(place: Place, old: int, young: int) -> Any:
    """Some records from long ago and some of today; the moment between them."""
    await place.filled(old)
    place.clock.advance(timedelta(days=800).total_seconds())
    await place.filled(young)
    return place.clock.now() - timedelta(days=730)


async def test_what_is_too_old_goes_behind_a_mark_and_nothing_is_amiss(place: Place) -> None:
    before = await aged(place, 5, 3)
    assert await place.check.cut(before, limit=2) == 2
    assert await place.check.cut(before, limit=100) == 3
    assert await place.check.cut(before, limit=100) == 0
    verdict = await place.check.check()
    assert (told(verdict), verdict.cut_seq, verdict.first_seq, verdict.last_seq) == ([], 5, 6, 8)
    await AuditRecord.rows().delete_one({"_id": 6})
    assert await place.found() == [("front_missing", 6, 6)]


async def test_the_newest_record_stays_however_old(place: Place) -> None:
    before = await aged(place, 4, 0)
    assert await place.check.cut(before, limit=100) == 3
    assert [row["_id"] for row in await place.rows()] == [4]
    await place.filled(1)
    assert [row["_id"] for row in await place.rows()] == [4, 5]
    assert await place.found() == []


async def test_a_cut_that_was_killed_half_way_is_no_damage(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await aged(place, 5, 3)

    async def killed(_seq: int) -> int:
        await AuditRecord.rows().delete_many({"_id": {"$in": [1, 2]}})
        raise ConnectionError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(AuditRecord, "forget_until", killed)
        with pytest.raises(ConnectionError):
            await place.check.cut(before, limit=100)
    assert await place.found() == []
    assert await place.check.cut(before, limit=100) == 3
    assert await place.found() == []


async def test_nothing_is_cut_behind_a_mark_that_is_not_ours(place: Place) -> None:
    before = await aged(place, 5, 3)
    await cut_pretended()
    assert await place.check.cut(before, limit=100) == 0
    assert len(await place.rows()) == 6


# --- looking ---


async def test_an_empty_log_is_whole(place: Place) -> None:
    assert await place.seen_at_a_glance() == []
    verdict = await place.check.check()
    assert (told(verdict), verdict.last_seq) == ([], 0)
    assert AuditVerdict.model_validate_json(encode(verdict)) == verdict


async def test_a_glance_sees_the_newest_alone_until_all_is_followed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_check, "GLANCE", 5)
    await place.filled(10)
    await AuditRecord.rows().update_one({"_id": 3}, {"$set": {"action": "user.create"}})
    assert await place.seen_at_a_glance() == []
    assert await place.found() == [("changed", 3, 3)]
    assert await place.seen_at_a_glance() == [("changed", 3, 3)]
    state = await place.check.glance()
    assert state.whole is not None
    assert (state.whole.first_seq, state.last_seq) == (1, 10)
