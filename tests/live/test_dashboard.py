"""The live dashboard on a real socket: the snapshot, then only what changed, until both say what the database says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from config.settings import Settings
from documents.attempt import Attempt
from lms_rt.client.ear import Ear
from lms_rt.client.faults import CommandRefusedError
from lms_rt.client.live import LiveClient
from tests import factories
from tests.clients import Visitor
from tests.house import House, open_house

PATIENCE_SECONDS = 15
PRESENCE_FIELDS = {"is_connected", "away_since", "devices", "question_id", "remaining_ms"}


@dataclass
class Exam:
    """A quiz that runs in a house."""

    house: House
    teacher: Visitor
    quiz: dict[str, Any]
    question_ids: list[str]

    async def student(self, name: str = "") -> Visitor:
        somebody = await self.house.student(name)
        await factories.enrolled(somebody, self.quiz["course_id"])
        return somebody

    async def snapshot(self) -> dict[str, Any]:
        shown: dict[str, Any] = await self.teacher.ok("GET", f"/quizzes/{self.quiz['id']}/live")
        return shown


@dataclass
class Sitting:
    """A student in the quiz room, over a socket."""

    live: LiveClient
    attempt: dict[str, Any]
    sent: int = 0

    @property
    def id(self) -> str:
        return str(self.attempt["id"])

    async def answer(self, question_id: str, value: Any) -> dict[str, Any]:
        self.sent += 1
        fields = {"attempt_id": self.id, "question_id": question_id, "value": value, "op_id": f"{self.id}-{self.sent}"}
        device = {"seq": self.sent, "device_id": "laptop", "lease": self.attempt["lease"], "base_revision": 10_000}
        saved: dict[str, Any] = await self.live.insist("answer.save", **fields, **device)
        return saved


@dataclass
class Screen:
    """A dashboard as the protocol tells clients to keep one."""

    exam: Exam
    version: int = 0
    students: dict[str, dict[str, Any]] = field(default_factory=dict)
    questions: dict[str, dict[str, Any]] = field(default_factory=dict)
    totals: dict[str, Any] = field(default_factory=dict)
    frames: list[dict[str, Any]] = field(default_factory=list)
    misfits: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: list[dict[str, Any]] | None = field(default_factory=list)
    """The frames that came while the snapshot is being read; None: it is there."""

    async def take_snapshot(self) -> None:
        self.waiting = self.waiting or []
        shown = await self.exam.snapshot()
        waiting, self.waiting = self.waiting, None
        self.version, self.totals = shown["version"], shown["totals"]
        self.students = {row["attempt_id"]: row for row in shown["students"]}
        self.questions = {row["question_id"]: row for row in shown["questions"]}
        for frame in waiting:
            self.hear(frame)
        self.news.set()

    def hear(self, frame: dict[str, Any]) -> None:
        if frame["event"] != "dashboard":
            return
        if self.waiting is not None:
            self.waiting.append(frame)
            return
        data = frame["data"]
        self.frames.append(frame)
        if data["follows"] > self.version:
            self.misfits += 1
            self.news.set()
            return
        self.version, self.totals = data["version"], data["totals"]
        for row in data["students"]:
            if row["revision"] >= self.students.get(row["attempt_id"], row)["revision"]:
                self.students[row["attempt_id"]] = row
        self.questions |= {row["question_id"]: row for row in data["questions"]}
        for question_id in data["removed"]:
            del self.questions[question_id]
        self.news.set()

    async def shows(self, condition: Callable[[Screen], bool]) -> None:
        """Wait until the screen shows it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition(self):
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def line_of(visitor: Visitor) -> AsyncIterator[LiveClient]:
    async with LiveClient(visitor.address.replace("http", "ws", 1) + "/ws", ticket=visitor.ticket) as live:
        yield live


@asynccontextmanager
async def watching(exam: Exam) -> AsyncIterator[Screen]:
    """A teacher's screen on its own socket."""
    screen = Screen(exam)
    async with line_of(exam.teacher) as live:
        ear = Ear(f"quiz:{exam.quiz['id']}:live", on_state=screen.hear, on_reset=screen.take_snapshot)
        await live.subscribe(ear)
        yield screen


