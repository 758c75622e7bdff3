"""A teacher steers a quiz that runs: over the socket and by REST, with what each student's page hears, and who has seen it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from lms_rt.client.ear import Ear
from lms_rt.client.faults import CommandRefusedError
from lms_rt.client.live import LiveClient
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.live.test_exam import PATIENCE_SECONDS, Exam, Screen, open_exam


class Desk:
    """The teacher's line, with what is heard on the quiz's channel."""

    def __init__(self, live: LiveClient, quiz_id: str) -> None:
        self.live, self.quiz_id = live, quiz_id
        self.events: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.has_news = asyncio.Event()

    async def listen(self) -> None:
        channel = f"quiz:{self.quiz_id}:live"
        await self.live.subscribe(Ear(channel, on_event=self._event, on_state=self._state))

    async def order(self, kind: str, **fields: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.live.command(f"live.{kind}", quiz_id=self.quiz_id, **fields)
        return reply

    async def hears(self, name: str, among: list[dict[str, Any]], **facts: Any) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for one in among:
                    if one["event"] == name and all(one["data"].get(key) == value for key, value in facts.items()):
                        return one
                self.has_news.clear()
                await self.has_news.wait()

    def _event(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.has_news.set()

    def _state(self, state: dict[str, Any]) -> None:
        self.states.append(state)
        self.has_news.set()


@pytest.fixture
async def exam(house: House) -> AsyncIterator[Exam]:
    async with open_exam(house, time_limit_minutes=30) as opened:
        yield opened


@pytest.fixture
async def desk(exam: Exam) -> AsyncIterator[Desk]:
    url = f"ws{exam.house.address.removeprefix('http')}/ws"
    async with AsyncExitStack() as stack:
        live = await stack.enter_async_context(LiveClient(url, ticket=exam.teacher.ticket))
        made = Desk(live, exam.quiz["id"])
        await made.listen()
        yield made


async def test_a_quiz_is_paused_goes_on_is_extended_and_ended(exam: Exam, desk: Desk) -> None:
    laptop = await exam.started()
    paused = await desk.order("pause", reason="Fire alarm", op_id=str(uuid.uuid4()))
    assert paused["applied"] == [laptop.attempt["id"]]
    heard = await laptop.hears("quiz_paused")
    assert heard["id"] == heard["data"]["control_id"] == paused["control_id"]
    assert (heard["data"]["status"], heard["data"]["reason"]) == ("paused", "Fire alarm")
    assert (await laptop.refused(laptop.operation("true_false", True))).code == "attempt_paused"
    late = await exam.house.student()
    await factories.enrolled(late, exam.quiz["course_id"])
    problem = await late.refused(409, "POST", "/attempts", json={"quiz_id": exam.quiz["id"]})
    assert problem["code"] == "quiz_paused"

    await desk.order("resume")
    resumed = (await laptop.hears("quiz_resumed"))["data"]
    assert abs(resumed["remaining_ms"] - heard["data"]["remaining_ms"]) < 5_000
    saved = await laptop.save(laptop.operation("true_false", True))
    extended = await desk.order("extend", seconds=90, attempt_ids=[laptop.attempt["id"]])
    told = (await laptop.hears("quiz_extended"))["data"]
    assert (told["seconds"], told["control_id"]) == (90, extended["control_id"])
    assert told["remaining_ms"] > resumed["remaining_ms"] + 60_000
    assert told["revision"] > saved["revision"]

    ended = await desk.order("end", reason="Enough")
    assert ended["applied"] == [laptop.attempt["id"]]
    as_told = (await laptop.hears("quiz_ended"))["data"]["status"]
    assert as_told in {"submitted", "graded"}  # how it stands at the moment of telling: it is being graded
    await laptop.hears("attempt_graded")
    shown = await exam.student.ok("GET", f"/attempts/{laptop.attempt['id']}")
    assert (shown["status"], shown["submitted_by"]) == ("graded", "instructor")
    kinds = [(message["kind"], message["reason"], message["seconds"]) for message in shown["messages"]]
    assert kinds == [("pause", "Fire alarm", None), ("resume", "", None), ("extend", "", 90), ("end", "Enough", None)]


async def test_a_word_is_kept_and_the_teacher_learns_who_has_seen_it(exam: Exam, desk: Desk) -> None:
    laptop, other = await exam.started(), await _another(exam)
    told = await exam.teacher.ok(
        "POST", f"/quizzes/{exam.quiz['id']}/live/announce", json={"text": "Question 2: read “all”.", "op_id": "word"}
    )
    assert sorted(told["applied"]) == sorted([laptop.attempt["id"], other.attempt["id"]])
    applied = await desk.hears("control_applied", desk.events, control_id=told["control_id"])
    assert applied["data"] == {"control_id": told["control_id"], "number": 1, "kind": "announce", "scope": "all"}
    event = await laptop.hears("exam_announcement")
    assert event["data"]["text"] == "Question 2: read “all”."
    await laptop.live.command("attempt.seen", attempt_id=laptop.attempt["id"], event_id=event["id"])
    state = await desk.hears("receipts", desk.states, control_id=told["control_id"], seen=1)
    assert state["data"]["applied"] == 2

    path = f"/quizzes/{exam.quiz['id']}/live/controls"
    (listed,) = (await exam.teacher.ok("GET", path))["items"]
    assert (listed["applied_count"], listed["seen_count"], listed["by_name"]) == (2, 1, exam.teacher.user["full_name"])
    detail = await exam.teacher.ok("GET", f"{path}/{told['control_id']}")
    assert [one["attempt_id"] for one in detail["unseen"]["items"]] == [other.attempt["id"]]
    kept = await exam.student.ok("GET", f"/attempts/{laptop.attempt['id']}")
    assert [(one["text"], one["is_seen"]) for one in kept["messages"]] == [("Question 2: read “all”.", True)]
    again = await exam.teacher.ok(
        "POST", f"/quizzes/{exam.quiz['id']}/live/announce", json={"text": "Question 2: read “all”.", "op_id": "word"}
    )
    assert again["control_id"] == told["control_id"]
    assert (await exam.teacher.ok("GET", path))["total"] == 1


async def test_who_was_away_hears_what_was_ordered_meanwhile(exam: Exam, desk: Desk) -> None:
    laptop = await exam.started()
    laptop.live.drop()
    await desk.order("extend", seconds=600)
    resumed = await laptop.enter("attempt.resume", attempt_id=laptop.attempt["id"])
    assert resumed["remaining_ms"] > 31 * 60_000
    assert [message["kind"] for message in resumed["messages"]] == ["extend"]


async def test_orders_that_are_none(exam: Exam, desk: Desk) -> None:
    path = f"/quizzes/{exam.quiz['id']}/live"
    laptop = await exam.started()
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("extend", {}),
        ("extend", {"seconds": 0}),
        ("extend", {"seconds": -60}),
        ("extend", {"seconds": 86_401}),
        ("pause", {"attempt_ids": []}),
        ("pause", {"attempt_ids": [laptop.attempt["id"]], "group": "A"}),
        ("pause", {"attempt_ids": ["att_nobody"]}),
        ("pause", {"group": "Nobody's"}),
        ("pause", {"seconds": 5}),
        ("announce", {"text": " "}),
        ("end", {"reason": "x" * 501}),
    ]
    for kind, body in wrong:
        reply = await exam.teacher.call("POST", f"{path}/{kind}", json=body)
        assert reply.status_code == 422, (kind, body)
    for kind, body in wrong[:3]:
        with pytest.raises(CommandRefusedError) as caught:
            await desk.order(kind, **body)
        assert caught.value.code == "invalid_command"
    assert (await exam.teacher.ok("GET", f"{path}/controls"))["total"] == 0
    with pytest.raises(CommandRefusedError) as caught:
        await desk.order("end", group="Nobody's")
    assert [(fault["field"], fault["code"]) for fault in caught.value.fields] == [("group", "unknown")]
    with pytest.raises(CommandRefusedError):
        await desk.order("end", seconds=5)
    assert (await exam.teacher.ok("GET", f"{path}/controls"))["total"] == 0
    (await exam.teacher.ok("POST", f"{path}/extend", json={"seconds": 60, "op_id": "one"}))
    reused = await exam.teacher.call("POST", f"{path}/extend", json={"seconds": 90, "op_id": "one"})
    assert (reused.status_code, reused.json()["code"]) == (409, "op_id_reused")


async def test_every_order_takes_the_fields_of_the_others_as_null(exam: Exam, desk: Desk) -> None:
    laptop = await exam.started()
    nothing = dict.fromkeys(("attempt_ids", "group", "seconds", "text", "op_id"))
    whole: dict[str, Any] = {**nothing, "reason": "All"}
    for kind, own in (
        ("pause", {}),
        ("resume", {}),
        ("extend", {"seconds": 5}),
        ("announce", {"text": "Hi"}),
        ("end", {}),
    ):
        assert (await desk.order(kind, **whole | own))["applied"] == [laptop.attempt["id"]], kind


async def test_a_group_that_is_enrolled_is_ordered_before_any_of_it_begins(exam: Exam, desk: Desk) -> None:
    student_id = exam.student.user["id"]
    named = {"group": "Late", "student_ids": [student_id]}
    await exam.teacher.ok("POST", f"/courses/{exam.quiz['course_id']}/groups", json=named)
    assert (await desk.order("pause", group="Late"))["applied"] == []
    refused = await exam.student.call("POST", f"/quizzes/{exam.quiz['id']}/attempts", json={"device_id": "laptop"})
    assert refused.json()["code"] == "quiz_paused"


async def _another(exam: Exam) -> Screen:
    student: Visitor = await exam.house.student()
    await factories.enrolled(student, exam.quiz["course_id"])
    url = f"ws{exam.house.address.removeprefix('http')}/ws"
    live = await exam.open_screens.enter_async_context(LiveClient(url, ticket=student.ticket))
    screen = Screen(live, student, "tablet")
    await screen.enter("attempt.start", quiz_id=exam.quiz["id"])
    return screen
