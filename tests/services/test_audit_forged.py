"""The audit log against whoever can write to the database and has no key: what they put in or make old is found, and stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from documents.audit_record import AuditRecord
from documents.base import Row
from documents.enums import Role
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.audit import AuditQuery
from lms_rt.security.audit_chain import AuditChain, record_hash
from lms_rt.security.keyring import Keyring
from lms_rt.security.permissions import permissions_of
from lms_rt.services.audit import Audit
from lms_rt.services.audit_check import AuditCheck
from lms_rt.services.audit_views import AuditLog
from tests.services.test_audit import KEY, Place, aged, told

pytestmark = pytest.mark.usefixtures("database")

FORGED = {"event_id": "aud_forged", "action": "user.erase", "target_id": "usr_forged", "key_id": "0" * 12}


@pytest.fixture
def place() -> Place:
    return Place()


async def put_in(after: Row, **members: Any) -> None:
    """A record by whoever can write to the database, who says that a forgotten key has signed it."""
    row = {**after, "_id": after["_id"] + 1, "previous_hash": after["hash"], "signature": "x", **FORGED, **members}
    await AuditRecord.rows().insert_one({**row, "hash": record_hash(row)})


@pytest.mark.parametrize("is_followed", [False, True], ids=["the last", "with one of ours behind it"])
async def test_a_record_by_a_key_that_nobody_knows_is_forged(place: Place, *, is_followed: bool) -> None:
    await place.filled(3)
    assert await place.found() == []
    await put_in((await place.rows())[-1])
    if is_followed:
        await place.another().append(place.intent("usr_later"))
    found = await place.found()
    assert ("forged", 4, 4) in found
    assert ("forged", 4, 4) in await place.seen_at_a_glance()
    if is_followed:  # which was not made to follow it
        assert found == [("forged", 4, 4), ("unlinked", 5, 5)]
        assert [row["target_id"] for row in await place.rows()][3:] == ["usr_forged", "usr_later"]


async def test_what_was_tried_by_a_forgotten_key_holds_and_nothing_behind_it(place: Place) -> None:
    """Whoever knows the newer key alone believes what was followed while the former one was known, and no more."""
    await place.filled(2)
    rotated = AuditChain(Keyring("a newer key", (KEY,)))
    check = AuditCheck(clock=place.clock, chain=rotated)
    assert told(await check.check()) == []
    await place.another().append(place.intent("usr_by_the_former_key"))
    await check.renew_marks()
    without_former = AuditCheck(clock=place.clock, chain=AuditChain(Keyring("a newer key")))
    assert told(await without_former.check()) == [("forged", 3, 3)]
    await without_former.sign_anew()
    assert told(await without_former.check()) == []


# --- retention ---


async def made_old(before: Any, upto: int, *, is_hashed: bool) -> None:
    """Records that say that they are older than they are; hashed anew, one behind the other, or as they were."""
    previous = "0" * 64
    for seq in range(1, upto + 1):
        row = await AuditRecord.find_at(seq)
        assert row is not None
        row |= {"at": before - timedelta(days=1), "previous_hash": previous}
        previous = record_hash(row) if is_hashed else row["hash"]
        await AuditRecord.rows().replace_one({"_id": seq}, {**row, "hash": previous})


@pytest.mark.parametrize("is_hashed", [False, True], ids=["as they were", "hashed anew"])
async def test_what_was_made_old_is_not_taken_away(
    place: Place, caplog: pytest.LogCaptureFixture, *, is_hashed: bool
) -> None:
    await place.filled(8)
    before = place.clock.now() - timedelta(days=730)
    await made_old(before, 5, is_hashed=is_hashed)
    assert await place.check.cut(before, limit=100) == 0
    assert len(await place.rows()) == 8
    assert "stay" in caplog.text
    assert await place.found() != []


async def test_what_was_made_old_goes_with_what_is(place: Place) -> None:
    """In front of one that holds and is too old, everything is: what was changed keeps nothing for ever."""
    before = await aged(place, 4, 3)
    await made_old(before - timedelta(days=400), 2, is_hashed=False)
    await AuditRecord.rows().delete_one({"_id": 3})
    assert await place.check.cut(before, limit=100) == 3
    assert [row["_id"] for row in await place.rows()] == [5, 6, 7]
    assert await place.found() == []


async def test_records_by_a_forgotten_key_go_when_the_chain_leads_on(place: Place) -> None:
    before = await aged(place, 4, 2)
    rotated = AuditChain(Keyring("a newer key", (KEY,)))
    await Audit(clock=place.clock, chain=rotated).append(place.intent("usr_later"))
    assert told(await AuditCheck(clock=place.clock, chain=rotated).check()) == []
    later = AuditCheck(clock=place.clock, chain=AuditChain(Keyring("a newer key")))
    kept = await AuditRecord.find_at(5)
    assert kept is not None
    await AuditRecord.rows().update_one({"_id": 5}, {"$set": {"previous_hash": "1" * 64}})
    assert await later.cut(before, limit=100) == 0
    await AuditRecord.rows().replace_one({"_id": 5}, kept)
    assert await later.cut(before, limit=2) == 2
    assert await later.cut(before, limit=100) == 2
    assert told(await later.check()) == []


# --- what is no record at all ---

NO_RECORDS: dict[str, tuple[Row, tuple[str, int, int]]] = {
    "a text for a place": ({"_id": "x"}, ("forged", 0, 0)),
    "the highest place there can be": ({"_id": 2**63 - 1, "event_id": "aud_x"}, ("forged", 0, 0)),
    "a place far away": ({"_id": 2**52, "event_id": "aud_x"}, ("changed", 2**52, 2**52)),
    "a place between two": ({"_id": 2.5, "event_id": "aud_x", "at": None}, ("changed", 2, 2)),
    "the next place, and nothing else": ({"_id": 4}, ("changed", 4, 4)),
    "a signature of other signs": (
        {"_id": 4, "key_id": AuditChain(Keyring(KEY)).key_id, "signature": "é"},
        ("changed", 4, 4),
    ),
}


@pytest.mark.parametrize("put", NO_RECORDS)
async def test_what_is_no_record_is_found_and_stands_in_nobodys_way(place: Place, put: str) -> None:
    row, wanted = NO_RECORDS[put]
    await place.filled(3)
    await AuditRecord.rows().insert_one(dict(row))
    await place.another().append(place.intent("usr_later"))
    assert wanted in await place.found()
    await place.check.glance()
    await place.check.cut(place.clock.now(), limit=100)
    log = AuditLog(check=place.check)
    admin = Actor("usr_ada", Role.ADMIN, permissions_of(Role.ADMIN, []))
    shown = (await log.list(admin, AuditQuery())).items
    assert "usr_later" in [one.target_id for one in shown]