@asynccontextmanager
async def sitting(exam: Exam, student: Visitor) -> AsyncIterator[Sitting]:
    """A student who has begun, on a socket."""
    async with line_of(student) as live:
        yield Sitting(live, await live.command("attempt.start", quiz_id=exam.quiz["id"], device_id="laptop"))


def stored_part(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what is presence or only the time of day."""
    return {name: value for name, value in row.items() if name not in PRESENCE_FIELDS}


@pytest.fixture
async def exam(settings: Settings) -> AsyncIterator[Exam]:
    async with open_house(settings) as house:
        teacher = await house.teacher()
        course = await factories.course(teacher)
        quiz = await factories.quiz(teacher, course["id"], time_limit_minutes=30)
        listed = await teacher.ok("GET", "/questions", params={"quiz_id": quiz["id"]})
        yield Exam(house, teacher, quiz, [row["id"] for row in listed["items"]])


async def test_a_screen_follows_answers_and_equals_the_snapshot_and_the_database(exam: Exam) -> None:
    choice, true_false, numeric, _ = exam.question_ids
    async with AsyncExitStack() as stack:
        screen = await stack.enter_async_context(watching(exam))
        assert (screen.students, screen.totals["students"]) == ({}, 0)
        class_ = [await stack.enter_async_context(sitting(exam, await exam.student())) for _ in range(3)]
        await screen.shows(lambda shown: shown.totals["students"] == 3)
        for number, one in enumerate(class_):
            await one.answer(choice, "abc"[number])
            await one.answer(true_false, number > 0)
        await class_[0].answer(numeric, "3.14")
        await class_[0].answer(choice, "b")
        await screen.shows(lambda shown: shown.totals["answers_saved"] == 7)
        assert screen.questions[choice]["options"] == {"b": 2, "c": 1}
        assert screen.questions[true_false]["options"] == {"false": 1, "true": 2}
        await class_[0].live.command("attempt.submit", attempt_id=class_[0].id, op_id="in")
        await screen.shows(lambda shown: shown.totals["graded"] == 1)

        snapshot = await exam.snapshot()
        assert screen.totals == snapshot["totals"]
        assert {row["attempt_id"]: stored_part(row) for row in snapshot["students"]} == {
            attempt_id: stored_part(row) for attempt_id, row in screen.students.items()
        }
        assert {row["question_id"]: row for row in snapshot["questions"]} == screen.questions
        assert screen.students[class_[0].id]["score"] == "3.00"

        rows = [row async for row in Attempt.rows().find({"quiz_id": exam.quiz["id"]})]
        assert screen.totals["students"] == len(rows)
        assert screen.totals["answers_saved"] == sum(
            answer["value"] is not None for row in rows for answer in row["answers"].values()
        )
        assert screen.totals["in_progress"] == sum(row["status"] == "in_progress" for row in rows)


async def test_frames_carry_only_what_changed_each_following_the_last_and_are_paced(exam: Exam) -> None:
    choice = exam.question_ids[0]
    async with AsyncExitStack() as stack:
        screen = await stack.enter_async_context(watching(exam))
        busy, idle = [await stack.enter_async_context(sitting(exam, await exam.student())) for _ in range(2)]
        await screen.shows(lambda shown: shown.totals["connected"] == 2)
        before = len(screen.frames)
        for n in range(25):
            saved = await busy.answer(choice, "abc"[n % 3])
        await screen.shows(lambda shown: shown.students[busy.id]["revision"] == saved["revision"])
        frames = [frame["data"] for frame in screen.frames[before:]]
        assert {row["attempt_id"] for frame in frames for row in frame["students"]} == {busy.id}
        assert {row["question_id"] for frame in frames for row in frame["questions"]} == {choice}
        assert screen.misfits == 0
        chain = [frame["data"] for frame in screen.frames]
        assert [frame["follows"] for frame in chain[1:]] == [frame["version"] for frame in chain[:-1]]
        looks = {frame["at"] for frame in screen.frames}
        assert len(looks) == len(screen.frames)
        assert idle.id in screen.students


async def test_who_comes_late_is_told_nothing_twice_and_misses_nothing(exam: Exam) -> None:
    choice = exam.question_ids[0]
    async with AsyncExitStack() as stack:
        early = await stack.enter_async_context(watching(exam))
        one = await stack.enter_async_context(sitting(exam, await exam.student()))
        await early.shows(lambda shown: one.id in shown.students)
        late = await stack.enter_async_context(watching(exam))
        assert late.students.keys() == early.students.keys()
        saved = await one.answer(choice, "a")
        for screen in (early, late):
            await screen.shows(lambda shown: shown.students[one.id]["revision"] == saved["revision"])
        assert late.misfits == 0
        assert late.questions == early.questions


async def test_a_frame_that_does_not_fit_tells_to_take_the_snapshot_again(exam: Exam) -> None:
    choice = exam.question_ids[0]
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(sitting(exam, await exam.student()))
        screen = await stack.enter_async_context(watching(exam))
        screen.version -= 10_000  # as if the snapshot were an old one
        await one.answer(choice, "a")
        await screen.shows(lambda shown: shown.misfits > 0)
        await screen.take_snapshot()
        saved = await one.answer(choice, "b")
        await screen.shows(lambda shown: shown.students[one.id]["revision"] == saved["revision"])
        assert screen.questions[choice]["options"] == {"b": 1}


async def test_questions_corrected_edited_added_and_deleted_meanwhile_are_seen(exam: Exam) -> None:
    choice, other, *_ = exam.question_ids
    path = f"/quizzes/{exam.quiz['id']}/questions"
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(sitting(exam, await exam.student()))
        screen = await stack.enter_async_context(watching(exam))
        await one.answer(choice, "a")
        await screen.shows(lambda shown: shown.questions[choice]["answered"] == 1)
        fix = {"action": "fix", "question": {"question_text": "Pick one"}, "reason": "Clearer"}
        await exam.teacher.ok("POST", f"{path}/{choice}/correct", json=fix)
        await screen.shows(lambda shown: shown.questions[choice]["title"] == "Pick one")
        assert screen.questions[choice]["options"] == {"a": 1}
        version, misfits = screen.questions[choice]["version"], screen.misfits
        await exam.teacher.ok("PATCH", f"/questions/{choice}", json={"explanation": "So it is"})
        draft = {
            "question_type": "true_false",
            "question_text": "New",
            "correct_answer": {"value": True},
            "points": "1",
        }
        added = await exam.teacher.ok("POST", path, json=draft)
        assert (await exam.teacher.call("DELETE", f"/questions/{other}")).status_code == 204
        await screen.shows(lambda shown: added["id"] in shown.questions and other not in shown.questions)
        assert screen.questions[choice]["version"] > version
        assert screen.questions == {row["question_id"]: row for row in (await exam.snapshot())["questions"]}
        assert screen.misfits == misfits


async def test_previews_of_the_teacher_are_not_shown(exam: Exam) -> None:
    async with AsyncExitStack() as stack:
        screen = await stack.enter_async_context(watching(exam))
        preview = await stack.enter_async_context(sitting(exam, exam.teacher))
        await preview.answer(exam.question_ids[0], "a")
        one = await stack.enter_async_context(sitting(exam, await exam.student()))
        await screen.shows(lambda shown: shown.totals["connected"] == 1)
        assert screen.students.keys() == {one.id}
        assert screen.totals["answers_saved"] == 0


async def test_comings_goings_and_looks_are_seen_without_any_answer(exam: Exam) -> None:
    first, second = exam.question_ids[:2]
    student = await exam.student("Sara Saleh")
    async with AsyncExitStack() as stack:
        screen = await stack.enter_async_context(watching(exam))
        async with sitting(exam, student) as one:
            await screen.shows(lambda shown: shown.totals["connected"] == 1)
            await one.live.command("attempt.look", attempt_id=one.id, question_id=first)
            await screen.shows(lambda shown: shown.students[one.id]["question_id"] == first)
            assert screen.questions[first]["viewing"] == 1
            await one.live.command("attempt.look", attempt_id=one.id, question_id=second)
            await screen.shows(lambda shown: shown.students[one.id]["question_id"] == second)
            assert (screen.questions[first]["viewing"], screen.questions[second]["viewing"]) == (0, 1)
            await one.live.command("attempt.page", attempt_id=one.id, state="hidden")
            await screen.shows(lambda shown: shown.students[one.id]["flags"] == ["hidden"])
            async with line_of(student) as phone:
                await phone.command("attempt.resume", attempt_id=one.id, device_id="phone")
                await screen.shows(lambda shown: shown.students[one.id]["devices"] == 2)
            await screen.shows(lambda shown: shown.students[one.id]["devices"] == 1)
        await screen.shows(lambda shown: not shown.students[one.id]["is_connected"])
        assert screen.totals["connected"] == 0
        assert screen.questions[second]["viewing"] == 0
        assert screen.students[one.id]["full_name"] == "Sara Saleh"


async def test_two_versions_and_a_take_over_are_told_as_facts(exam: Exam) -> None:
    choice, true_false = exam.question_ids[:2]
    async with AsyncExitStack() as stack:
        screen = await stack.enter_async_context(watching(exam))
        one = await stack.enter_async_context(sitting(exam, await exam.student()))
        await one.answer(choice, "a")
        await screen.shows(lambda shown: shown.totals["answers_saved"] == 1)
        other: dict[str, Any] = {"seq": 1, "device_id": "phone", "lease": one.attempt["lease"], "base_revision": 0}
        fields: dict[str, Any] = {"attempt_id": one.id, "question_id": choice, "value": "b", "op_id": "from-the-phone"}
        with pytest.raises(CommandRefusedError, match="conflict"):
            await one.live.command("answer.save", **fields, **other)
        await screen.shows(lambda shown: shown.students[one.id]["flags"] == ["conflict"])
        await one.answer(true_false, True)
        await screen.shows(lambda shown: shown.students[one.id]["flags"] == [])
        await one.live.command("attempt.take_over", attempt_id=one.id, device_id="phone")
        await screen.shows(lambda shown: shown.students[one.id]["flags"] == ["taken_over"])
        (row,) = (await exam.snapshot())["students"]
        assert (row["flags"], row["take_overs"]) == (["taken_over"], 1)


async def test_a_clean_leave_is_told_before_the_look_that_comes_anyway(
    exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lms_rt.services.dashboards.WHOLE_LOOK_MS", 3_600_000)
    async with AsyncExitStack() as stack:
        screen = await stack.enter_async_context(watching(exam))
        student = await exam.student()
        async with sitting(exam, student) as one:
            await screen.shows(lambda shown: shown.totals["connected"] == 1)
            assert screen.students[one.id]["away_since"] is None
        await screen.shows(lambda shown: shown.students[one.id]["away_since"] is not None)
        (row,) = (await exam.snapshot())["students"]
        assert row["away_since"] == screen.students[one.id]["away_since"]
        assert screen.totals["connected"] == 0
        async with sitting(exam, student):
            await screen.shows(lambda shown: shown.students[one.id]["away_since"] is None)


async def test_only_those_who_teach_the_course_may_watch(exam: Exam) -> None:
    path, channel = f"/quizzes/{exam.quiz['id']}/live", f"quiz:{exam.quiz['id']}:live"
    student, other = await exam.student(), await exam.house.teacher()
    assert (await student.refused(403, "GET", path))["code"] == "forbidden"
    assert (await other.refused(404, "GET", path))["code"] == "not_found"
    stranger = await exam.house.visitor()
    await stranger.refused(401, "GET", path)
    for somebody in (student, other):
        async with line_of(somebody) as live:
            with pytest.raises(CommandRefusedError) as refused:
                await live.command("subscribe", channel=channel)
            assert refused.value.code == "not_found"
    admin = await exam.house.admin()
    assert (await admin.ok("GET", path))["quiz_id"] == exam.quiz["id"]
