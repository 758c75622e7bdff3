"""An exam as it is sat: two screens, lost lines, a deadline, both ways in, and frames that are none. On both lanes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from lms_rt.client.ear import Ear
from lms_rt.client.faults import CommandRefusedError
from lms_rt.client.live import LiveClient
from tests import factories
from tests.clients import Visitor
from tests.house import House

PATIENCE_SECONDS = 60
"""Longer than the life of a quiz that had to stay open longest (`begun_before_closing`), with its grace."""
GRACE_SECONDS = 2
OPEN_SECONDS = 2


@dataclass
class Screen:
    """One page of a student: its line, its lease, and what it heard on the attempt's channel."""

    live: LiveClient
    student: Visitor
    device_id: str
    attempt: dict[str, Any] = field(default_factory=dict)
    heard: list[dict[str, Any]] = field(default_factory=list)
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    seq: int = 0

    async def enter(self, command: str, **fields: Any) -> dict[str, Any]:
        """Start, resume or take over."""
        if command == "attempt.resume":
            fields["lease"] = self.attempt.get("lease")
        self.attempt = await self.live.insist(command, device_id=self.device_id, **fields)
        subscription = self.attempt["subscription"]
        self.live.adopt(Ear(subscription["channel"], on_event=self._hear), subscription)
        return self.attempt

    def operation(self, question: str, value: Any, *, base_revision: int = 0) -> dict[str, Any]:
        """An answer to the first question of this type, not sent yet."""
        self.seq += 1
        question_id = next(one["id"] for one in self.attempt["questions"] if one["question_type"] == question)
        return {
            "question_id": question_id,
            "value": value,
            "op_id": str(uuid.uuid4()),
            "seq": self.seq,
            "base_revision": base_revision,
        }

    async def save(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Over the socket."""
        reply: dict[str, Any] = await self.live.command("answer.save", **self._held, **operation)
        return reply

    async def patch(self, *operations: dict[str, Any]) -> dict[str, Any]:
        """By REST."""
        body = {"answers": list(operations), "device_id": self.device_id, "lease": self._lease}
        reply: dict[str, Any] = await self.student.ok("PATCH", f"/attempts/{self.attempt['id']}/answers", json=body)
        return reply

    async def refused(self, operation: dict[str, Any]) -> CommandRefusedError:
        """The refusal of a save."""
        with pytest.raises(CommandRefusedError) as caught:
            await self.save(operation)
        return caught.value

    async def hears(self, name: str) -> dict[str, Any]:
        """The next event of this name, heard before or yet to come."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for event in self.heard:
                    if event["event"] == name:
                        self.heard.remove(event)
                        return event
                self.has_news.clear()
                await self.has_news.wait()

    @property
    def _lease(self) -> str:
        return self.attempt["lease"] or "none"

    @property
    def _held(self) -> dict[str, Any]:
        return {"attempt_id": self.attempt["id"], "device_id": self.device_id, "lease": self._lease}

    def _hear(self, event: dict[str, Any]) -> None:
        self.heard.append(event)
        self.has_news.set()


@dataclass
class Exam:
    """A published quiz, an enrolled student, and screens as they are wanted."""

    house: House
    teacher: Visitor
    student: Visitor
    quiz: dict[str, Any]
    open_screens: AsyncExitStack

    async def screen(self, device_id: str) -> Screen:
        url = f"ws{self.house.address.removeprefix('http')}/ws"
        live = await self.open_screens.enter_async_context(LiveClient(url, ticket=self.student.ticket))
        return Screen(live, self.student, device_id)

    async def started(self, device_id: str = "laptop") -> Screen:
        screen = await self.screen(device_id)
        await screen.enter("attempt.start", quiz_id=self.quiz["id"])
        return screen


@asynccontextmanager
async def open_exam(house: House, **quiz: Any) -> AsyncIterator[Exam]:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    await factories.enrolled(student, course["id"])
    made = await factories.quiz(teacher, course["id"], **quiz)
    async with AsyncExitStack() as stack:
        yield Exam(house, teacher, student, made, stack)


@pytest.fixture
async def exam(house: House) -> AsyncIterator[Exam]:
    async with open_exam(house) as opened:
        yield opened


def stored(attempt: dict[str, Any]) -> dict[str, Any]:
    return {question_id: answer["value"] for question_id, answer in attempt["answers"].items()}


# --- two screens ---


async def test_a_second_screen_reads_until_it_takes_over(exam: Exam) -> None:
    laptop, phone = await exam.started("laptop"), await exam.screen("phone")
    read_only = await phone.enter("attempt.resume", attempt_id=laptop.attempt["id"])
    assert (read_only["lease"], read_only["writer"]) == (None, {"device_id": "laptop", "is_me": False})
    assert (await phone.refused(phone.operation("true_false", True))).code == "not_writer"

    taken = await phone.enter("attempt.take_over", attempt_id=laptop.attempt["id"])
    assert (taken["writer"]["is_me"], bool(taken["lease"])) == (True, True)
    assert (await laptop.hears("writer_changed"))["data"]["device_id"] == "phone"
    refused = await laptop.refused(laptop.operation("true_false", False))
    assert (refused.code, refused.data["writer"]) == ("not_writer", {"is_me": False})
    assert (await phone.save(phone.operation("true_false", True)))["writer"] == {"is_me": True}
    assert (await laptop.hears("answer_saved"))["data"]["device_id"] == "phone"


async def test_what_another_screen_wrote_is_not_overwritten_unseen(exam: Exam) -> None:
    laptop, phone = await exam.started("laptop"), await exam.screen("phone")
    first = await laptop.save(operation := laptop.operation("short_answer", "Cairo"))
    await phone.enter("attempt.take_over", attempt_id=laptop.attempt["id"])

    offline = phone.operation("short_answer", "Alexandria")
    refused = await phone.refused(offline)
    assert refused.code == "conflict"
    assert (refused.data["stored"]["value"], refused.data["stored"]["revision"]) == ("Cairo", first["revision"])
    by_rest = await phone.patch(offline)
    assert (by_rest["saved"], by_rest["conflicts"][0]["stored"]["value"]) == ([], "Cairo")
    await phone.save(phone.operation("short_answer", "Giza", base_revision=first["revision"]))
    shown = await exam.student.ok("GET", f"/attempts/{laptop.attempt['id']}")
    assert stored(shown) == {operation["question_id"]: "Giza"}


async def test_a_dropped_line_comes_back_as_the_writer_and_resends_what_is_missing(exam: Exam) -> None:
    laptop = await exam.started()
    await laptop.save(known := laptop.operation("true_false", True))
    lost = laptop.operation("numeric", "3.14")
    laptop.live.drop()
    resumed = await laptop.enter("attempt.resume", attempt_id=laptop.attempt["id"])
    assert (resumed["writer"], stored(resumed)) == (
        {"device_id": "laptop", "is_me": True},
        {known["question_id"]: True},
    )
    have = [known["op_id"], lost["op_id"]]
    synced = await laptop.live.command("attempt.sync", attempt_id=resumed["id"], have=have)
    assert (synced["missing"], synced["writer"]) == ([lost["op_id"]], {"is_me": True})
    await laptop.save(lost)
    synced = await exam.student.ok("POST", f"/attempts/{resumed['id']}/sync", json={"have": have})
    assert (synced["missing"], stored(synced)[lost["question_id"]]) == ([], "3.14")


# --- both ways in ---


async def test_socket_and_rest_are_one_ledger(exam: Exam) -> None:
    laptop = await exam.started()
    by_socket = laptop.operation("true_false", True)
    first = await laptop.save(by_socket)
    again = (await laptop.patch(by_socket))["saved"][0]
    assert {name: again[name] for name in ("op_id", "revision", "saved_at")} == {
        name: first[name] for name in ("op_id", "revision", "saved_at")
    }
    by_rest = laptop.operation("true_false", False, base_revision=first["revision"])
    saved = (await laptop.patch(by_rest))["saved"][0]
    assert saved["revision"] == first["revision"] + 1
    assert (await laptop.save(by_rest))["revision"] == saved["revision"]
    assert (await laptop.refused({**by_rest, "value": True})).code == "op_id_reused"
    overtaken = {**laptop.operation("true_false", True, base_revision=0), "seq": 1}
    late = await laptop.save(overtaken)
    assert (late["superseded"], late["revision"]) == (True, saved["revision"])
    shown = await exam.student.ok("GET", f"/attempts/{laptop.attempt['id']}")
    assert stored(shown) == {by_rest["question_id"]: False}


async def test_a_submission_over_unseen_answers_closes_nothing(exam: Exam) -> None:
    laptop = await exam.started()
    await laptop.save(laptop.operation("true_false", True))
    with pytest.raises(CommandRefusedError) as refused:
        await laptop.live.command("attempt.submit", attempt_id=laptop.attempt["id"], revision=0)
    assert (refused.value.code, refused.value.data["revision"]) == ("conflict", 1)
    problem = await exam.student.refused(
        409, "POST", f"/attempts/{laptop.attempt['id']}/submit", json={"revision": 7, "answers": []}
    )
    assert (problem["code"], problem["revision"], len(problem["answers"])) == ("conflict", 1, 1)
    assert (await exam.student.ok("GET", f"/attempts/{laptop.attempt['id']}"))["status"] == "in_progress"


async def test_submitting_again_gives_the_same_graded_attempt(exam: Exam) -> None:
    laptop = await exam.started()
    for question, value in factories.RIGHT_ANSWERS.items():
        await laptop.save(laptop.operation(question, value))
    path, attempt_id = f"/attempts/{laptop.attempt['id']}/submit", laptop.attempt["id"]
    replies = await asyncio.gather(
        laptop.live.command("attempt.submit", attempt_id=attempt_id),
        exam.student.ok("POST", path, json={}),
        exam.student.ok("PUT", path, json={}),
        exam.student.ok("POST", f"/quizzes/{exam.quiz['id']}{path}", json={}),
    )
    facts = [(one["status"], one["score"], one["percentage"], one["submitted_at"]) for one in replies]
    assert facts == [("graded", "5.00", "100.00", replies[0]["submitted_at"])] * 4
    assert (await laptop.hears("attempt_graded"))["data"]["is_passed"] is True
    history = await laptop.live.command("history", channel=f"attempt:{attempt_id}")
    assert [event["event"] for event in history["events"]].count("attempt_graded") == 1


async def test_answers_that_come_with_the_submission_count(exam: Exam) -> None:
    laptop = await exam.started()
    answers = [laptop.operation(question, value) for question, value in factories.RIGHT_ANSWERS.items()]
    path = f"/attempts/{laptop.attempt['id']}/submit"
    problem = await exam.student.refused(409, "POST", path, json={"answers": answers})
    assert problem["code"] == "not_writer"
    graded = await exam.student.ok("POST", path, json={"answers": answers, "lease": laptop.attempt["lease"]})
    assert (graded["status"], graded["score"]) == ("graded", "5.00")


# --- the deadline ---


async def test_the_deadline_closes_what_nobody_hands_in(house: House) -> None:
    async with open_exam(house) as exam:
        laptop = await exam.screen("laptop")

        async def begin() -> dict[str, Any] | None:
            try:
                return await laptop.enter("attempt.start", quiz_id=exam.quiz["id"])
            except CommandRefusedError as refused:
                if refused.code != "quiz_closed":
                    raise
                return None

        await factories.begun_before_closing(OPEN_SECONDS, exam.teacher, exam.quiz["id"], begin)
        in_time = laptop.operation("true_false", True)
        first = await laptop.save(in_time)
        graded = await laptop.hears("attempt_graded")
        assert (graded["data"]["score"], graded["data"]["max_score"]) == ("1.00", "5.00")

        closed = await exam.student.ok("GET", f"/attempts/{laptop.attempt['id']}")
        assert (closed["status"], closed["submitted_by"], closed["grading"]) == ("graded", "deadline", "done")
        late_by = at(closed["submitted_at"]) - at(closed["deadline_at"])
        assert timedelta(seconds=GRACE_SECONDS + 1) <= late_by

        assert await laptop.save(in_time) == {**first, "writer": {"is_me": True}}  # the ack was lost: the same again
        assert (await laptop.refused(laptop.operation("numeric", "3.14"))).code == "attempt_closed"
        late = laptop.operation("numeric", "3.14")
        body = {"answers": [late], "device_id": "laptop", "lease": laptop.attempt["lease"]}
        problem = await exam.student.refused(409, "PATCH", f"/attempts/{laptop.attempt['id']}/answers", json=body)
        assert (problem["code"], problem["refused"][0]["op_id"]) == ("attempt_closed", late["op_id"])
        handed_in = await laptop.live.command("attempt.submit", attempt_id=laptop.attempt["id"])
        assert (handed_in["submitted_by"], handed_in["submitted_at"]) == ("deadline", closed["submitted_at"])
        await exam.student.refused(409, "POST", "/attempts", json={"quiz_id": exam.quiz["id"]})


def at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


# --- what is no command ---


@asynccontextmanager
async def raw_line(exam: Exam) -> AsyncIterator[ClientConnection]:
    url = f"ws{exam.house.address.removeprefix('http')}/ws?ticket={await exam.student.ticket()}"
    async with connect(url, subprotocols=["lms.v1.json"], compression=None, proxy=None) as socket:  # type: ignore[list-item]
        assert json.loads(await socket.recv())["type"] == "welcome"
        yield socket


async def reply_to(socket: ClientConnection, frame: str) -> dict[str, Any]:
    await socket.send(frame)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "ok" not in (reply := json.loads(await socket.recv())):
            pass
    return dict(reply)


async def close_code(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                pass
    return socket.close_code


SAVE = '{"id": 1, "type": "answer.save", "attempt_id": "att_1", "question_id": "q", "value": "%s"}'
BAD_FRAMES = {
    "not JSON": ("hello", "bad_frame", 0),
    "cut off": ('{"id": 1,', "bad_frame", 9),
    "not an object": ("[1, 2]", "bad_frame", 0),
    "no type": ('{"id": 1}', "bad_frame", 0),
    "a name twice": ('{"id": 1, "type": "ping", "type": "ping"}', "bad_frame", None),
    "10,000 deep": ('{"id": 1, "type": "ping", "x": ' + "[" * 10_000 + "]" * 10_000 + "}", "bad_frame", None),
    "unknown type": ('{"id": 1, "type": "exam.cheat"}', "unknown_command", None),
    "unknown field": ('{"id": 1, "type": "ping", "answer": 42}', "invalid_command", None),
    "NUL": (SAVE % "\\u0000", "invalid_command", None),
    "lone surrogate": (SAVE % "\\ud800", "invalid_command", None),
    "too big a number": ('{"id": 1, "type": "time.sync", "t0": 99999999999999999999}', "invalid_command", None),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
async def test_what_is_no_command_is_told_so_and_the_line_goes_on(exam: Exam, name: str) -> None:
    frame, code, position = BAD_FRAMES[name]
    async with raw_line(exam) as socket:
        error = (await reply_to(socket, frame))["error"]
        assert error["code"] == code
        if position is not None:
            assert error["data"]["position"] == position
        assert (await reply_to(socket, '{"id": 2, "type": "ping"}'))["ok"] is True


async def test_a_frame_that_is_too_big_ends_the_line(exam: Exam) -> None:
    async with raw_line(exam) as socket:
        await socket.send(SAVE % ("x" * 65_536))
        assert await close_code(socket) == 1009


async def test_a_flood_ends_the_line_and_nothing_else(exam: Exam) -> None:
    laptop = await exam.started()
    async with raw_line(exam) as socket:
        for number in range(100):
            await socket.send(json.dumps({"id": number, "type": "ping"}))
        assert await close_code(socket) == 4529
    assert (await laptop.save(laptop.operation("true_false", True)))["revision"] == 1


async def test_ten_frames_that_are_none_end_the_line(exam: Exam) -> None:
    async with raw_line(exam) as socket:
        for _ in range(10):
            await socket.send("nonsense")
        assert await close_code(socket) == 4500


@pytest.mark.parametrize("value", ["\x00", "\ud800", ["a"], {"a": "b"}, "no option", 2**70], ids=repr)
async def test_a_value_that_the_question_does_not_take_is_not_stored(exam: Exam, value: Any) -> None:
    laptop = await exam.started()
    operation = laptop.operation("multiple_choice", None)
    held = {"device_id": "laptop", "lease": laptop.attempt["lease"]}
    body = json.dumps({"answers": [{**operation, "value": value}], **held})
    headers = {"Content-Type": "application/json"}
    path = f"/attempts/{laptop.attempt['id']}/answers"
    problem = await exam.student.refused(422, "PATCH", path, content=body, headers=headers)
    assert problem["code"] == "validation_failed"
    async with raw_line(exam) as socket:
        save = {"id": 1, "type": "answer.save", "attempt_id": laptop.attempt["id"], **held, **operation, "value": value}
        error = (await reply_to(socket, json.dumps(save)))["error"]
        assert error["code"] in {"validation_failed", "invalid_command"}
        assert error["fields"][0]["field"]
    shown = await exam.student.ok("GET", f"/attempts/{laptop.attempt['id']}")
    assert (shown["revision"], shown["answers"]) == (0, {})
