"""What means harm in a command's words: MongoDB's operators, fields that nobody asked for, and names that are paths or words.

Frames that are none are in `test_abuse_frames.py`; every place of every model is tried in `tests/unit/test_operators.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from documents.attempt import Attempt
from handlers.live.table import COMMANDS
from tests import factories
from tests.attacking import OPERATOR_WORDS, OPERATORS, PATHS
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.live.node_school import Watcher, watching

UNASKED = {
    "user_id": "usr_chosen", "student_id": "usr_chosen", "role": "admin", "is_correct": True, "score": "100.00",
    "points": "100.00", "status": "graded", "version": 99, "deadline_ms": 9_000_000_000_000, "submitted_at": "2020-01-01T00:00:00Z",
    "received_ms": 0, "actor": {"role": "admin"}, "__proto__": {"role": "admin"}, "$set": {"status": "graded"},
}  # fmt: skip
BY_KIND = {"value"}
"""What is answered is read by the kind of the question."""


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A school."""
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("house"))) as opened:
        yield opened


@pytest.fixture
async def student(house: House) -> Visitor:
    return await house.student()


@pytest.fixture
async def line(student: Visitor) -> AsyncIterator[Watcher]:
    """A student's socket."""
    async with watching(student) as watcher:
        yield watcher


def names_of(command: str) -> set[str]:
    return {field.alias or name for name, field in COMMANDS[command].model.model_fields.items()}


def faulty(reply: dict[str, Any]) -> set[str]:
    assert reply["error"]["code"] == "invalid_command", reply
    return {fault["field"].split(".")[0] for fault in reply["error"]["fields"]}


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
async def test_no_command_takes_an_operator(line: Watcher, operator: Any) -> None:
    for command in COMMANDS:
        if names := names_of(command):
            assert faulty(await line.ask(command, **dict.fromkeys(names, operator))) >= names - BY_KIND, command
    assert (await line.ask("ping"))["ok"]


async def test_no_command_takes_what_nobody_asked_for(line: Watcher) -> None:
    for command in COMMANDS:
        assert faulty(await line.ask(command, **UNASKED)) >= set(UNASKED), command


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
async def test_no_frame_is_told_by_an_operator_who_it_is(line: Watcher, operator: Any) -> None:
    """As the id or the type of a command, and as the command itself."""
    refused = await line.ask("ping", type=operator)
    assert refused["error"]["code"] == "bad_frame"
    assert (await line.ask("ping"))["ok"]


@pytest.mark.parametrize("kind", ["{}", "course:{}", "user:{}", "quiz:{}:live"])
async def test_no_channel_is_found_by_an_operator_s_word(line: Watcher, kind: str) -> None:
    unknown = await line.ask("subscribe", channel="course:crs_nowhere")
    for word in (*OPERATOR_WORDS, *PATHS, "*", "course:*", ""):
        reply = await line.ask("subscribe", channel=kind.format(word))
        assert not reply["ok"], word
        assert reply["error"]["code"] in {unknown["error"]["code"], "invalid_command"}, reply


@pytest.mark.parametrize("answer", [{"$ne": None}, {"$gt": ""}, ["$where"], {"$set": {"status": "graded"}}, {"a.b": 1}])
async def test_an_operator_is_no_answer(house: House, student: Visitor, answer: Any) -> None:
    """Where an answer may be of many shapes, it is one of its question's, or none."""
    teacher = await house.teacher()
    quiz = await factories.quiz(teacher, (await factories.course(teacher))["id"])
    await factories.enrolled(student, quiz["course_id"])
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
    async with watching(student) as line:
        resumed = await line.ok("attempt.resume", attempt_id=attempt["id"], device_id="laptop")
        lease = resumed.get("lease", "")
        before = await Attempt.rows().find_one({"_id": attempt["id"]}, {"answers": 1, "status": 1})
        for number, question in enumerate(attempt["questions"], 1):
            reply = await line.ask(
                "answer.save", attempt_id=attempt["id"], device_id="laptop", lease=lease, question_id=question["id"],
                value=answer, op_id=f"op{number}", seq=number, base_revision=0,
            )  # fmt: skip
            assert reply["ok"] is False or reply["result"].get("status") == "rejected", reply
    assert await Attempt.rows().find_one({"_id": attempt["id"]}, {"answers": 1, "status": 1}) == before
