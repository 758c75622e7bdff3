"""Reviews: one of each student, and numbers of the course that are exact whoever rates at the same time. On both engines."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from documents.course import Course
from documents.enrollment import Enrollment
from documents.enums import Role
from documents.review import find_counts, set_ratings
from lms_rt.contracts.actor import STRANGER
from lms_rt.contracts.base import read_model
from lms_rt.contracts.channels import course_staff_channel
from lms_rt.contracts.enrollments import EnrollmentView
from lms_rt.contracts.reviews import ReviewDraft, ReviewModeration, ReviewPage, ReviewQuery
from lms_rt.errors import Code
from lms_rt.services.course_reviews import CourseReviews, short_name
from lms_rt.services.ratings import Ratings, average_of
from tests.services.school import ADMIN, OTHER_STUDENT, OTHER_TEACHER, STUDENT, TEACHER, School, actor, refusal

STUDENTS = 12


@pytest.fixture
def reviews(school: School) -> CourseReviews:
    for name, handler in Ratings(school.clock).effects().items():
        school.relay.register_effect(name, handler)
    return CourseReviews(clock=school.clock, relay=school.relay, bus=school.bus)


def draft(rating: Any, review: str | None = None) -> ReviewDraft:
    return read_model(ReviewDraft, {"rating": rating, "review": review})


async def rated(course_id: str) -> tuple[int | None, int, dict[str, int]]:
    row = await Course.rows().find_one({"_id": course_id})
    assert row is not None
    return row.get("rating_average"), row["ratings_count"], {k: v for k, v in row["ratings"].items() if v}


async def page(reviews: CourseReviews, course_id: str, by: Any = STRANGER, **query: Any) -> ReviewPage:
    return await reviews.list(by, course_id, ReviewQuery(**query))


async def test_a_student_rates_once_and_changes_it_and_the_teacher_hears(
    school: School, reviews: CourseReviews
) -> None:
    course = await school.published(1)
    mine, other = await school.enrolled(course.id), await school.enrolled(course.id, by=OTHER_STUDENT)
    view = await reviews.write(STUDENT, mine.id, draft(5, "Clear and kind."))
    assert (view.rating, view.review) == (5, "Clear and kind.")
    await reviews.write(OTHER_STUDENT, other.id, draft(2))
    assert await rated(course.id) == (350, 2, {"5": 1, "2": 1})
    await reviews.write(STUDENT, mine.id, draft(4, "Clear."))
    await reviews.write(STUDENT, mine.id, draft(4, "Clear."))
    assert await rated(course.id) == (300, 2, {"4": 1, "2": 1})
    told = [data for name, data in await school.events(course_staff_channel(course.id)) if name == "review_received"]
    assert [(one["rating"], one["is_new"]) for one in told] == [(5, True), (2, True), (4, False)]
    shown = await page(reviews, course.id, sort="-rating")
    assert [(one.student_name, one.rating, one.review) for one in shown.items] == [
        ("Sara S.", 4, "Clear."),
        ("Omar", 2, None),
    ]
    assert {one.enrollment_id for one in shown.items} == {None}, "strangers are not told whose they are"
    assert (shown.rating_average, shown.ratings_count, shown.ratings["4"]) == (300, 2, 1)
    assert [one.rating for one in (await page(reviews, course.id, rating=2)).items] == [2]


async def test_the_numbers_are_exact_when_all_rate_and_change_at_once(school: School, reviews: CourseReviews) -> None:
    course = await school.published(1)
    people = [actor(f"s{n}", Role.STUDENT) for n in range(STUDENTS)]
    ids = [(await school.enrolled(course.id, by=one)).id for one in people]

    async def rate(n: int, stars: int) -> EnrollmentView:
        return await reviews.write(people[n], ids[n], draft(stars))

    for by in (0, 1):
        await asyncio.gather(*(rate(n, (n + by * n) % 5 + 1) for n in range(STUDENTS)))
    await school.relay.sweep(minimum_age_ms=0)
    stars = [(2 * n) % 5 + 1 for n in range(STUDENTS)]
    counts = {str(one): stars.count(one) for one in sorted(set(stars))}
    assert await rated(course.id) == ((200 * sum(stars) + STUDENTS) // (2 * STUDENTS), STUDENTS, counts)
    assert not await Ratings().recount(course.id), "nothing had drifted"


async def test_an_average_of_counts_that_moved_since_is_not_written(school: School, reviews: CourseReviews) -> None:
    course = await school.published(1)
    mine = await school.enrolled(course.id)
    seen = await find_counts(course.id)
    assert seen is not None
    await reviews.write(STUDENT, mine.id, draft(5))
    assert not await set_ratings(seen, 100, 1), "by a node that read before, and comes late"
    assert await rated(course.id) == (500, 1, {"5": 1})


async def test_numbers_that_drifted_are_mended_without_what_still_waits(
    school: School, reviews: CourseReviews, caplog: pytest.LogCaptureFixture
) -> None:
    course = await school.published(1)
    mine, other = await school.enrolled(course.id), await school.enrolled(course.id, by=OTHER_STUDENT)
    await reviews.write(STUDENT, mine.id, draft(5))
    await Course.rows().update_one({"_id": course.id}, {"$set": {"ratings": {"1": 7}, "ratings_count": 7}})
    waiting = {"kind": "effect", "effect": "course.rated", "id": "evt_1", "data": {"moved": {"3": 1}}}
    still = {"rating": 3, "outbox": [waiting]}  # as a node left it that died before anything was counted
    await Enrollment.rows().update_one({"_id": other.id}, {"$set": still})
    with caplog.at_level(logging.ERROR):
        assert await Ratings().recount(course.id)
    assert await rated(course.id) == (500, 1, {"5": 1})
    assert "had drifted" in caplog.text
    count = Ratings().effects()["course.rated"]
    for _ in range(2):  # the sweeper may come twice
        await count("evt_1", {"course_id": course.id, "moved": {"3": 1}})
    assert await rated(course.id) == (400, 2, {"5": 1, "3": 1})


async def test_a_rating_repeated_behind_all_that_a_course_remembers_counts_once(
    school: School, reviews: CourseReviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.review.RATED_INTENTS", 2)
    monkeypatch.setattr("lms_rt.services.ratings.RATED_INTENTS", 2)
    course = await school.published(1)
    mine, other = await school.enrolled(course.id), await school.enrolled(course.id, by=OTHER_STUDENT)
    await reviews.write(STUDENT, mine.id, draft(5))
    for stars in (1, 2, 3):
        school.clock.advance(120)
        await reviews.write(OTHER_STUDENT, other.id, draft(stars))
    assert await rated(course.id) == (400, 2, {"5": 1, "3": 1})
    repeated = {"course_id": course.id, "moved": {"5": 1}, "at_ms": 0}
    intent = {"kind": "effect", "effect": "course.rated", "id": "evt_first", "data": repeated}
    await Enrollment.rows().update_one({"_id": mine.id}, {"$push": {"outbox": intent}})
    for _ in range(2):
        await Ratings(school.clock).effects()["course.rated"]("evt_first", repeated)
        assert await rated(course.id) == (400, 2, {"5": 1, "3": 1})


async def test_staff_hides_words_and_never_stars_and_the_author_reads_why(
    school: School, reviews: CourseReviews
) -> None:
    course = await school.published(1)
    mine = await school.enrolled(course.id)
    await reviews.write(STUDENT, mine.id, draft(1, "Rude words."))
    hide = ReviewModeration(is_hidden=True, reason="No insults, please.")
    for who in (OTHER_TEACHER, STUDENT):
        await refusal(reviews.moderate(who, course.id, mine.id, hide), Code.NOT_FOUND)
    assert (await reviews.moderate(TEACHER, course.id, mine.id, hide)).is_hidden
    for by, words, reason in (
        (STRANGER, None, None),
        (OTHER_STUDENT, None, None),
        (STUDENT, "Rude words.", hide.reason),
    ):
        (one,) = (await page(reviews, course.id, by)).items
        assert (one.rating, one.review, one.is_hidden, one.hidden_reason) == (1, words, True, reason)
    await reviews.write(STUDENT, mine.id, draft(1, "As rude."))
    assert (await page(reviews, course.id)).items[0].review is None, "new words stay hidden"
    await reviews.moderate(ADMIN, course.id, mine.id, ReviewModeration(is_hidden=False))
    assert (await page(reviews, course.id)).items[0].review == "As rude."
    assert await rated(course.id) == (100, 1, {"1": 1})


async def test_who_is_not_in_the_course_or_teaches_it_does_not_rate(school: School, reviews: CourseReviews) -> None:
    course = await school.published(1)
    mine, own = await school.enrolled(course.id), await school.enrolled(course.id, by=TEACHER)
    await refusal(reviews.write(OTHER_STUDENT, mine.id, draft(1)), Code.NOT_FOUND)
    await refusal(reviews.write(TEACHER, own.id, draft(5)), Code.FORBIDDEN)
    await reviews.write(STUDENT, mine.id, draft(3))
    await school.set_status(mine.id, "dropped")
    await refusal(reviews.write(STUDENT, mine.id, draft(1)), Code.NOT_ENROLLED)
    assert await rated(course.id) == (300, 1, {"3": 1}), "what was said while there stays"
    for wrong in (0, 6, 2.5, "5", True):
        with pytest.raises(Exception, match="fields are not valid"):
            draft(wrong)


@pytest.mark.parametrize(
    ("counts", "average"),
    [({}, None), ({"5": 1, "4": 1, "1": 1}, 333), ({"5": 1, "4": 5}, 417), ({"2": 1, "3": 1}, 250)],
)
def test_an_average_is_rounded_half_up_once(counts: dict[str, int], average: int | None) -> None:
    assert average_of(counts)[0] == average


@pytest.mark.parametrize(("name", "shown"), [("Sara Ali Saleh", "Sara S."), ("Omar", "Omar"), ("سارة صالح", "سارة ص.")])
def test_strangers_read_a_short_name(name: str, shown: str) -> None:
    assert short_name(name) == shown
