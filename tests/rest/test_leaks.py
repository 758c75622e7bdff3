"""What is hidden leaves no trace: not in a status, a text, a header, a count, a search, nor in what the database is asked.

Whoever may not know of a thing asks for it, and for one that is not there. Nothing may tell the two answers apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from handlers.rest.dispatch import full_patterns
from handlers.rest.operations import Operation
from handlers.routes import ROUTES
from lms_rt.contracts.channels import (
    attempt_channel,
    course_channel,
    course_staff_channel,
    quiz_live_channel,
)
from lms_rt.ids import new_id
from lms_rt.security.rights import Person, Verdict, verdict
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.rest.asked_of_database import as_request, commands_counted
from tests.rest.rights.asking import name_of, options_of
from tests.rest.rights.house import ENGINES, rights_house
from tests.rest.rights.school import Ids, Place, RightsSchool, opened

_PREFIXES = {
    "course_id": "crs", "lesson_id": "les", "quiz_id": "quz", "question_id": "qst", "attempt_id": "att", "graded_id": "att",
    "session_id": "fam", "notification_id": "ntf",
}  # fmt: skip
_PASSING = {"date", "x-request-id", "server-timing", "ratelimit", "ratelimit-policy", "ratelimit-limit"}
_PASSING |= {
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
}
_CURIOUS = (Person.STRANGER, Person.ENROLLED, Person.OTHER_TEACHER)
LOOKS = 3
"""So often each is asked for; the fewest commands count: one look may ask who it is, and another which session it is."""


@dataclass
class Leaks:
    """A school in which nothing is to be found out, and what was asked of its database by each request."""

    school: RightsSchool
    commands: Counter[str]

    @property
    def hidden(self) -> Ids:
        return self.school.places[Place.HIDDEN]

    @property
    def absent(self) -> Ids:
        """Ids like those of what is hidden, of nothing."""
        nothing = {name: new_id(prefix) for name, prefix in _PREFIXES.items()}
        return {**self.hidden, **nothing, "enrollment_id": f"{new_id('usr')}:{nothing['course_id']}"}

    async def told(self, who: Visitor, method: str, path: str, ids: Ids, **options: Any) -> tuple[Any, ...]:
        """All that an answer says, with ids and what is each request's own left out; and what it cost."""
        replies = [
            await who.http.request(method, self.school.house.address + path.format_map(ids), **options)
            for _ in range(LOOKS)
        ]
        costs = min(self.commands[reply.headers["X-Request-ID"]] for reply in replies)
        return (*_plain(replies[-1], ids), costs)


def _plain(reply: httpx.Response, ids: Mapping[str, str]) -> tuple[Any, ...]:
    headers = {name: value for name, value in reply.headers.items() if name not in _PASSING}
    text = reply.text.replace(reply.headers["X-Request-ID"], "<request>")
    for name in _PREFIXES.keys() | {"enrollment_id", "slug"}:
        text = text.replace(ids.get(name, "\0"), f"<{name}>")
    return reply.status_code, headers, text


@pytest.fixture(scope="module")
def commands() -> Iterator[Counter[str]]:
    with commands_counted() as counts:
        yield counts


