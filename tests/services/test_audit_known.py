"""The audit log after damage was looked into: what is signed anew, and whom what is left alarms. And what need not be."""

from __future__ import annotations

from typing import Any

import pytest

from config.settings import Settings
from documents.audit_beside import CHECKED, KNOWN, AuditMark
from documents.audit_record import AuditRecord
from documents.job import Job
from documents.user import User
from lms_rt.bus.memory import memory_bus
from lms_rt.services.audit_telling import AuditTelling
from lms_rt.services.jobs import Jobs
from tests.services.test_audit_witness import Process, account

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def place() -> Process:
    return Process()


async def test_what_was_looked_into_alarms_nobody_and_new_damage_does(place: Process, settings: Settings) -> None:
    await account(place, "usr_ada", "admin")
    telling = AuditTelling(
        settings=settings, clock=place.clock, jobs=Jobs(clock=place.clock, wake_ups=memory_bus(place.clock).wake_ups)
    )

    async def told_tonight() -> set[str]:
        place.clock.advance(86_400)
        await Job.rows().delete_many({})
        await telling.tell(await place.check.check())
        return {row["args"]["template"] async for row in Job.rows().find({"task": "mail.send"})}

    await place.filled(6)
    await AuditRecord.rows().delete_one({"_id": 3})
    assert await told_tonight() == {"audit_damaged"}
    await place.check.sign_anew()
    await place.filled(1)
    assert await told_tonight() == {"audit_checked"}
    assert await place.found() == [("missing", 3, 3)]
    assert await place.witness._signed_place(CHECKED) == place.witness.place
    await AuditMark.rows().update_one(
        {"_id": KNOWN}, {"$push": {"verdict.findings": {"kind": "missing", "first_seq": 5, "last_seq": 5}}}
    )
    assert await told_tonight() == {"audit_damaged"}  # somebody else has added to the list
    await place.check.sign_anew()
    await AuditRecord.rows().delete_one({"_id": 5})
    assert await told_tonight() == {"audit_damaged"}


async def test_signing_anew_does_not_sign_what_somebody_else_has_put_behind_the_end(place: Process) -> None:
    await place.filled(3)
    await AuditRecord.rows().insert_one({"_id": 2**53 - 1, "event_id": "aud_x", "hash": "x"})
    await place.check.sign_anew()
    await place.restarted().node.append(place.intent("usr_later"))
    assert [row["_id"] for row in await place.rows()] == [1, 2, 3, 4, 2**53 - 1]
    assert ("changed", 2**53 - 1, 2**53 - 1) in await place.found()
    await AuditRecord.rows().delete_one({"_id": 2**53 - 1})
    assert await place.found() == []


async def test_a_page_of_reasons_that_are_gone_costs_one_look_at_their_people(
    place: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        erased = await account(place, f"usr_{number}")
        await place.node.append(place.intent(erased, reason="asked by telephone"))
        await place.node.forget_person(erased)
    await User.rows().update_many({}, {"$set": {"erased_at": place.clock.now()}})
    looks, rows = 0, User.rows

    def counted() -> Any:
        nonlocal looks
        looks += 1
        return rows()

    monkeypatch.setattr(User, "rows", counted)
    assert await place.found() == []
    assert looks == 1
