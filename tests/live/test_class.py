"""`run.py simulate` against the running product, and the proof that its proof can fail. On both lanes."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from documents.attempt import Attempt
from documents.attempt_records import AttemptRecords
from documents.base import Row
from lms_rt.console import simulate
from lms_rt.contracts.outbox import Intent
from lms_rt.services import attempt_grading
from lms_rt.services.demo import DEMO_PASSWORD, TEACHER_EMAIL
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD, House
from tests.servers.lms_server import LmsServer

_RUN = Path(__file__).resolve().parents[2] / "run.py"
STUDENTS = 6


@pytest.fixture
def server(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LmsServer]:
    with LmsServer(settings_on(engine, request, tmp_path), "--demo", log=tmp_path / "server.log") as running:
        yield running


async def demo_quiz(address: str) -> str:
    async with Visitor.of(address) as teacher:
        await teacher.sign_in(TEACHER_EMAIL, DEMO_PASSWORD)
        quizzes = await teacher.ok("GET", "/quizzes")
    return str(max(quizzes["items"], key=lambda quiz: quiz["questions_count"])["id"])


def simulated(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command as people give it, with nothing to type."""
    return subprocess.run(
        [sys.executable, str(_RUN), "simulate", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
    )


async def test_a_class_sits_the_demo_quiz_and_everything_holds(server: LmsServer, engine: str, tmp_path: Path) -> None:
    quiz_id = await demo_quiz(server.address)
    where = ("--data", str(tmp_path / "data")) if engine == "embedded" else ("--url", server.address)
    words = ("--students", str(STUDENTS), "--quiz", quiz_id, "--drop-rate", "0.4", *where)
    done = await asyncio.to_thread(simulated, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"holds   all {STUDENTS} students came to the end" in done.stdout
    assert f"holds   {STUDENTS} closed attempts are graded" in done.stdout
    assert "Everything held." in done.stdout
    assert "BROKEN" not in done.stdout
    assert "Traceback" not in server.log.read_text()


def test_without_a_server_it_says_so_in_one_line(tmp_path: Path) -> None:
    done = simulated("--quiz", "quz_1", "--data", str(tmp_path / "nowhere"), cwd=tmp_path)
    assert done.returncode == 1
    assert "no server is running" in done.stderr
    assert done.stderr.count("\n") == 1


# --- the proof can fail: faults are planted in the product, and the command must end with 1 ---


@pytest.fixture(autouse=True)
def known_password(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Of the reader: the demo teacher's where there is a demo, else that of everybody in the house."""
    monkeypatch.setenv("LMS_PASSWORD", DEMO_PASSWORD if "server" in request.fixturenames else PASSWORD)


async def proved(house: House, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and words of a small class without drops."""
    teacher = await house.teacher()
    course = await factories.course(teacher)
    quiz = await factories.quiz(teacher, course["id"])
    args = argparse.Namespace(
        students=2,
        quiz=quiz["id"],
        drop_rate=0.0,
        think=0.05,
        url=house.address,
        email=teacher.user["email"],
        data=None,
        seed=1,
    )
    status = await asyncio.to_thread(simulate.main, args)
    return status, capsys.readouterr().out


async def test_a_sound_server_is_found_sound(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    status, words = await proved(house, capsys)
    assert (status, "BROKEN" in words) == (0, False), words


def store_by(record: Callable[[str, Any], Awaitable[bool]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps of the ledger be stored so, one by one or many together."""
    monkeypatch.setattr(Attempt, "record", record)
    monkeypatch.setattr(AttemptRecords, "record", lambda _, attempt_id, write: record(attempt_id, write))


async def test_an_acknowledged_answer_that_was_not_stored_is_found(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_stored(_: str, __: Any) -> bool:
        return True

    store_by(not_stored, monkeypatch)
    status, words = await proved(house, capsys)
    assert status == 1
    assert "was acknowledged and is not stored" in words


async def test_a_stored_answer_that_is_not_what_was_sent_is_found(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Attempt.record

    async def other_value(attempt_id: str, write: Any) -> bool:
        for answer in write.answers.values():
            answer["value"] = None
        return await record(attempt_id, write)

    store_by(other_value, monkeypatch)
    status, words = await proved(house, capsys)
    assert status == 1
    assert "None is stored" in words


async def test_a_grade_that_is_told_twice_is_found(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = attempt_grading._events

    def told_twice(*args: Any, **kwargs: Any) -> list[Intent]:
        made = events(*args, **kwargs)
        return [*made, {**made[-1], "id": f"{made[-1]['id']}x", "n": made[-1]["n"] + 1}]

    monkeypatch.setattr(attempt_grading, "_events", told_twice)
    status, words = await proved(house, capsys)
    assert status == 1
    assert "attempt_graded was told 2 times" in words


async def test_a_dashboard_that_misses_somebody_is_found(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find_changed = Attempt.find_changed

    async def one_missing(*args: Any, **kwargs: Any) -> list[Row]:
        return (await find_changed(*args, **kwargs))[1:]

    monkeypatch.setattr(Attempt, "find_changed", one_missing)
    status, words = await proved(house, capsys)
    assert status == 1
    assert "the dashboard says students 1, the database 2" in words