@pytest.fixture(scope="module", params=ENGINES)
async def house(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    commands: Counter[str],
) -> AsyncIterator[House]:
    async with rights_house(request, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
async def leaks(commands: Counter[str], house: House) -> Leaks:
    school = await opened(house)
    for ids in school.places.values():
        ids["slug"] = (await school.teacher.ok("GET", f"/courses/{ids['course_id']}"))["slug"]
    return Leaks(school, commands)


def _curious(row: Operation) -> list[Person]:
    """Those who pass the door and are to learn nothing behind it: a teacher of others, where no student passes."""
    found = [
        person
        for person in _CURIOUS
        if verdict(person, door=row.access, reach=row.reaches, is_own_alone=row.is_own_alone, is_shown=False)
        == Verdict.HIDDEN
    ]
    return found if Person.OTHER_TEACHER not in found[1:] else found[:-1]


HIDING = [row for row in ROUTES if "{" in row.path and _curious(row)]


@pytest.mark.parametrize("row", HIDING, ids=[name_of(row) for row in HIDING])
async def test_what_is_hidden_is_told_as_what_is_not_there(leaks: Leaks, row: Operation) -> None:
    for pattern in full_patterns(row):
        for method in (*row.methods, *(["HEAD"] if "GET" in row.methods else []), "OPTIONS"):
            for person in _curious(row)[:1] if method in {"HEAD", "OPTIONS"} else _curious(row):
                who, hidden, absent = leaks.school.people[person], leaks.hidden, leaks.absent
                of_hidden = await leaks.told(who, method, pattern, hidden, **options_of(row, hidden))
                of_nothing = await leaks.told(who, method, pattern, absent, **options_of(row, absent))
                assert of_hidden == of_nothing, f"{person}: {method} {pattern}"
                assert method not in row.methods or _tells_nothing(of_hidden), f"{person}: {method} {pattern}"


def _tells_nothing(told: tuple[Any, ...]) -> bool:
    """Not there, or, where an id is only a filter, nothing found; and the database was asked for it."""
    status, _, text, commands = told
    return commands > 0 and (status == 404 or '"items":[]' in text)


def test_most_of_what_has_an_id_is_hidden_from_somebody() -> None:
    assert len(HIDING) >= 40


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/lessons/{lesson_id}", {}),
        ("GET", "/courses/{course_id}/lessons/{lesson_id}", {}),
        ("POST", "/lessons/{lesson_id}/complete", {}),
        ("GET", "/quizzes/{quiz_id}", {}),
        ("GET", "/quizzes/{quiz_id}/attempts", {}),
        ("POST", "/attempts", {"quiz_id": "{quiz_id}", "device_id": "laptop"}),
    ],
)
async def test_a_draft_in_a_course_that_one_sees_is_not_there(
    leaks: Leaks, method: str, path: str, body: dict[str, str]
) -> None:
    drafts = leaks.school.places[Place.DRAFT]
    nothing = {**drafts, "lesson_id": new_id("les"), "quiz_id": new_id("quz")}
    for person in (Person.OWNER, Person.ENROLLED, Person.OTHER, Person.OTHER_TEACHER):
        told = []
        for ids in (drafts, nothing):
            options = {"json": {name: value.format_map(ids) for name, value in body.items()}} if body else {}
            told.append(await leaks.told(leaks.school.people[person], method, f"/api/v1{path}", ids, **options))
        assert told[0] == told[1], person
        assert _tells_nothing(told[0]), person


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/enrollments", "course_id"),
        ("/attempts", "course_id"),
        ("/attempts", "quiz_id"),
        ("/attempts?limit=5", "quiz_id"),
        ("/quizzes", "course_id"),
        ("/quizzes", "lesson_id"),
        ("/questions", "quiz_id"),
    ],
)
async def test_a_filter_by_what_is_hidden_finds_as_little_as_one_by_nothing(leaks: Leaks, path: str, name: str) -> None:
    persons = [Person.OTHER_TEACHER] if path == "/questions" else [Person.OTHER, Person.OTHER_TEACHER]
    mark = "&" if "?" in path else "?"
    for person in persons:
        who, url = leaks.school.people[person], f"/api/v1{path}{mark}{name}={{{name}}}"
        of_hidden = await leaks.told(who, "GET", url, leaks.hidden)
        assert of_hidden == await leaks.told(who, "GET", url, leaks.absent), person
        assert of_hidden[0] == 200
        assert '"items":[]' in of_hidden[2]


