"""Schemathesis against the whole product: whatever is sent, by whomever, is answered as the document says, never by 5xx.

Every operation that changes something gets a school of its own, with things to find under real ids (those that read look
at one together): each is tried with those and with others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks

from handlers.rest.dispatch import full_patterns
from handlers.routes import ROUTES, openapi_document
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.conftest import table_settings

load_all_checks()
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
CHECKED = CHECKS.get_by_names(
    ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
)
EXAMPLES = 12
QUESTION = {
    "question_text": "2 + 2?",
    "question_type": "numeric",
    "points": 1,
    "correct_answer": {"value": 4, "tolerance": 0, "tolerance_type": "absolute"},
}
ROWS = [(method, pattern) for row in ROUTES for pattern in full_patterns(row) for method in row.methods]


@dataclass
class School:
    """Who calls, and what there is to be found."""

    callers: tuple[str, ...]
    ids: dict[str, str]


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    path: Path = tmp_path_factory.mktemp("schemathesis")
    async with open_house(settings_on("embedded", request, path)) as opened:
        yield opened


@pytest.fixture(scope="module")
async def to_look_at(house: House) -> School:
    return await found_school(house)


@pytest.fixture
async def school(house: House, to_look_at: School, method: str) -> School:
    return to_look_at if method == "GET" else await found_school(house)


async def found_school(house: House) -> School:
    """A published course with a lesson and a quiz that a student sits."""
    teacher, student = await house.teacher(), await house.student()
    course = await teacher.ok("POST", "/courses", json={"title": "Sums", "description": "Adding"})
    lesson = await teacher.ok(
        "POST", f"/courses/{course['id']}/lessons", json={"title": "One", "is_published": True, "content": "1"}
    )
    await teacher.ok("POST", f"/courses/{course['id']}/publish")
    quiz = await teacher.ok("POST", "/quizzes", json={"title": "Quiz", "course_id": course["id"]})
    question = await teacher.ok("POST", f"/quizzes/{quiz['id']}/questions", json=QUESTION)
    await teacher.ok("POST", f"/quizzes/{quiz['id']}/publish")
    enrollment = await student.ok("POST", "/enrollments", json={"course_id": course["id"]})
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
    tokens = [str(person.tokens["access_token"]) for person in (teacher, student)]
    ids = {
        "course_id": course["id"],
        "course": course["slug"],
        "lesson_id": lesson["id"],
        "quiz_id": quiz["id"],
        "question_id": question["id"],
        "enrollment_id": enrollment["id"],
        "attempt_id": attempt["id"],
    }
    return School((*tokens, *tokens, *tokens, ""), ids)  # mostly somebody who is known


DOCUMENT: Any = schemathesis.openapi.from_dict(openapi_document(table_settings()))


@pytest.mark.parametrize(("method", "pattern"), ROWS, ids=[f"{method} {pattern}" for method, pattern in ROWS])
async def test_whatever_is_sent_is_answered_as_described(
    house: House, school: School, method: str, pattern: str
) -> None:
    await asyncio.to_thread(_try, house.address, school, DOCUMENT[pattern][method])


def _try(address: str, school: School, operation: Any) -> None:
    """Send generated requests; every answer is checked. What is found is not shrunk: the school has moved on."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(),
        is_real=st.sampled_from((True, True, False)),
        caller=st.sampled_from(school.callers),
    )
    def answered(case: Any, is_real: bool, caller: str) -> None:
        if is_real:
            _point_at(case, school.ids)
        headers = {"Authorization": f"Bearer {caller}"} if caller else {}
        response = case.call(base_url=address, headers=headers, timeout=30)
        case.validate_response(response, checks=CHECKED)

    answered()


def _point_at(case: Any, ids: dict[str, str]) -> None:
    """Put ids of what there is into the path, the query and the body."""
    for place in (case.path_parameters, case.query, case.body):
        if isinstance(place, dict):
            place.update({name: ids[name] for name in place if name in ids})
    case.headers.pop("If-Match", None)
