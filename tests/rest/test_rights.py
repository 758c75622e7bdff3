"""Every operation, by every spelling, as each of the nine persons: what they are told is what the table of rights says.

On the whole product, on both lanes (the other spellings on one), with bodies that the operations take: what is looked at is
the right to ask, and a thing that is hidden is told as one that is not there. Live commands and pages have their own walks.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

import httpx
import pytest

from handlers.rest.access import PUBLIC
from handlers.rest.dispatch import API_PREFIX, full_patterns
from handlers.rest.operations import Operation
from handlers.routes import ROUTES
from lms_rt.security.rights import Person, Reach, Verdict, verdict
from tests import factories
from tests.house import House
from tests.rest.rights.asking import (
    BODIES,
    DOUBLED,
    DOUBLES,
    ENDS,
    HAVE_SAT,
    INSTEAD,
    KNOWN_FIRST,
    LISTED,
    QUERIES,
    is_list,
    name_of,
    options_of,
    places_of,
)
from tests.rest.rights.house import ENGINES, rights_house
from tests.rest.rights.locating import misplaced
from tests.rest.rights.school import FRESH, REPEATABLE, Ids, Place, RightsSchool, opened

NAMES = [name_of(row) for row in ROUTES]
WORDS = {
    "401 unauthenticated": Verdict.SIGN_IN,
    "403 forbidden": Verdict.FORBIDDEN,
    "403 not_enrolled": Verdict.NOT_ENROLLED,
    "404 not_found": Verdict.HIDDEN,
}
MADE_ELSEWHERE = {
    "POST /payments/create-subscription": "test_payment_stripe.py",
    "POST /courses/import": "test_audit_walk.py",
    "POST /courses/{course_id}/students/import": "test_audit_walk.py",
    "POST /certificates/generate": "test_audit_walk.py",
    "POST /payments/{payment_id}/refund": "test_audit_walk.py",
    "PUT /payments/tax-rates/{country}": "test_audit_walk.py",
}
"""Of what nothing is made by this walk, and where it is seen that its answer tells the right place."""
REFUSED_AT_THE_DOOR = frozenset({Verdict.SIGN_IN, Verdict.FORBIDDEN})
DECIDED_AT_THE_DOOR = frozenset({Reach.ALL, Reach.SELF, Reach.GOVERNED})


@pytest.fixture(scope="module", params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with rights_house(request, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
async def school(house: House) -> RightsSchool:
    return await opened(house)


# --- the tables are whole ---


def test_whatever_is_asked_with_a_body_is_asked_with_a_valid_one() -> None:
    for row in ROUTES:
        if row.body is not None and any(field.is_required() for field in row.body.model_fields.values()):
            assert name_of(row) in BODIES, "make a body that it takes in tests/rest/rights/asking.py"


def test_of_every_list_it_is_known_what_has_to_stand_in_it() -> None:
    of_some = {name_of(row) for row in ROUTES if row.is_list and row.reaches != Reach.ALL and is_list(row, row.path)}
    assert of_some <= set(LISTED), "say what it lists in tests/rest/rights/asking.py"


def test_nothing_is_said_of_operations_that_are_not_there() -> None:
    for table in (BODIES, QUERIES, LISTED, INSTEAD, ENDS, DOUBLES, FRESH, MADE_ELSEWHERE):
        assert set(table) <= set(NAMES)


# --- the walk ---


@pytest.mark.parametrize("row", ROUTES, ids=NAMES)
async def test_everybody_is_told_what_the_table_says(school: RightsSchool, row: Operation) -> None:
    faults: list[str] = []
    is_first_lane = school.house.services.database.is_embedded
    questions = list(_questions(row, is_first_lane=is_first_lane))
    for asked in questions:
        faults += [fault async for fault in _faults(school, asked)]
    assert faults == []
    if is_first_lane:
        is_made = any(row.is_located(status) for asked in questions for status in asked.statuses)
        assert is_made == (bool(row.location) and name_of(row) not in MADE_ELSEWHERE)


async def _faults(school: RightsSchool, asked: _Question) -> AsyncIterator[str]:
    """Whoever is told something else. What may be used up only once is made for each who may, else once for all."""
    name, ids = name_of(asked.row), dict(school.places[asked.place])
    ids |= {key: ids[other] for key, other in INSTEAD.get(name, {}).items()}
    is_made = False
    for person in _askers(asked):
        said = asked.expected(person)
        if said == Verdict.ALLOWED and name in FRESH and not (is_made and name in REPEATABLE):
            ids, is_made = ids | await FRESH[name](school, ids, asked.place), True
        told = await _told(school, asked, person, ids)
        if told != said:
            yield f"{person}, {asked.place}: {asked.method} {asked.pattern} is {told}, the table says {said}"


def _askers(asked: _Question) -> Sequence[Person]:
    """All nine; once is enough for who does not pass the door, which is the same for each spelling and in each place."""
    if name_of(asked.row) in DOUBLES or not asked.row.access.reads_credentials:
        return DOUBLED
    return [each for each in Person if asked.is_first or asked.expected(each) not in REFUSED_AT_THE_DOOR]


@dataclass(frozen=True, slots=True)
class _Question:
    """One spelling of an operation, in one place."""

    row: Operation
    place: Place
    method: str
    pattern: str
    is_first: bool = False
    statuses: set[int] = field(default_factory=set)

    @property
    def is_list(self) -> bool:
        return is_list(self.row, self.pattern)

    def expected(self, person: Person) -> Verdict:
        """What the table says, where the answer can tell it."""
        known = KNOWN_FIRST.get(f"{self.method} {self.pattern.removeprefix(API_PREFIX)}")
        if known is not None and person not in HAVE_SAT:
            first = self._verdict(person, known)
            if first != Verdict.ALLOWED:
                return first
        said = self._verdict(person, self.row.reaches, is_list=self.is_list)
        return Verdict.FORBIDDEN if said == Verdict.OTHER_HAND else said

    def _verdict(self, person: Person, reach: Reach, *, is_list: bool = False) -> Verdict:
        row, is_shown = self.row, self.place == Place.SHOWN
        return verdict(
            person, door=row.access, reach=reach, is_own_alone=row.is_own_alone, is_shown=is_shown, is_list=is_list
        )


def _questions(row: Operation, *, is_first_lane: bool) -> Iterator[_Question]:
    """Each spelling by the first method; the others, which are the same function, by the path that is in the documents.

    On the second lane that path alone, where the database has a say in it.
    """
    if not is_first_lane and row.reaches in DECIDED_AT_THE_DOOR:
        return
    first, *others = full_patterns(row)
    yield _Question(row, Place.SHOWN, row.methods[0], first, is_first=is_first_lane)
    for place in places_of(row)[1:]:
        yield _Question(row, place, row.methods[0], first)
    if is_first_lane:
        for place, pattern in itertools.product(places_of(row), others):
            yield _Question(row, place, row.methods[0], pattern)
        for method in row.methods[1:]:
            yield _Question(row, Place.SHOWN, method, first)


async def _told(school: RightsSchool, asked: _Question, person: Person, ids: Ids) -> Verdict | str:
    """What the person is told, as a verdict, or in the words of the answer where it is none; its status is noted."""
    who = await school.double(person) if name_of(asked.row) in DOUBLES else school.people[person]
    url = school.house.address + asked.pattern.format_map(ids)
    response = await who.http.request(asked.method, url, **options_of(asked.row, ids))
    asked.statuses.add(response.status_code)
    if response.is_success and (fault := await misplaced(asked.row, who, response)):
        return fault
    return _verdict_of(asked, response, ids)


def _verdict_of(asked: _Question, response: httpx.Response, ids: Ids) -> Verdict | str:
    name = name_of(asked.row)
    if response.is_success:
        is_left_out = asked.is_list and name in LISTED and ids[LISTED[name]] not in response.text
        return Verdict.LEFT_OUT if is_left_out else Verdict.ALLOWED
    problem = response.json()
    words = f"{response.status_code} {problem['code']}"
    if words == ENDS.get(name):
        return Verdict.ALLOWED
    return WORDS.get(words, f"{words} {problem.get('errors', '')}")


# --- beside the table ---


async def test_who_has_left_a_course_keeps_what_was_done_and_learns_no_more(school: RightsSchool) -> None:
    gone, ids = school.people[Person.DROPPED], school.places[Place.SHOWN]
    assert (await gone.ok("GET", f"/enrollments/{ids['left_enrollment_id']}"))["status"] == "dropped"
    assert (await gone.ok("GET", f"/attempts/{ids['left_attempt_id']}"))["status"] == "graded"
    await gone.ok("GET", f"/attempts/{ids['left_attempt_id']}/results")
    progress = {"lesson_id": ids["lesson_id"], "status": "in_progress"}
    refused = await gone.refused(403, "POST", f"/enrollments/{ids['left_enrollment_id']}/progress", json=progress)
    assert refused["code"] == "not_enrolled"


async def test_nobody_but_its_teachers_brings_others_into_a_course(school: RightsSchool) -> None:
    for place, person, status in (
        (Place.SHOWN, Person.OWNER, 403),
        (Place.SHOWN, Person.OTHER_TEACHER, 403),
        (Place.HIDDEN, Person.OTHER_TEACHER, 404),
        (Place.SHOWN, Person.TEACHER, 201),
        (Place.HIDDEN, Person.ADMIN, 201),
    ):
        body = {"course_id": school.places[place]["course_id"], "student_id": (await school.house.student()).user_id}
        response = await school.people[person].call("POST", "/enrollments", json=body)
        assert response.status_code == status, f"{place} {person}: {response.text}"


async def test_what_is_free_in_a_published_course_is_open_to_all_and_its_other_content_is_not(
    school: RightsSchool,
) -> None:
    course = await factories.course(school.teacher, title="With a taste")
    lesson = {"title": "Taste", "content": "Sweet words", "is_free": True, "is_published": True}
    free = await school.teacher.ok("POST", f"/courses/{course['id']}/lessons", json=lesson)
    for who in school.people.values():
        assert (await who.ok("GET", f"/lessons/{free['id']}"))["content"] == "Sweet words"
    course_id = school.places[Place.SHOWN]["course_id"]
    for person, who in school.people.items():
        listed = (await who.ok("GET", f"/courses/{course_id}/lessons"))["items"]
        is_inside = verdict(person, door=PUBLIC, reach=Reach.INSIDE) == Verdict.ALLOWED
        assert (listed[0]["content"] is not None) == is_inside, person
