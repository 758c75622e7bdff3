"""More time for one student: who has it, from where, what it comes to at a quiz, and that it moves nothing that runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.enums import Role
from lms_rt.clock import FakeClock
from lms_rt.contracts.accommodations import AccommodationDraft, AccommodationQuery, GroupingDraft
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import PageQuery, read_model
from lms_rt.errors import Code, Refused
from lms_rt.security.audit_chain import AuditChain
from lms_rt.security.keyring import Keyring
from lms_rt.services.accommodations import Accommodations
from lms_rt.services.audit import Audit
from lms_rt.services.groups import Groups
from lms_rt.storage.mongo import OpenDatabase
from tests.services.exam import Exam, code_of, person, refused

on_both = pytest.mark.parametrize("engine", ["embedded", pytest.param("real", marks=pytest.mark.real)])


@pytest.fixture
def engine() -> str:
    return "embedded"


class School(Exam):
    """An exam whose teacher grants time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        audit = Audit(clock=self.clock, chain=AuditChain(Keyring("the key of this school")))
        self.accommodations = Accommodations(clock=self.clock, audit=audit)
        self.groups = Groups(clock=self.clock, relay=self.relay, audit=audit)

    async def grant(self, student: Actor, quiz_id: str | None = None, **profile: Any) -> None:
        """In the course, or at one quiz."""
        draft = read_model(AccommodationDraft, {"student_id": student.user_id, **profile})
        if quiz_id is None:
            await self.accommodations.set_in_course(self.teacher, self.course_id, draft)
        else:
            await self.accommodations.set_at_quiz(self.teacher, quiz_id, draft)


@pytest.fixture
async def exam(database: OpenDatabase, settings: Settings) -> School:
    del database
    made = School(settings, FakeClock())
    await made.open_course()
    return made


async def test_a_student_is_told_their_own_minutes_and_why(exam: School, student: Actor) -> None:
    quiz_id, closes = await exam.quiz(closes_at=exam.at(hours=2)), exam.clock.now() + timedelta(hours=2)
    plain = (await exam.quizzes.show(student, quiz_id)).your_time
    assert plain is not None
    assert (plain.limit_seconds, plain.closes_at, plain.accommodation) == (1800, closes, None)
    await exam.grant(student, factor="1.25", extra_minutes=5, break_minutes=10, stretches_closing=True)
    own = (await exam.quizzes.show(student, quiz_id)).your_time
    assert own is not None
    assert own.limit_seconds == 30 * 60 * 5 // 4 + 15 * 60
    assert own.closes_at == closes + timedelta(seconds=own.limit_seconds - 1800)
    shown = own.model_dump(mode="json")["accommodation"]
    assert shown == {
        "source": "course",
        "factor": "1.25",
        "factor_percent": 125,
        "extra_minutes": 5,
        "break_minutes": 10,
        "stretches_closing": True,
    }
    assert (await exam.quizzes.show(exam.teacher, quiz_id)).your_time is None
    other = (await exam.quizzes.show(await exam.student("Other"), quiz_id)).your_time
    assert other == plain


@on_both
async def test_the_quizs_own_profile_holds_instead_of_the_courses(exam: School, student: Actor) -> None:
    first, second = await exam.quiz(), await exam.quiz()
    await exam.grant(student, factor_percent=200)
    await exam.grant(student, first, factor_percent=100, extra_minutes=1)
    at_first, at_second = await exam.begun(student, first), await exam.begun(student, second)
    assert at_first.deadline_at == exam.clock.now() + timedelta(minutes=31)
    assert at_second.deadline_at == exam.clock.now() + timedelta(minutes=60)
    page = await exam.accommodations.list_of_quiz(exam.teacher, first, AccommodationQuery())
    assert sorted((one.source, one.is_in_force) for one in page.items) == [("course", False), ("quiz", True)]
    await exam.accommodations.remove_at_quiz(exam.teacher, first, student.user_id)
    page = await exam.accommodations.list_of_quiz(exam.teacher, first, AccommodationQuery())
    assert [(one.source, one.is_in_force) for one in page.items] == [("course", True)]
    assert await code_of(exam.accommodations.remove_at_quiz(exam.teacher, first, student.user_id)) is Code.NOT_FOUND


async def test_a_changed_profile_moves_nothing_in_an_attempt_that_runs(exam: School, student: Actor) -> None:
    quiz_id = await exam.quiz()
    await exam.grant(student, factor_percent=150)
    attempt = await exam.begun(student, quiz_id)
    await exam.grant(student, factor_percent=300, extra_minutes=30)
    again = await exam.begun(student, quiz_id)
    assert again.deadline_at == attempt.deadline_at == exam.clock.now() + timedelta(minutes=45)
    stored = await exam.stored(attempt.id)
    assert stored["accommodation"]["factor_percent"] == 150
    await exam.accommodations.remove_in_course(exam.teacher, exam.course_id, student.user_id)
    assert (await exam.begun(student, quiz_id)).deadline_at == attempt.deadline_at


