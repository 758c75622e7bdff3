"""Access follows the set of what somebody paid: in, out and back, whatever happens to it, in whatever order, once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import CourseAccess
from documents.job import Job
from documents.payment import Payment
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import to_ms
from lms_rt.contracts.courses import CourseDetailView
from lms_rt.contracts.enrollments import EnrollmentDraft
from lms_rt.errors import Code
from lms_rt.ids import new_id
from lms_rt.services.payments.access import Access, Change
from lms_rt.services.payments.entitlements import AccessRules, Entitlements
from tests.services.school import ADMIN, OTHER_STUDENT, STUDENT, TEACHER, School, refusal

WHO = STUDENT.user_id
DAY = timedelta(days=1)
EMBEDDED = pytest.mark.parametrize("engine", ["embedded"])
"""Where the second lane can be no different."""


class Desk:
    """A course that costs something, and what is paid for it."""

    def __init__(self, school: School, course: CourseDetailView) -> None:
        self.school, self.course = school, course
        entitlements = Entitlements(clock=school.clock, rules=AccessRules())
        self.access = Access(clock=school.clock, relay=school.relay, bus=school.bus, entitlements=entitlements)
        for name, handler in self.access.effects().items():
            school.relay.register_effect(name, handler)

    async def pays(self, user_id: str = WHO, **fields: Any) -> str:
        at, payment_id = self.school.clock.now(), new_id("pay")
        row = {
            "_id": payment_id, "key": payment_id, "user_id": user_id, "order_id": "ord_1", "course_id": self.course.id,
            "amount": 1000, "currency": "USD", "gateway": "stripe", "status": "completed", "completed_at": at,
            "created_at": at, "updated_at": at, "revision": 1, "version": 1, "refunded_amount": 0, "outbox": [],
        }  # fmt: skip
        assert await Payment.add(row | fields)
        return payment_id

    async def subscribes(self, days: int, **fields: Any) -> str:
        at, subscription_id = self.school.clock.now(), new_id("sub")
        row = {
            "_id": subscription_id, "user_id": WHO, "plan_id": "pln_1", "plan_name": "All", "interval": "month",
            "course_ids": [self.course.id], "list_amount": 1, "amount": 1, "currency": "USD", "status": "active",
            "gateway": "stripe", "start_date": at, "end_date": at + timedelta(days=days), "created_at": at,
            "updated_at": at, "revision": 1, "version": 1, "outbox": [],
        }  # fmt: skip
        assert await PlanSubscription.add(row | fields)
        return subscription_id

    async def draws(self, subscription_id: str, amount: int = 1000, **fields: Any) -> str:
        return await self.pays(subscription_id=subscription_id, course_id=None, amount=amount, **fields)

    async def lasts(self, subscription_id: str, until: datetime) -> None:
        renewed = {"$set": {"end_date": until}}
        await PlanSubscription.rows().update_one({"_id": subscription_id}, renewed)

    async def becomes(self, payment_id: str, **fields: Any) -> Change:
        await Payment.rows().update_one({"_id": payment_id}, {"$set": fields})
        return await self.derive()

    async def derive(self) -> Change:
        done = await self.access.derive(WHO, self.course.id)
        assert (await self.access.due(WHO, self.course.id)).is_in_line
        return done

    async def works(self) -> None:
        """A worker does what is asked for by now, once."""
        for job in await Job.rows().find({"task": "payments.access"}).to_list(50):
            await Job.rows().delete_one({"_id": job["_id"]})
            await self.access.derive(job["args"]["user_id"], job["args"]["course_id"])

    async def standing(self) -> tuple[str, str | None, str | None]:
        found = await self.enrollment()
        return found.status, found.access, found.payment_id

    async def enrollment(self) -> Enrollment:
        found = await Enrollment.find_of(WHO, self.course.id)
        assert found is not None
        return found


@pytest.fixture
async def desk(school: School) -> Desk:
    return Desk(school, await school.published(2, price=1000, currency="USD"))


async def test_a_payment_enrols_once_however_often_and_at_the_same_moment(desk: Desk) -> None:
    payment_id = await desk.pays()
    done = await asyncio.gather(*(desk.derive() for _ in range(6)))
    assert sorted(done) == sorted([Change.ENROLLED, *[Change.KEPT] * 5])
    assert await desk.standing() == ("active", "payment", payment_id)
    assert (await Payment.find_row(payment_id) or {})["enrollment_id"] == f"{WHO}:{desk.course.id}"
    course = await Course.find_whole(desk.course.id)
    assert course is not None
    assert course.enrollments_count == 1
    told = [name for name, _ in await desk.school.events(f"course:{desk.course.id}:staff")]
    assert told == ["new_enrollment"]


@EMBEDDED
async def test_what_is_paid_back_while_somebody_comes_in_by_it_puts_them_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id, insert, write = await desk.pays(), Enrollment.insert_new, Enrollment.write

    async def inserted(enrollment: Enrollment) -> bool:
        assert await desk.becomes(payment_id, status="refunded", refunded_amount=1000) is Change.NONE
        return await insert(enrollment)

    with monkeypatch.context() as between:
        between.setattr(Enrollment, "insert_new", inserted)
        await desk.school.enrolled(desk.course.id)
    assert (await desk.standing())[0] == "active"
    await desk.works()
    assert (await desk.standing())[0] == "expired"

    async def written(*args: Any) -> bool:
        between.undo()
        await Payment.rows().update_one({"_id": payment_id}, {"$set": {"status": "refunded"}})
        assert await desk.access.derive(WHO, desk.course.id) is Change.KEPT, "they are not in it yet"
        return await write(*args)

    await Payment.rows().update_one({"_id": payment_id}, {"$set": {"status": "completed"}})
    with monkeypatch.context() as between:
        between.setattr(Enrollment, "write", written)
        await desk.access.derive(WHO, desk.course.id)
    await desk.works()
    assert (await desk.standing())[0] == "expired"


@EMBEDDED
async def test_what_is_taken_back_ends_access_and_what_comes_back_opens_it_with_its_progress(desk: Desk) -> None:
    payment_id = await desk.pays()
    await desk.derive()
    enrollment = await desk.enrollment()
    lesson_id = (await Course.find_head(desk.course.id)).published_lesson_ids[0]  # type: ignore[union-attr]
    await desk.school.record(enrollment.id, lesson_id, status="completed")
    for ended, back in (
        ({"dispute": "open"}, {"dispute": "won"}),
        ({"held": "owner_mismatch"}, {"held": None}),
        ({"status": "refunded", "refunded_amount": 1000}, {"status": "completed", "refunded_amount": 0}),
    ):
        assert await desk.becomes(payment_id, **ended) is Change.EXPIRED
        assert await desk.standing() == ("expired", "payment", payment_id)
        assert await desk.becomes(payment_id, **back) is Change.RETURNED
        assert await desk.standing() == ("active", "payment", payment_id)
    assert await desk.becomes(payment_id, status="partially_refunded", refunded_amount=400) is Change.KEPT
    assert (await desk.enrollment()).progress_in(lesson_id).status == "completed"


@EMBEDDED
async def test_who_completed_the_course_loses_and_gets_it_back_completed(desk: Desk) -> None:
    payment_id = await desk.pays()
    await desk.derive()
    for lesson_id in (await Course.find_head(desk.course.id)).published_lesson_ids:  # type: ignore[union-attr]
        await desk.school.record((await desk.enrollment()).id, lesson_id, status="completed")
    assert (await desk.standing())[0] == "completed"
    assert await desk.becomes(payment_id, dispute="lost") is Change.EXPIRED
    assert await desk.becomes(payment_id, dispute="won") is Change.RETURNED
    assert (await desk.standing())[0] == "completed"
    before = await desk.enrollment()
    await desk.school.enrollments.drop(STUDENT, before.id)
    desk.school.clock.advance(DAY.total_seconds())
    await desk.pays()
    assert await desk.derive() is Change.RETURNED, "who left pays anew"
    after = await desk.enrollment()
    assert (after.status, after.completed_at) == ("completed", before.completed_at)


@EMBEDDED
async def test_one_of_two_payments_is_enough(desk: Desk) -> None:
    first, second = await desk.pays(), await desk.pays()
    await desk.derive()
    lives_by = (await desk.enrollment()).payment_id
    other = second if lives_by == first else first
    assert await desk.becomes(str(lives_by), status="refunded", refunded_amount=1000) is Change.MOVED
    assert await desk.standing() == ("active", "payment", other)
    assert await desk.becomes(other, status="refunded", refunded_amount=1000) is Change.EXPIRED


@EMBEDDED
async def test_time_that_was_paid_for_ends_and_is_begun_anew_by_the_next_payment_alone(school: School) -> None:
    desk = Desk(school, await school.published(1, price=1000, currency="USD", access_days=10))
    first = await desk.pays()
    await desk.derive()
    school.clock.advance((11 * DAY).total_seconds())
    await desk.derive()
    assert (await desk.standing())[0] == "expired"
    await refusal(school.enrolled(desk.course.id), Code.PAYMENT_REQUIRED)
    await refusal(
        school.enrollments.enroll(STUDENT, EnrollmentDraft(course_id=desk.course.id, payment_id=first)),
        Code.PAYMENT_REQUIRED,
    )
    second = await desk.pays()
    view = await school.enrolled(desk.course.id)
    assert (view.status, view.payment_id) == ("active", second)
    assert view.expires_at == school.clock.now() + 10 * DAY
    assert await desk.derive() is Change.KEPT


@EMBEDDED
async def test_who_left_stays_away_until_they_come_or_pay_again(desk: Desk) -> None:
    await desk.pays()
    await desk.derive()
    enrollment_id = (await desk.enrollment()).id
    await desk.school.enrollments.drop(STUDENT, enrollment_id)
    assert await desk.derive() is Change.KEPT
    assert (await desk.school.set_status(enrollment_id, "active")).access == "payment"
    await desk.school.enrollments.drop(STUDENT, enrollment_id)
    await Payment.rows().update_many({}, {"$set": {"status": "refunded"}})
    await refusal(desk.school.set_status(enrollment_id, "active"), Code.PAYMENT_REQUIRED)
    again = await desk.pays()
    assert await desk.derive() is Change.RETURNED
    assert await desk.standing() == ("active", "payment", again)


async def test_a_subscription_opens_to_who_enrols_ends_days_after_it_and_a_renewal_brings_back(desk: Desk) -> None:
    subscription_id = await desk.subscribes(30)
    await refusal(desk.school.enrolled(desk.course.id), Code.PAYMENT_REQUIRED)
    await desk.draws(subscription_id)
    assert await desk.derive() is Change.NONE
    view = await desk.school.enrolled(desk.course.id)
    assert (view.access, view.payment_id) == ("subscription", None)
    assert view.expires_at == desk.school.clock.now() + 33 * DAY
    desk.school.clock.advance((32 * DAY).total_seconds())
    assert await desk.derive() is Change.KEPT
    desk.school.clock.advance((2 * DAY).total_seconds())
    await desk.derive()
    assert (await desk.standing())[0] == "expired"
    await desk.lasts(subscription_id, desk.school.clock.now() + 30 * DAY)
    assert await desk.derive() is Change.KEPT, "its gateway says that it goes on, but no money came"
    renewal = await desk.draws(subscription_id)
    await desk.access.derive_all(WHO)
    found = await desk.enrollment()
    assert (found.status, found.subscription_id) == ("active", subscription_id)
    assert await desk.becomes(renewal, status="refunded", refunded_amount=1000) is Change.EXPIRED


@EMBEDDED
async def test_what_was_paid_for_a_period_opens_it_while_most_of_that_stands(desk: Desk) -> None:
    subscription_id = await desk.subscribes(30)
    first = await desk.draws(subscription_id)
    await desk.school.enrolled(desk.course.id)
    desk.school.clock.advance((10 * DAY).total_seconds())
    more = await desk.draws(subscription_id, 100)
    assert await desk.becomes(more, status="refunded", refunded_amount=100) is Change.KEPT, "a small part of the month"
    await desk.becomes(more, status="completed", refunded_amount=0)
    assert await desk.becomes(first, status="refunded", refunded_amount=1000) is Change.EXPIRED, "most of the month"
    assert await desk.becomes(first, status="completed", refunded_amount=0) is Change.RETURNED
    desk.school.clock.advance((20 * DAY).total_seconds())
    second_end = desk.school.clock.now() + 30 * DAY
    await desk.lasts(subscription_id, second_end)
    await desk.draws(subscription_id, held="amount_mismatch")
    assert await desk.becomes(first, dispute="lost") is Change.EXPIRED
    await desk.becomes(first, dispute="won")
    within = (await desk.enrollment()).expires_ms or 0
    now_ms = desk.school.clock.now_ms()
    assert now_ms < within < now_ms + 6 * 86_400_000, "what waits for somebody leaves the days of grace"
    second = await desk.draws(subscription_id)
    assert await desk.derive() is Change.MOVED
    assert await desk.becomes(first, dispute="lost") is Change.KEPT, "an earlier month is over"
    assert (await desk.enrollment()).expires_ms == to_ms(second_end + 3 * DAY)
    assert await desk.becomes(second, dispute="open") is Change.EXPIRED


@EMBEDDED
async def test_what_a_month_still_owed_when_the_next_began_is_no_part_of_that_one(desk: Desk) -> None:
    subscription_id = await desk.subscribes(30, gateway="paymob")
    await desk.draws(subscription_id)
    await desk.school.enrolled(desk.course.id)
    desk.school.clock.advance((58 * DAY).total_seconds())
    late = await desk.draws(subscription_id)
    desk.school.clock.advance((2 * DAY).total_seconds())
    third = await desk.draws(subscription_id)
    await desk.lasts(subscription_id, desk.school.clock.now() + 30 * DAY)
    await desk.derive()
    assert await desk.becomes(late, status="refunded", refunded_amount=1000) is Change.KEPT
    await desk.becomes(late, status="completed", refunded_amount=0)
    assert await desk.becomes(third, status="refunded", refunded_amount=1000) is Change.EXPIRED


@EMBEDDED
async def test_after_a_change_of_plan_what_was_paid_for_a_year_is_counted_to_its_end(desk: Desk) -> None:
    subscription_id = await desk.subscribes(364, interval="month", changes=1)
    await desk.draws(subscription_id)
    assert (await desk.school.enrolled(desk.course.id)).access == "subscription"


@EMBEDDED
async def test_what_is_free_or_given_by_staff_is_let_be(desk: Desk) -> None:
    given = await desk.school.enrolled(desk.course.id, by=TEACHER, student_id=WHO)
    assert given.access == CourseAccess.STAFF
    payment_id = await desk.pays()
    assert await desk.becomes(payment_id, status="refunded", refunded_amount=1000) is Change.KEPT
    assert (await desk.standing())[:2] == ("active", "staff")
    free = await desk.school.published()
    assert (await desk.school.enrolled(free.id)).access == CourseAccess.FREE
    assert await desk.access.derive(WHO, free.id) is Change.KEPT


@EMBEDDED
async def test_who_was_let_in_for_nothing_and_put_out_pays_to_come_back(desk: Desk) -> None:
    school = desk.school
    given = await school.enrolled(desk.course.id, by=TEACHER, student_id=WHO)
    await school.enrollments.drop(STUDENT, given.id)
    assert (await school.set_status(given.id, "active")).access == CourseAccess.STAFF, (
        "who left by themselves is free to come"
    )
    await school.enrollments.drop(STUDENT, given.id)
    await school.enrollments.drop(TEACHER, given.id)  # who left in time to be let back in for nothing
    await refusal(school.set_status(given.id, "active"), Code.PAYMENT_REQUIRED)
    await refusal(school.enrolled(desk.course.id), Code.PAYMENT_REQUIRED)
    assert (await school.enrolled(desk.course.id, by=TEACHER, student_id=WHO)).status == "active"
    await school.enrollments.drop(STUDENT, given.id)
    await school.set_status(given.id, "active")
    await school.enrollments.drop(TEACHER, given.id)
    await refusal(school.enrolled(desk.course.id), Code.PAYMENT_REQUIRED)
    payment_id = await desk.pays()
    assert await desk.derive() is Change.RETURNED
    assert await desk.standing() == ("active", "payment", payment_id)


@EMBEDDED
async def test_the_first_request_after_the_payment_enrols_and_so_does_one_that_names_it(desk: Desk) -> None:
    payment_id = await desk.pays()
    await desk.derive()
    enroll = desk.school.enrollments.enroll
    draft = EnrollmentDraft(course_id=desk.course.id)
    first = await enroll(STUDENT, draft, request_seed="s1")
    assert (first.is_new, first.view.payment_id) == (True, payment_id)
    assert (await enroll(STUDENT, draft, request_seed="s1")).view.id == first.view.id
    await refusal(enroll(STUDENT, draft, request_seed="s2"), Code.ALREADY_ENROLLED)
    named = draft.model_copy(update={"payment_id": payment_id})
    assert not (await enroll(STUDENT, named)).is_new
    wrong = draft.model_copy(update={"payment_id": "pay_other"})
    await refusal(enroll(STUDENT, wrong), Code.ALREADY_ENROLLED)


@EMBEDDED
async def test_a_payment_of_somebody_else_or_of_another_course_opens_nothing(desk: Desk) -> None:
    theirs = await desk.pays(OTHER_STUDENT.user_id)
    elsewhere = await desk.pays(course_id="crs_else")
    pending = await desk.pays(status="pending")
    for payment_id in (theirs, elsewhere, pending, None):
        draft = EnrollmentDraft(course_id=desk.course.id, payment_id=payment_id)
        refused = await refusal(desk.school.enrollments.enroll(STUDENT, draft), Code.PAYMENT_REQUIRED)
        assert (refused.data["price"], refused.data["currency"]) == (1000, "USD")
    assert await desk.derive() is Change.NONE
    assert (await desk.school.enrolled(desk.course.id, by=ADMIN)).access == CourseAccess.STAFF
