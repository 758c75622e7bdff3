"""One writer, many screens: who holds the lease of an attempt, and what sync tells who comes back."""

from __future__ import annotations

import asyncio

from lms_rt.bus.base import Member
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import (
    HandedOutView,
    SyncDraft,
)
from lms_rt.contracts.channels import attempt_channel
from lms_rt.errors import Code
from lms_rt.services.leases import Device
from tests.services.exam import Exam, refused, submitted


async def test_a_second_device_reads_until_it_takes_over(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    phone = await exam.attempts.resume(student, attempt.id, Device("phone"))
    assert (phone.lease, phone.writer.is_me, phone.writer.device_id) == (None, False, "laptop")
    phone = await exam.attempts.take_over(student, attempt.id, Device("phone"))
    assert phone.writer.is_me
    assert (await refused(exam.save(student, attempt, "b"))).code is Code.NOT_WRITER
    assert (await exam.save(student, phone, "b")).revision == 1
    (told,) = await exam.events(attempt, "writer_changed")
    assert told.event.data == {"device_id": "phone"}


async def test_a_reload_goes_on_by_its_lease_and_a_duplicate_turns_the_first_tab_read_only(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    reloaded = await exam.attempts.resume(student, attempt.id, Device("laptop-2", lease=attempt.lease))
    assert reloaded.lease
    assert (await refused(exam.save(student, attempt, "b"))).code is Code.NOT_WRITER
    old = await exam.attempts.resume(student, attempt.id, Device("laptop-3", lease=attempt.lease))
    assert old.lease is None


async def test_an_idle_writer_without_a_connection_gives_way_after_15_s(
    exam: Exam, student: Actor, attempt: HandedOutView
) -> None:
    exam.clock.advance(14.999)
    assert (await exam.attempts.resume(student, attempt.id, Device("phone"))).lease is None
    exam.clock.advance(0.001)
    assert (await exam.attempts.resume(student, attempt.id, Device("phone"))).lease is not None


async def test_a_connected_writer_gives_way_only_to_a_take_over(exam: Exam, student: Actor) -> None:
    quiz_id = await exam.quiz()
    device = Device("laptop", connection_id="con_1")
    attempt, _ = await exam.attempts.start(student, quiz_id, device)
    channel = attempt_channel(attempt.id)
    await exam.bus.presence.join(channel, Member("con_1", student.user_id))
    exam.clock.advance(20)
    await exam.bus.presence.renew([(channel, "con_1")])
    exam.clock.advance(20)
    assert (await exam.attempts.resume(student, attempt.id, Device("phone"))).lease is None
    await exam.bus.presence.leave([(channel, "con_1")])
    assert (await exam.attempts.resume(student, attempt.id, Device("phone"))).lease is not None


async def test_of_many_resumes_at_once_one_holds_the_lease(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    exam.clock.advance(20)
    views = await asyncio.gather(
        *(exam.node().resume(student, attempt.id, Device(f"tab-{number}")) for number in range(6))
    )
    stored = (await exam.stored(attempt.id))["writer"]["lease"]
    assert [view.lease for view in views if view.lease is not None] == [stored]


async def test_a_closed_attempt_gives_no_lease(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.attempts.submit(student, attempt.id, submitted())
    for ask in (exam.attempts.resume, exam.attempts.take_over):
        view = await ask(student, attempt.id, Device("laptop"))
        assert (view.lease, view.status, view.remaining_ms) == (None, "graded", 0)


async def test_sync_tells_what_is_missing(exam: Exam, student: Actor, attempt: HandedOutView) -> None:
    await exam.save(student, attempt, "b", op_id="here")
    asked = SyncDraft(have=["here", "lost", "lost"], device_id=None, lease=attempt.lease)
    view = await exam.attempts.sync(student, attempt.id, asked)
    assert (view.missing, view.revision, view.writer.is_me) == (["lost"], 1, True)
    assert view.answers[exam.question_ids[0]].op_id == "here"
    many = SyncDraft(have=["here", *(f"op{number}" for number in range(300))])
    assert "here" not in (await exam.attempts.sync(student, attempt.id, many)).missing
