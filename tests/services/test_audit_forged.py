"""The audit log against whoever can write to the database and has no key: what they put in or make old is found, and stays."""

from __future__ import annotations

from typing import Any

import pytest

from documents.audit_record import AuditRecord
from documents.base import Row
from lms_rt.security.audit_chain import AuditChain, record_hash
from lms_rt.security.keyring import Keyring
from lms_rt.services.audit_check import AuditCheck
from tests.services.test_audit import KEY, Place, told

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
