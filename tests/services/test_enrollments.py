"""Enrolments: coming in once, paying, leaving, coming back, expiring; who sees them, and what the course counts."""

from __future__ import annotations

import asyncio

from documents.course import Course
from documents.enrollment import Enrollment
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import encode, read_model
from lms_rt.contracts.enrollments import EnrollmentChange, EnrollmentDraft, EnrollmentQuery, RosterQuery
from lms_rt.contracts.json_reader import parse_json
from lms_rt.errors import Code
from tests.services.school import (
    ADMIN,
    OTHER_STUDENT,
    OTHER_TEACHER,
    STUDENT,
    TEACHER,
    School,
    fault_codes,
    refusal,
)

DAY = 86_400


async def counted(course_id: str) -> int:
    course = await Course.find_whole(course_id)
    assert course is not None
    return course.enrollments_count


async def listed(school: School, by: Actor, **query: str) -> list[str]:
    page = await school.enrollments.list(by, EnrollmentQuery(**query))
    return sorted(view.id for view in page.items)


async def test_enrolling_is_told_to_the_staff_and_counted(school: School) -> None:
    course = await school.published(2)
    enrollment = await school.enrolled(course.id)
    assert enrollment.id == f"{STUDENT.user_id}:{course.id}"
    assert (enrollment.status, enrollment.version, enrollment.total_lessons_count) == ("active", 1, 2)
    assert [row.status for row in enrollment.progress] == ["not_started", "not_started"]
    assert await counted(course.id) == 1
    data = {
        "course_id": course.id, "enrollment_id": enrollment.id, "student_id": STUDENT.user_id,
        "student_name": "Sara Saleh", "version": 1, "n": 0,
    }  # fmt: skip
    assert await school.events(f"course:{course.id}:staff") == [("new_enrollment", data)]