async def test_a_stretched_closing_time_lets_its_student_start_later(exam: School, student: Actor) -> None:
    quiz_id, other = await exam.quiz(closes_at=exam.at(minutes=60)), await exam.student("Other")
    await exam.grant(student, factor_percent=200, stretches_closing=True)
    closes = exam.clock.now() + timedelta(minutes=60)
    exam.clock.advance(61 * 60)
    assert (await refused(exam.begun(other, quiz_id))).data["closes_at"] == closes
    attempt = await exam.begun(student, quiz_id)
    assert attempt.deadline_at == closes + timedelta(minutes=30)
    late = await exam.student("Late")
    await exam.grant(late, factor_percent=200, stretches_closing=True)
    exam.clock.advance(29 * 60)
    assert (await refused(exam.begun(late, quiz_id))).data["closes_at"] == closes + timedelta(minutes=30)


async def test_who_may_grant_what(exam: School, student: Actor) -> None:
    quiz_id, stranger = await exam.quiz(), person(Role.INSTRUCTOR, "Other")
    draft = AccommodationDraft(student_id=student.user_id, factor_percent=150)
    accommodations = exam.accommodations
    for somebody in (stranger, student):
        assert await code_of(accommodations.set_in_course(somebody, exam.course_id, draft)) is Code.NOT_FOUND
        assert await code_of(accommodations.set_at_quiz(somebody, quiz_id, draft)) is Code.NOT_FOUND
        assert (
            await code_of(accommodations.list_of_course(somebody, exam.course_id, AccommodationQuery()))
            is Code.NOT_FOUND
        )
    outsider = AccommodationDraft(student_id="usr_nobody")
    assert await code_of(accommodations.set_at_quiz(exam.teacher, quiz_id, outsider)) is Code.VALIDATION_FAILED
    for fault in (
        {"factor": 0.9},
        {"factor_percent": 401},
        {"factor": "1.5", "factor_percent": 125},
        {"extra_minutes": -1},
    ):
        with pytest.raises(Exception, match=r"factor|extra|valid"):
            read_model(AccommodationDraft, {"student_id": student.user_id, **fault})


@pytest.mark.parametrize("factor", [5, "0.99"])
def test_a_factor_out_of_bounds_is_told_in_its_own_measure(factor: object) -> None:
    with pytest.raises(Refused) as refusal:
        read_model(AccommodationDraft, {"student_id": "usr_1", "factor": factor})
    (fault,) = refusal.value.fields
    assert (fault.field, fault.message) == ("factor", "A factor is a number from 1 to 4")


async def test_previews_have_everybodys_time_and_no_closing(exam: School) -> None:
    quiz_id = await exam.quiz(closes_at=exam.at(minutes=10))
    preview = await exam.begun(exam.teacher, quiz_id)
    assert preview.deadline_at == exam.clock.now() + timedelta(minutes=30)


@on_both
async def test_groups_of_a_course(exam: School, student: Actor) -> None:
    other, quiz_id = await exam.student("Other"), await exam.quiz()

    async def counted() -> dict[str | None, int]:
        page = await exam.groups.list(exam.teacher, exam.course_id, PageQuery())
        return {one.group: one.students_count for one in page.items}

    async def put(group: str | None, *students: Actor) -> None:
        draft = GroupingDraft(group=group, student_ids=[one.user_id for one in students])
        await exam.groups.assign(exam.teacher, exam.course_id, draft)

    assert await counted() == {None: 2}
    await put("Room 1", student, other)
    attempt = await exam.begun(student, quiz_id)
    await put("Room 2", student)
    assert await counted() == {"Room 1": 1, "Room 2": 1}
    await put(None, other)
    assert await counted() == {"Room 2": 1, None: 1}
    assert (await exam.stored(attempt.id))["group"] == "Room 1"  # where it began
    nobody = GroupingDraft(group="Room 3", student_ids=[student.user_id, "usr_nobody"])
    fault = await refused(exam.groups.assign(exam.teacher, exam.course_id, nobody))
    assert [one.field for one in fault.fields] == ["student_ids.1"]
    assert await counted() == {"Room 2": 1, None: 1}
    assert await code_of(exam.groups.list(student, exam.course_id, PageQuery())) is Code.NOT_FOUND


async def test_a_window_in_the_night_when_the_clocks_change(exam: School) -> None:
    """From half past one to half past three is one hour in that night, by whatever offset it is written."""
    before = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    exam.clock.advance((before - exam.clock.now()).total_seconds() - 1)
    window: dict[str, Any] = {"opens_at": "2026-03-29T01:30:00+01:00", "closes_at": "2026-03-29T03:30:00+02:00"}
    quiz_id = await exam.quiz(**window, time_limit_minutes=45)
    early, late = await exam.student("Early"), await exam.student("Late")
    assert await code_of(exam.begun(early, quiz_id)) is Code.QUIZ_NOT_OPEN
    exam.clock.advance(1)
    assert (await exam.begun(early, quiz_id)).deadline_at == before + timedelta(minutes=45)
    exam.clock.advance(3600 - 1)
    assert (await exam.begun(late, quiz_id)).deadline_at == before + timedelta(hours=1)
    exam.clock.advance(1)
    assert await code_of(exam.begun(await exam.student("Last"), quiz_id)) is Code.QUIZ_CLOSED
