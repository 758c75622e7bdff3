"""No key, weight, feedback or explanation reaches a student before the quiz allows: not one byte, whatever is asked for.

A quiz of every type, its keys full of words that stand nowhere else. A student sits it, a classmate does not, and both ask
for everything that there is: each operation that reads, what an attempt takes, every page, and all that is told live.
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest

from handlers.rest.dispatch import full_patterns
from handlers.routes import ROUTES
from lms_rt.contracts.channels import attempt_channel, course_channel, user_channel
from lms_rt.security.rights import Person
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.live.node_school import Watcher, watching
from tests.rest.rights.asking import options_of
from tests.rest.rights.house import rights_house
from tests.rest.rights.sandboxed import sandbox_checkout
from tests.rest.rights.school import Ids, Place, RightsSchool, opened
from tests.rest.test_page_rights import PATHS

WORDS = ("wordofakey", "wordofaremark", "wordofareason", "27182.8183", "0.0577", "37.1234", "62.8766")
"""Of keys, of feedback, of explanations; a number that is asked for, its tolerance, and two weights."""
MEMBERS = frozenset(
    {
        "correct_answer",
        "weight",
        "feedback",
        "explanation",
        "explanation_html",
        "is_correct",
        "points_awarded",
        "accepted",
    }
)
"""What no student is told a value of."""
OF_A_GRADE = {"/courses/{course_id}/grades": frozenset({".parts[].weight"})}
"""What is called as a member above and is another thing: what a category counts for in a grade, of no option of a question."""
_EXPLAINED = {"explanation": "wordofareason", "points": 2}
_SIDES = {
    "left": [{"id": "l1", "text": "One"}, {"id": "l2", "text": "Two"}],
    "right": [{"id": "r1", "text": "I"}, {"id": "r2", "text": "II"}],
}
_OPTIONS = [{"id": one, "text": one.upper()} for one in ("a", "b", "c")]
_WEIGHTED = [
    {"id": "a", "text": "A", "weight": "37.1234", "feedback": "wordofaremark"},
    {"id": "b", "text": "B", "weight": "62.8766"},
    {"id": "c", "text": "C", "weight": "-37.1234", "feedback": "wordofaremark"},
]
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"question_type": "multiple_choice", "options": _WEIGHTED, "correct_answer": {"option_id": "b"}},
    {"question_type": "multiple_select", "options": _WEIGHTED, "correct_answer": {"option_ids": ["a", "b"]}, "partial_credit": True},
    {"question_type": "true_false", "correct_answer": {"value": True, "feedback_true": "wordofaremark", "feedback_false": "wordofaremark"}},
    {
        "question_type": "short_answer",
        "correct_answer": {"accepted": [{"text": "wordofakey", "weight": 100, "feedback": "wordofaremark"}], "pattern": "wordofakey+"},
    },
    {
        "question_type": "numeric",
        "correct_answer": {"value": "27182.8183", "tolerance": "0.0577", "tolerance_type": "absolute"},
    },
    {"question_type": "matching", "options": _SIDES, "correct_answer": {"pairs": {"l1": "r2", "l2": "r1"}}},
    {"question_type": "ordering", "options": _OPTIONS, "correct_answer": {"sequence": ["c", "a", "b"]}},
    {"question_type": "essay"},
)  # fmt: skip
ANSWERS: dict[str, Any] = {
    "multiple_choice": "a", "multiple_select": ["a"], "true_false": True, "short_answer": "Cairo", "numeric": "27182",
    "matching": {"l1": "r1"}, "ordering": ["c", "a", "b"], "essay": "Words.",
}  # fmt: skip
CURIOUS = (Person.OWNER, Person.ENROLLED, Person.DROPPED, Person.STRANGER, Person.OTHER_TEACHER)
"""Who sits it, a classmate, who has left, nobody, and who teaches something else."""


@dataclass
class Hall:
    """The quiz in its school, and everything that was read so far."""

    school: RightsSchool
    ids: Ids
    line: Watcher
    faults: list[str] = field(default_factory=list)

    def read(self, where: str, content: str, *, harmless: frozenset[str] = frozenset()) -> None:
        """Look through what came, as it stands and as it is written in pages."""
        for word in WORDS:
            if word in content or word in html.unescape(content):
                self.faults.append(f"{where} tells {word}")
        for told in _objects(content):
            self.faults += [f"{where} tells {path}" for path in _telling(told, "") if path not in harmless]

    def read_reply(self, reply: httpx.Response, *, to: Person, row: str = "") -> None:
        """The same for a reply, headers included."""
        where = f"{reply.request.method} {reply.request.url.path} ({reply.status_code}, to {to})"
        self.read(where, reply.text + str(reply.headers), harmless=OF_A_GRADE.get(row, frozenset()))

    async def ask_everything(self, *people: Person) -> None:
        """Everything that can be read, by these."""
        address = self.school.house.address
        for row in ROUTES:
            if "GET" not in row.methods:
                continue
            for person in people:
                url = address + full_patterns(row)[0].format_map(self.ids)
                options = options_of(row, self.ids)
                reply = await self.school.people[person].http.request("GET", url, **options)
                self.read_reply(reply, to=person, row=row.path)

    async def see_everything(self) -> None:
        """Every page."""
        for person in (Person.OWNER, Person.ENROLLED):
            async with httpx.AsyncClient(base_url=self.school.house.address, trust_env=False, timeout=30) as browser:
                browser.cookies.set("lms_access", self.school.people[person].tokens["access_token"])
                for path in filter(None, PATHS.values()):
                    reply = await browser.get(path.format_map(self.ids), headers={"Accept": "text/html"})
                    self.read_reply(reply, to=person)

    def hear_everything(self) -> None:
        """All that was told on the line so far."""
        for frame in self.line.frames:
            self.read(
                f"the frame {frame.get('event') or frame.get('type') or frame.get('id')}", orjson.dumps(frame).decode()
            )


def _objects(content: str) -> Iterator[Any]:
    """The JSON that a reply is, or that stands in a page."""
    for text in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', content, re.DOTALL) or [content]:
        try:
            yield orjson.loads(text.split("Headers({")[0])
        except orjson.JSONDecodeError:
            continue


def _telling(told: Any, path: str) -> Iterator[str]:
    """The members that tell what no student is told, with the way to them."""
    if isinstance(told, dict):
        is_schema = {"openapi", "asyncapi"} & told.keys()
        for name, value in told.items():
            if name in MEMBERS and value is not None:
                yield f"{path}.{name}"
            elif not is_schema:
                yield from _telling(value, f"{path}.{name}")
    elif isinstance(told, list):
        for value in told:
            yield from _telling(value, f"{path}[]")


@pytest.fixture(scope="module", params=["embedded"])
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with rights_house(request, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
async def school(house: House) -> RightsSchool:
    return await opened(house)


@pytest.fixture(params=["never", "after_close", "after_pass", "after_submit"])
async def hall(request: pytest.FixtureRequest, school: RightsSchool) -> AsyncIterator[Hall]:
    """A quiz that shows its answers as the name of the case says, begun by the student."""
    ids = dict(school.places[Place.SHOWN])
    questions = tuple({"question_text": f"Question {n}", **_EXPLAINED, **one} for n, one in enumerate(QUESTIONS))
    policy = {"show_correct_answers": request.param, "time_limit_minutes": 30}
    quiz = await factories.quiz(school.teacher, ids["course_id"], questions, **policy)
    owner = school.owner
    ids["slug"] = (await owner.ok("GET", f"/courses/{ids['course_id']}"))["slug"]
    ids["sandbox_id"] = await sandbox_checkout(school.house, owner.user_id)
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(watching(owner))
        attempt = await line.ok("attempt.start", quiz_id=quiz["id"], device_id="laptop")
        for channel in (attempt_channel(attempt["id"]), course_channel(ids["course_id"]), user_channel(owner.user_id)):
            await line.ok("subscribe", channel=channel)
        ids |= {
            "quiz_id": quiz["id"],
            "attempt_id": attempt["id"],
            "graded_id": attempt["id"],
            "lease": attempt["lease"],
        }
        yield Hall(school, ids | {"question_id": attempt["questions"][0]["id"]}, line)


async def _answered(hall: Hall, student: Visitor) -> None:
    """Every question is answered, by socket and by REST; what is no answer is refused."""
    attempt_id, lease = hall.ids["attempt_id"], hall.ids["lease"]
    attempt = await student.ok("GET", f"/attempts/{attempt_id}")
    for place, question in enumerate(attempt["questions"]):
        known = {"attempt_id": attempt_id, "device_id": "laptop", "lease": lease, "base_revision": 0}
        row = {"question_id": question["id"], "op_id": f"{attempt_id}-{place}", "seq": place + 1}
        await hall.line.ask("answer.save", **known, **row, value={"not": "an answer"})
        await hall.line.ok("answer.save", **known, **row, value=ANSWERS[question["question_type"]])
    await hall.line.ok("attempt.sync", attempt_id=attempt_id, have=["unheard-of"])


async def test_no_key_reaches_a_student_before_the_quiz_allows(hall: Hall, request: pytest.FixtureRequest) -> None:
    owner, teacher, ids = hall.school.owner, hall.school.teacher, hall.ids
    policy = request.node.callspec.params["hall"]
    await _answered(hall, owner)
    await teacher.ok("POST", f"/quizzes/{ids['quiz_id']}/live/announce", json={"text": "Read on.", "reason": "why"})
    await teacher.ok("POST", f"/quizzes/{ids['quiz_id']}/live/extend", json={"seconds": 60, "reason": "why"})
    if policy == "never":
        fix = {"action": "full_credit", "reason": "It was not clear."}
        await teacher.ok("POST", f"/quizzes/{ids['quiz_id']}/questions/{ids['question_id']}/correct", json=fix)
        await hall.ask_everything(*CURIOUS)  # before the close all policies are alike
        await hall.see_everything()
    await owner.ok("POST", f"/attempts/{ids['attempt_id']}/submit", json={})
    if policy != "after_submit":
        await hall.ask_everything(Person.OWNER, Person.ENROLLED)
        await hall.see_everything()
        hall.hear_everything()
    assert hall.faults == []
    told = await owner.ok("GET", f"/attempts/{ids['attempt_id']}/results")
    shows_keys = "wordofakey" in orjson.dumps(told).decode()
    assert shows_keys == (policy == "after_submit"), "what is allowed is shown, or this test sees nothing"