async def test_enrolling_again_is_refused_also_at_the_same_moment(school: School) -> None:
    course = await school.published()
    draft = EnrollmentDraft(course_id=course.slug)
    ends = await asyncio.gather(*(school.enrollments.enroll(STUDENT, draft) for _ in range(6)), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["Enrolled", *["Refused"] * 5]
    refused = await refusal(school.enrolled(course.id), Code.ALREADY_ENROLLED)
    assert refused.data["enrollment_id"] == f"{STUDENT.user_id}:{course.id}"
    assert await counted(course.id) == 1


async def test_a_request_that_comes_again_meets_its_own_work(school: School) -> None:
    draft = EnrollmentDraft(course_id=(await school.published()).id)
    first = await school.enrollments.enroll(STUDENT, draft, request_seed="s1")
    again = await school.enrollments.enroll(STUDENT, draft, request_seed="s1")
    assert again == first
    await refusal(school.enrollments.enroll(STUDENT, draft, request_seed="s2"), Code.ALREADY_ENROLLED)
    await school.enrollments.drop(STUDENT, first.view.id)
    back = await school.enrollments.enroll(STUDENT, draft, request_seed="s3")
    assert await school.enrollments.enroll(STUDENT, draft, request_seed="s3") == back
    assert not back.is_new


async def test_many_students_are_all_counted(school: School) -> None:
    course = await school.published()
    students = [Actor(f"usr_{n}", STUDENT.role, full_name=f"S {n}") for n in range(12)]
    await asyncio.gather(*(school.enrolled(course.id, by=one) for one in students))
    await asyncio.gather(*(school.enrollments.drop(one, f"{one.user_id}:{course.id}") for one in students[:5]))
    assert await counted(course.id) == 7


async def test_a_course_with_a_price_wants_a_payment_but_not_from_its_staff(school: School) -> None:
    course = await school.published(price=1999, currency="EUR")
    for somebody in (STUDENT, OTHER_TEACHER):
        refused = await refusal(school.enrolled(course.id, by=somebody), Code.PAYMENT_REQUIRED)
        assert (refused.data["price"], refused.data["currency"]) == (1999, "EUR")
    assert await counted(course.id) == 0
    assert (await school.enrolled(course.id, TEACHER, STUDENT.user_id)).student_id == STUDENT.user_id
    assert (await school.enrolled(course.id, ADMIN)).status == "active"


async def test_only_the_courses_staff_enrols_others(school: School) -> None:
    course = await school.published()
    for somebody in (OTHER_STUDENT, OTHER_TEACHER):
        await refusal(school.enrolled(course.id, somebody, STUDENT.user_id), Code.FORBIDDEN)
    refused = await refusal(school.enrolled(course.id, TEACHER, "usr_nobody"), Code.VALIDATION_FAILED)
    assert fault_codes(refused) == [("student_id", "unknown")]
    assert (await school.enrolled(course.id, STUDENT, STUDENT.user_id)).status == "active"


async def test_an_unpublished_course_cannot_be_entered(school: School) -> None:
    course = await school.course()
    await refusal(school.enrolled(course.id), Code.NOT_FOUND)
    await refusal(school.enrolled("crs_nothing"), Code.NOT_FOUND)


async def test_leaving_and_coming_back_keeps_progress_and_goes_on_from_the_old_version(school: School) -> None:
    course = await school.published(2)
    enrollment = await school.enrolled(course.id)
    done = await school.progress.complete_lesson(STUDENT, enrollment.id, enrollment.progress[0].lesson_id)
    dropped = await school.set_status(enrollment.id, "dropped")
    assert (dropped.status, dropped.progress_percentage) == ("dropped", 5000)
    assert (await school.set_status(enrollment.id, "dropped")).version == dropped.version
    back = await school.enrollments.enroll(STUDENT, EnrollmentDraft(course_id=course.id))
    assert (back.is_new, back.view.status, back.view.progress_percentage) == (False, "active", 5000)
    assert done.version < dropped.version < back.view.version
    assert back.view.enrolled_at == enrollment.enrolled_at
    again = await school.set_status((await school.enrollments.drop(STUDENT, enrollment.id)).id, "active")
    assert again.status == "active"
    assert await counted(course.id) == 1
    names = [data["version"] for _, data in await school.events(f"course:{course.id}:staff")]
    assert names == sorted(names)
    assert len(names) == 3


async def test_who_leaves_loses_the_live_channels(school: School) -> None:
    course = await school.published()
    enrollment = await school.enrolled(course.id)
    assert school.controls.heard == []
    await school.enrollments.drop(STUDENT, enrollment.id)
    assert [(word.name, dict(word.data)) for word in school.controls.heard] == [
        ("access_changed", {"user_id": STUDENT.user_id})
    ]


async def test_what_was_paid_for_is_kept_while_its_time_lasts(school: School) -> None:
    course = await school.published(price=500, access_days=10)
    enrollment = await school.enrolled(course.id, TEACHER, STUDENT.user_id)
    await school.enrollments.drop(STUDENT, enrollment.id)
    assert (await school.enrolled(course.id)).expires_at == enrollment.expires_at
    await school.enrollments.drop(STUDENT, enrollment.id)
    school.clock.advance(11 * DAY)
    await refusal(school.enrolled(course.id), Code.PAYMENT_REQUIRED)
    await refusal(school.set_status(enrollment.id, "active"), Code.PAYMENT_REQUIRED)


async def test_an_enrolment_expires_when_somebody_looks_or_sweeps(school: School) -> None:
    course = await school.published(access_days=1)
    enrollment = await school.enrolled(course.id)
    await school.enrolled(course.id, by=OTHER_STUDENT)
    school.clock.advance(DAY - 1)
    assert await school.enrollments.expire_due() == 0
    assert (await school.lessons.show(STUDENT, enrollment.progress[0].lesson_id)).content == "*text*"
    school.clock.advance(1)
    await refusal(school.lessons.show(STUDENT, enrollment.progress[0].lesson_id), Code.NOT_ENROLLED)
    assert (await school.enrollments.show(STUDENT, enrollment.id)).status == "expired"
    assert await school.enrollments.expire_due() == 1
    assert await school.enrollments.expire_due() == 0
    assert await counted(course.id) == 0
    assert {word.data["user_id"] for word in school.controls.heard} == {STUDENT.user_id, OTHER_STUDENT.user_id}
    back = await school.enrolled(course.id)
    assert back.status == "active"
    assert back.expires_at is not None
    assert (back.expires_at - school.clock.now()).days == 1


async def test_a_completed_enrolment_does_not_expire(school: School) -> None:
    course = await school.published(access_days=1)
    enrollment = await school.enrolled(course.id)
    await school.progress.complete_lesson(STUDENT, enrollment.id, enrollment.progress[0].lesson_id)
    school.clock.advance(2 * DAY)
    assert (await school.enrollments.show(STUDENT, enrollment.id)).status == "completed"
    await refusal(school.enrolled(course.id), Code.ALREADY_ENROLLED)


async def test_enrolments_are_their_students_and_the_courses_staffs(school: School) -> None:
    enrollment = await school.enrolled((await school.published()).id)
    for reader in (STUDENT, TEACHER, ADMIN):
        assert (await school.enrollments.show(reader, enrollment.id)).id == enrollment.id
    for reader in (OTHER_STUDENT, OTHER_TEACHER):
        await refusal(school.enrollments.show(reader, enrollment.id), Code.NOT_FOUND)
        await refusal(school.set_status(enrollment.id, "dropped", reader), Code.NOT_FOUND)
        await refusal(school.enrollments.drop(reader, enrollment.id), Code.NOT_FOUND)


async def test_lists_show_ones_own_and_staff_those_of_their_courses(school: School) -> None:
    mine, other = await school.published(title="Mine"), await school.course(by=OTHER_TEACHER, description="d")
    await school.lesson(other.id, OTHER_TEACHER)
    await school.courses.publish(OTHER_TEACHER, other.id)
    a, b = (await school.enrolled(mine.id)).id, (await school.enrolled(other.id)).id
    c = (await school.enrolled(mine.id, OTHER_STUDENT)).id
    d = (await school.enrolled(other.id, TEACHER)).id
    assert await listed(school, STUDENT) == sorted([a, b])
    assert await listed(school, STUDENT, course_id=mine.id) == [a]
    assert await listed(school, STUDENT, student_id=OTHER_STUDENT.user_id) == []
    assert await listed(school, TEACHER) == [d]
    assert await listed(school, TEACHER, course_id=mine.id) == sorted([a, c])
    assert await listed(school, TEACHER, course_id=other.id) == [d]
    assert await listed(school, TEACHER, student_id=STUDENT.user_id) == [a]
    assert await listed(school, ADMIN, student_id=STUDENT.user_id) == sorted([a, b])
    assert await listed(school, ADMIN, course_id=mine.id, student_id=OTHER_STUDENT.user_id) == [c]
    assert await listed(school, STUDENT, status="dropped") == []
    assert await listed(school, ADMIN, course_id="no-id") == []


async def test_the_roster_is_for_the_courses_staff(school: School) -> None:
    course = await school.published(2)
    enrollment = await school.enrolled(course.id)
    await school.enrolled(course.id, OTHER_STUDENT)
    await school.progress.complete_lesson(STUDENT, enrollment.id, enrollment.progress[1].lesson_id)
    page = await school.enrollments.list_students(TEACHER, course.id, RosterQuery(sort="enrolled_at"))
    rows = {row.full_name: (row.progress_percentage, row.completed_lessons_count) for row in page.items}
    assert rows == {"Sara Saleh": (5000, 1), "Omar": (0, 0)}
    assert {row.email for row in page.items} == {"usr_sara@example.org", "usr_omar@example.org"}
    assert (await school.enrollments.list_students(ADMIN, course.id, RosterQuery(status="dropped"))).items == []
    for reader in (OTHER_TEACHER, STUDENT):
        await refusal(school.enrollments.list_students(reader, course.id, RosterQuery()), Code.NOT_FOUND)


async def test_only_leaving_and_coming_back_can_be_chosen(school: School) -> None:
    enrollment = await school.enrolled((await school.published()).id)
    for status in ("completed", "expired"):
        refused = await refusal(school.set_status(enrollment.id, status), Code.VALIDATION_FAILED)
        assert [field for field, _ in fault_codes(refused)] == ["status"]
    sent = parse_json(encode(enrollment))
    change = read_model(EnrollmentChange, sent)
    assert (await school.enrollments.change(STUDENT, enrollment.id, change)).version == enrollment.version
    change = read_model(EnrollmentChange, {"progress_percentage": "100.00"})
    refused = await refusal(school.enrollments.change(STUDENT, enrollment.id, change), Code.VALIDATION_FAILED)
    assert fault_codes(refused) == [("progress_percentage", "read_only")]
    stale = school.enrollments.drop(STUDENT, enrollment.id, expected_version=7)
    assert (await refusal(stale, Code.VERSION_MISMATCH)).data["current_version"] == 1


async def test_a_repeated_effect_counts_once(school: School) -> None:
    course = await school.published()
    handler = school.enrollments.effects()["course.enrollment_counted"]
    for intent_id in ("evt_1", "evt_1", "evt_2", "evt_1"):
        await handler(intent_id, {"course_id": course.id, "by": 1})
    assert await counted(course.id) == 2


async def test_what_the_relay_could_not_do_at_once_is_done_by_its_sweep(school: School) -> None:
    course = await school.published()
    enrollment = await school.enrolled(course.id)
    await Enrollment.rows().update_one(
        {"_id": enrollment.id},
        {
            "$push": {"outbox": {"id": "evt_x", "kind": "effect", "effect": "course.enrollment_counted",
                                 "data": {"course_id": course.id, "by": 1}, "at": school.clock.now()}},
            "$set": {"outbox_at": school.clock.now()},
        },
    )  # fmt: skip
    await school.relay.sweep(minimum_age_ms=0)
    await school.relay.sweep(minimum_age_ms=0)
    assert await counted(course.id) == 2
