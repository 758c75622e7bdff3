"""One exam over real nodes: students with several screens, a teacher with controls, nodes that are killed; and its judge.

Requests are sent at once, in bursts. After each burst the judge reads what is stored and looks for an order of the burst, with
the controls and closings that may have come between, in which the reference answers as the nodes did and ends where they did.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import httpx
from pymongo import MongoClient
from websockets.exceptions import WebSocketException

from lms_rt.contracts.channels import attempt_channel
from lms_rt.services.receipt_check import findings_of, keys_of
from tests.clients import Visitor
from tests.factories import CHOICE, TRUE_FALSE, closing_in
from tests.live.exam_judge import Judge, Row, Sitting, is_meant_for, sheet_of
from tests.live.exam_reference import CLOSED, OPEN, Op
from tests.live.exam_requests import Request, Screen
from tests.live.node_school import PATIENCE_SECONDS, NodeSchool

RIGHT: dict[str, Any] = {"multiple_choice": "b", "true_false": True}
VALUES: dict[str, tuple[Any, ...]] = {"multiple_choice": ("a", "b", "c", None), "true_false": (True, False, None)}


@dataclass
class Ordered:
    """A control as the teacher gave it: the same order may be sent again, to another node."""

    kind: str
    body: Row
    replies: list[Row] = field(default_factory=list)


class ExamWorld:
    """A quiz with its sittings on the nodes of a school. `do` runs one burst."""

    seen: ClassVar[Counter[tuple[str, str]]] = Counter()
    """What was asked and answered in all lives: a machine that only ever hears one word judges nothing."""

    def __init__(self, school: NodeSchool, teachers: list[Visitor], course_id: str) -> None:
        self.school, self.teachers, self.course_id = school, teachers, course_id
        self.sittings: list[Sitting] = []
        self.orders: list[Ordered] = []
        self.judge = Judge()
        self._numbers = itertools.count(1)
        settings = school.settings
        self._mongo: MongoClient[Row] = MongoClient(settings.mongodb_url.get_secret_value(), tz_aware=True)
        self._database = self._mongo[settings.mongodb_database]
        self.quiz: Row = {}
        self.questions: dict[str, str] = {}

    # --- beginning and end ---

    async def open(self, students: list[list[Visitor]], *, closes_after_ms: int | None) -> None:
        """A quiz of two questions, begun by everybody."""
        self.seen["life", ""] += 1
        ends: Row = {"time_limit_minutes": 10, "max_attempts": 1}
        made = await self.teachers[0].ok("POST", "/quizzes", json={"course_id": self.course_id, "title": "Q", **ends})
        for question in (CHOICE, TRUE_FALSE):
            added = await self.teachers[0].ok("POST", f"/quizzes/{made['id']}/questions", json=question)
            self.questions[added["id"]] = added["question_type"]
        self.quiz = await self.teachers[0].ok("POST", f"/quizzes/{made['id']}/publish")
        if closes_after_ms is not None:
            await closing_in(closes_after_ms / 1000, self.teachers[0], made["id"])
        for visitors in students:
            first, second = Screen(visitors), Screen(visitors)
            await self._begin(visitors, first, second)

    async def _begin(self, visitors: list[Visitor], first: Screen, second: Screen) -> None:
        """Two screens start at once, at two nodes: there is one attempt, and one of them may write."""
        asked = [{"quiz_id": self.quiz["id"], "device_id": screen.device} for screen in (first, second)]
        views = await asyncio.gather(
            *(visitor.ok("POST", "/attempts", json=body) for visitor, body in zip(visitors, asked, strict=True))
        )
        (attempt_id,) = {view["id"] for view in views}
        row = self._row(attempt_id)
        for screen, view in zip((first, second), views, strict=True):
            screen.lease, screen.revision = view["lease"], view["revision"]
        leases = [screen.lease for screen in (first, second) if screen.lease is not None]
        assert row["writer"]["lease"] in leases, "nobody who asked holds the lease"
        sheet = sheet_of(row, {})
        assert (sheet.status, sheet.answers, sheet.ops) == (OPEN, {}, {})
        self.sittings.append(Sitting(visitors, attempt_id, sheet, row, [first, second]))

    async def close(self) -> None:
        """End all lines."""
        for sitting in self.sittings:
            for screen in sitting.screens:
                await screen.hang_up()
        self._mongo.close()

    # --- a burst ---

    async def burst(
        self, asked: list[tuple[Sitting, Request, int, bool]], *orders: tuple[Ordered, int], kills: int | None
    ) -> None:
        """All of this at once; a node may die meanwhile, and comes back. Then the judge."""
        self.seen["burst", ""] += 1
        begun_ms, before = self.now_ms(), {one.attempt_id: one.row for one in self.sittings}
        sending = [self._send(*one) for one in asked] + [self._order(*one) for one in orders]
        if kills is None:
            await asyncio.gather(*sending)
        else:
            await self._killing(kills, sending)
        rows = {one.attempt_id: self._row(one.attempt_id) for one in self.sittings}
        self._read_controls()  # behind what they have led to
        ended_ms = self.now_ms()  # a deadline that passed while this was read may have closed what was read
        for sitting in self.sittings:
            requests = [request for of, request, _, _ in asked if of is sitting]
            row = rows[sitting.attempt_id]
            self.judge.hold(sitting, requests, before[sitting.attempt_id], row, between=(begun_ms, ended_ms))
            for request in requests:
                self.seen[type(request).__name__, request.code or ("lost" if request.body is None else "")] += 1
                request.learn()
        self._check_orders()

    async def _killing(self, node: int, sending: list[Any]) -> None:
        under_way = asyncio.gather(*sending)
        await asyncio.sleep(random.uniform(0, 0.03))  # noqa: S311 - not to wait: the moment is drawn
        victim = self.school.nodes[node]
        victim.kill()
        await asyncio.to_thread(victim.start)
        await under_way

    async def _send(self, sitting: Sitting, request: Request, node: int, by_socket: bool) -> None:
        """Send it. Whatever breaks on the way is a lost reply."""
        command = request.live(sitting.attempt_id) if by_socket else None
        visitor = sitting.visitors[node]
        try:
            if command is not None:
                line = await request.screen.line(node)
                reply = await line.ask(command[0], **command[1])
                error = reply.get("error", {})
                body = reply["result"] if reply["ok"] else {"code": error["code"], **(error.get("data") or {})}
            else:
                method, path, json = request.rest(sitting.attempt_id)
                body = (await visitor.call(method, path, json=json)).json()
        except (AssertionError, httpx.HTTPError, OSError, ValueError, WebSocketException):
            return
        if body.get("code") != "unavailable":
            request.body = body

    async def _order(self, ordered: Ordered, node: int) -> None:
        try:
            response = await self.teachers[node].call("POST", self._path_of(ordered), json=ordered.body)
        except (httpx.HTTPError, OSError):
            return
        if response.is_success:
            ordered.replies.append(response.json())
        else:
            assert response.json()["code"] in ("unavailable", "busy"), response.text

    # --- the judge ---

    def _path_of(self, ordered: Ordered) -> str:
        quiz = f"/quizzes/{self.quiz['id']}"
        return (
            f"{quiz}/live/{ordered.kind}" if ordered.kind != "correct" else f"{quiz}/questions/{self.credited}/correct"
        )

    @property
    def credited(self) -> str:
        """The question for which everybody may be given its points."""
        return next(iter(self.questions))

    def _check_orders(self) -> None:
        """A repeated order is one control; what was reported done has reached everybody who was open."""
        for ordered in self.orders:
            assert len({reply["control_id"] for reply in ordered.replies}) <= 1, "an order was taken twice"
            for reply in ordered.replies[:1]:
                (n,) = [one["n"] for one in self.judge.controls if one["_id"] == reply["control_id"]]
                for sitting in self.sittings:
                    if not is_meant_for(self.judge.controls[n - 1], sitting.attempt_id):
                        continue
                    is_reached = sitting.sheet.status == CLOSED or sitting.sheet.live_version >= n
                    assert is_reached, f"control {n} was reported done and has not reached {sitting.attempt_id}"

    # --- the end ---

    async def come_to_an_end(self) -> None:
        """Everybody goes on, and is closed; then all must be graded once, and every count be right."""
        await self._until_reached()
        final = Ordered("end", {"reason": "over", "op_id": f"end-{next(self._numbers)}"})
        self.orders.append(final)
        while not final.replies:
            await self.burst([], (final, 0), kills=None)
        newest = max((one["n"] for one in self.judge.controls if one["kind"] == "correct"), default=0)
        await _until(lambda: all(_is_graded_by(self._row(one.attempt_id), newest) for one in self.sittings))
        for sitting in self.sittings:
            await self._check_end(sitting)
        for teacher in self.teachers:
            live = await teacher.ok("GET", f"/quizzes/{self.quiz['id']}/live")
            rows = [self._row(one.attempt_id) for one in self.sittings]
            values = [answer["value"] for row in rows for answer in row["answers"].values()]
            told = {
                name: live["totals"][name]
                for name in ("students", "in_progress", "paused", "submitted", "graded", "answers_saved")
            }
            counted = {"students": len(rows), "in_progress": 0, "paused": 0, "submitted": 0, "graded": len(rows)}
            assert told == {**counted, "answers_saved": sum(value is not None for value in values)}

    async def _until_reached(self) -> None:
        """A control whose node died is taken up by the other one, or by the next who comes."""
        undone = {"quiz_id": self.quiz["id"], "undone": True}
        await _until(lambda: self._database["quiz_controls"].find_one(undone) is None)
        await self.burst([], kills=None)

    async def _check_end(self, sitting: Sitting) -> None:
        row = self._row(sitting.attempt_id)
        right = {one for one, kind in self.questions.items() if row["answers"].get(one, {}).get("value") == RIGHT[kind]}
        corrections = [one for one in self.judge.controls if one["kind"] == "correct"]
        right |= {self.credited} if corrections else set()
        points = {"multiple_choice": 200, "true_false": 100}
        assert row["score"] == sum(points[self.questions[one]] for one in right)
        await _until(lambda: not self._row(sitting.attempt_id).get("outbox"))
        channel = attempt_channel(sitting.attempt_id)
        told = [one.event.name for one in (await self.school.bus.history.read(channel, after=0)).events]
        assert 1 <= told.count("attempt_graded") <= 1 + len(corrections), told
        receipt = await sitting.visitors[0].ok("GET", f"/attempts/{sitting.attempt_id}/receipt")
        keys = (
            await sitting.visitors[1].http.get(f"{sitting.visitors[1].address}/.well-known/lms-receipt-keys.json")
        ).json()
        assert findings_of(receipt, keys_of(keys), attempt_id=sitting.attempt_id) == []
        names = {
            "pause": "quiz_paused",
            "resume": "quiz_resumed",
            "extend": "quiz_extended",
            "end": "quiz_ended",
            "announce": "exam_announcement",
            "correct": "question_corrected",
        }
        took_effect = [names[one["kind"]] for one in self.judge.controls if one["n"] in row.get("controls", ())]
        assert [name for name in told if name in names.values()] == took_effect, "not told once each, in their order"
        for op_id, ops in sitting.ops.items():
            is_acknowledged = op_id in sitting.sheet.ops
            assert is_acknowledged == (op_id in row["ops"]), ops

    # --- reading ---

    def now_ms(self) -> int:
        """The time of the nodes: that of this machine."""
        return time.time_ns() // 1_000_000

    def new_op(self, screen: Screen, question_id: str, value: Any) -> Op:
        """What somebody types."""
        screen.seq += 1
        base = screen.seen.get(question_id, 0)
        op = Op(f"op-{next(self._numbers)}", question_id, value, screen.seq, base, screen.device, screen.lease)
        screen.made.append(op)
        return op

    def sent_again(self, screen: Screen, op: Op) -> Op:
        """The same operation, with the lease that the screen holds now."""
        return replace(op, lease=screen.lease)

    def with_known_id(self, screen: Screen, choice: int) -> Op:
        """Another operation under an id that is taken."""
        known = screen.made[choice % len(screen.made)]
        screen.seq += 1
        question_id = list(self.questions)[choice % 2]
        values = VALUES[self.questions[question_id]]
        base = screen.seen.get(question_id, 0)
        value = values[choice % len(values)]
        return Op(known.op_id, question_id, value, screen.seq, base, screen.device, screen.lease)

    def new_number(self) -> int:
        """A number that nothing else has here."""
        return next(self._numbers)

    def _row(self, attempt_id: str) -> Row:
        row = self._database["attempts"].find_one({"_id": attempt_id})
        assert row is not None
        return row

    def _read_controls(self) -> None:
        self.judge.controls = list(self._database["quiz_controls"].find({"quiz_id": self.quiz["id"]}).sort("n", 1))
        assert [one["n"] for one in self.judge.controls] == list(range(1, len(self.judge.controls) + 1)), (
            "controls have no holes"
        )


def _is_graded_by(row: Row, key_version: int) -> bool:
    return bool(row["grading"] == "done" and row["graded_key_version"] == row["key_version"] >= key_version)


async def _until(is_so: Callable[[], bool]) -> None:
    """Wait for something that is stored by other processes, which tell this one nothing."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)