async def test_a_hidden_course_is_not_found_by_its_slug_either(leaks: Leaks) -> None:
    former = await factories.course(leaks.school.teacher, title="Once named")
    await leaks.school.teacher.ok("PATCH", f"/courses/{former['id']}", json={"slug": "twice-named"})
    await leaks.school.teacher.ok("POST", f"/courses/{former['id']}/unpublish")
    for person in (Person.STRANGER, Person.OTHER, Person.OTHER_TEACHER):
        who, path = leaks.school.people[person], "/api/v1/courses/{slug}"
        of_nothing = await leaks.told(who, "GET", path, {"slug": "never-named"})
        for slug in (leaks.hidden["slug"], "once-named", "twice-named"):
            assert await leaks.told(who, "GET", path, {"slug": slug}) == of_nothing, (person, slug)


async def test_conditions_tell_nothing_of_what_is_hidden(leaks: Leaks) -> None:
    shown = await leaks.school.teacher.call("GET", f"/courses/{leaks.hidden['course_id']}")
    etag = shown.headers["ETag"]
    other = leaks.school.people[Person.OTHER_TEACHER]
    path, absent = "/api/v1/courses/{course_id}", leaks.absent
    for value in (etag, '"999"', "*"):
        for method, headers in (("GET", {"If-None-Match": value}), ("PATCH", {"If-Match": value})):
            body = {"json": {"title": "Mine"}} if method == "PATCH" else {}
            of_hidden = await leaks.told(other, method, path, leaks.hidden, headers=headers, **body)
            of_nothing = await leaks.told(other, method, path, absent, headers=headers, **body)
            assert of_hidden == of_nothing
            assert of_hidden[0] == 404


async def test_nobody_gets_the_reply_to_anothers_request_by_its_key(leaks: Leaks) -> None:
    course = await factories.course(leaks.school.teacher, title="Wanted")
    one, two = await leaks.school.house.student(), await leaks.school.house.student()
    asked = {"headers": {"Idempotency-Key": "the-same-key"}, "json": {"course_id": course["id"]}}
    first = await one.ok("POST", "/enrollments", **asked)
    second = await two.ok("POST", "/enrollments", **asked)
    assert (first["student_id"], second["student_id"]) == (one.user_id, two.user_id)
    asked["json"] = {"course_id": leaks.hidden["course_id"]}
    third = leaks.school.people[Person.OTHER]
    of_hidden = await leaks.told(third, "POST", "/api/v1/enrollments", leaks.hidden, **asked)
    asked = {"headers": {"Idempotency-Key": "another-key"}, "json": {"course_id": leaks.absent["course_id"]}}
    of_nothing = await leaks.told(third, "POST", "/api/v1/enrollments", leaks.hidden, **asked)
    assert of_hidden[:1] == of_nothing[:1] == (404,)


async def test_searching_the_catalogue_finds_no_word_of_what_is_hidden(leaks: Leaks) -> None:
    teacher = leaks.school.teacher
    hidden = await factories.course(teacher, title="Zygomorphic blossoms", category="Quagga", tags=["okapi"])
    await teacher.ok("POST", f"/courses/{hidden['id']}/unpublish")
    shown = await factories.course(teacher, title="Botany")
    await teacher.ok("POST", f"/courses/{shown['id']}/lessons", json={"title": "Axolotl", "content_type": "text"})
    for person, who in leaks.school.people.items():
        for params in ({"q": "zygomorphic"}, {"q": "axolotl"}, {"category": "Quagga"}, {"tag": "okapi"}):
            found = await who.ok("GET", "/courses", params=params)
            assert (found["items"], found["total"], found["pages"]) == ([], 0, 0), (person, params)
        named = await who.ok("GET", "/categories", params={"page_size": 100})
        assert "Quagga" not in str(named)
    own = await leaks.school.people[Person.OTHER_TEACHER].ok("GET", "/courses/me", params={"q": "zygomorphic"})
    assert (own["items"], own["total"]) == ([], 0)


async def test_a_teacher_finds_their_own_students_by_name_and_nobody_else_by_anything(leaks: Leaks) -> None:
    school, other = leaks.school, leaks.school.people[Person.OTHER_TEACHER]
    nobodys = await school.house.student("Xanthippe Nobodys")
    for who, words in (
        (school.teacher, ("xanthippe", nobodys.user["email"], school.owner.user["email"])),
        (other, ("xanthippe", "olwen", nobodys.user["email"])),
    ):
        for q in words:
            found = await who.ok("GET", "/users", params={"q": q})
            assert (found["items"], found["total"]) == ([], 0), q
    assert (await school.teacher.ok("GET", "/users", params={"q": "olwen"}))["total"] == 1
    assert (await other.ok("GET", "/users"))["total"] == 0
    for sort in ("email", "last_login_at"):
        await school.teacher.refused(422, "GET", "/users", params={"sort": sort})
    learner = (await school.teacher.ok("GET", "/users", params={"q": "olwen"}))["items"][0]
    assert not {"last_login_at", "mfa_enabled", "has_password", "permissions", "email_verified_at"} & set(learner)


async def test_who_does_not_teach_is_no_teacher_to_anybody(leaks: Leaks) -> None:
    school, path = leaks.school, "/api/v1/instructors/{course_id}"
    stranger = school.people[Person.STRANGER]
    of_nothing = await leaks.told(stranger, "GET", path, {"course_id": new_id("usr")})
    assert of_nothing[0] == 404
    for hidden in (school.owner, school.people[Person.ADMIN]):
        assert await leaks.told(stranger, "GET", path, {"course_id": hidden.user_id}) == of_nothing


async def test_who_enrols_others_does_not_learn_whose_account_is_closed(leaks: Leaks) -> None:
    school = leaks.school
    closed, admin = await school.house.student(), school.people[Person.ADMIN]
    await admin.ok("PATCH", f"/admin/users/{closed.user_id}", json={"is_active": False})
    told = []
    for student_id in (closed.user_id, new_id("usr")):
        body = {"course_id": school.places[Place.SHOWN]["course_id"], "student_id": student_id}
        told.append(await leaks.told(school.teacher, "POST", "/api/v1/enrollments", {}, json=body))
    assert told[0] == told[1]


async def test_a_quiz_for_a_hidden_lesson_is_refused_like_one_for_none(leaks: Leaks) -> None:
    other = leaks.school.people[Person.OTHER_TEACHER]
    mine = await factories.course(other, title="Mine")
    told = []
    for lesson_id in (leaks.hidden["lesson_id"], leaks.absent["lesson_id"]):
        body = {"course_id": mine["id"], "title": "Mine", "lesson_id": lesson_id}
        told.append(await leaks.told(other, "POST", "/api/v1/quizzes", {"lesson_id": lesson_id}, json=body))
    assert told[0] == told[1]


async def test_listening_asks_as_much_for_what_is_hidden_as_for_nothing(leaks: Leaks) -> None:
    services = leaks.school.house.services
    for person in (Person.OTHER, Person.ENROLLED, Person.OTHER_TEACHER):
        actor = await services.sessions.authenticate(leaks.school.people[person].tokens["access_token"])
        for kind in ("course", "staff", "attempt", "live"):
            costs = []
            for number, ids in enumerate((leaks.hidden, leaks.absent)):
                with as_request(name := f"{person}-{kind}-{number}"):
                    assert not await services.subscriptions.may_listen(actor, _channel(kind, ids))
                costs.append(leaks.commands[name])
            assert costs[0] == costs[1] > 0, (person, kind)


def _channel(kind: str, ids: Ids) -> str:
    return {
        "course": course_channel(ids["course_id"]),
        "staff": course_staff_channel(ids["course_id"]),
        "attempt": attempt_channel(ids["attempt_id"]),
        "live": quiz_live_channel(ids["quiz_id"]),
    }[kind]
