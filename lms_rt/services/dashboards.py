"""The live dashboard of a quiz: the snapshot by REST, and the source of the frames that the channel's actor sends.

Exact by construction: what it shows is read from the attempts, only those that changed; pokes and presence are hints.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from documents.attempt import Attempt
from documents.base import Row
from documents.enums import QuestionType
from documents.quiz import Quiz
from lms_rt.bus.base import Bus, Member
from lms_rt.clock import Clock, from_ms, to_ms
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import ChannelKind, attempt_channel, find_channel, quiz_live_channel
from lms_rt.contracts.dashboards import AsOf, LiveView
from lms_rt.errors import Refused
from lms_rt.realtime.projections import Source
from lms_rt.security.access.quizzes import require_taught_quiz
from lms_rt.security.permissions import Permission
from lms_rt.services.live_picture import LivePicture, Presence, Sitting

OVERLAP_MS = 5_000
"""How far back each look reads again: a write of a node whose clock is behind, or that took long, is still seen."""
WHOLE_LOOK_MS = 5_000
"""So often everybody's presence is asked for; in between, only that of those who were hinted at or whose row changed."""
_KEPT_MARKS = 10_000
_KEPT_ATTEMPTS = 20_000
_log = logging.getLogger(__name__)


class QuizSource(Source):
    """What the dashboard of one quiz shows, on this node."""

    def __init__(self, quiz_id: str, *, bus: Bus, clock: Clock, left: Mapping[str, int]) -> None:
        """`left` says when somebody was seen to go, by attempt."""
        self._quiz_id, self._bus, self._clock, self._left = quiz_id, bus, clock, left
        self._picture: LivePicture | None = None
        self._quiz_version: int | None = None
        self._marks: dict[int, int] = {}
        self._hinted: set[str] = set()
        self._next_whole_ms = 0

    def hint(self, about: Iterable[str]) -> None:
        """These students came, went or turned to another question."""
        self._hinted.update(about)

    async def refresh(self) -> int:
        """Read the attempts that changed and where their students are; the step that the picture is at now."""
        picture = await self._asking()
        hinted, self._hinted = self._hinted, set()
        changed = picture.take(await self._changed_rows(picture))
        if (now_ms := self._clock.now_ms()) >= self._next_whole_ms:
            self._next_whole_ms = now_ms + WHOLE_LOOK_MS
            watched = list(picture.sittings.values())
        else:
            watched = [picture.sittings[id_] for id_ in hinted.union(changed) if id_ in picture.sittings]
        picture.see(await _presences(self._bus, watched, self._left))
        self._picture = picture
        self._marks.setdefault(picture.step, picture.as_of_ms)
        if len(self._marks) > _KEPT_MARKS:
            self._marks.pop(next(iter(self._marks)))
        return picture.step

    async def _asking(self) -> LivePicture:
        """The picture with the questions that the quiz has now; they are read again when the quiz was edited."""
        version, picture = await Quiz.find_version(self._quiz_id), self._picture
        if picture is not None and version == self._quiz_version:
            return picture
        questions, asked_ms = await _questions(self._quiz_id)
        if picture is None:
            picture = LivePicture(questions, asked_ms=asked_ms)
        else:
            picture.renew(questions, asked_ms=asked_ms)
        self._quiz_version = version
        return picture

    async def _changed_rows(self, picture: LivePicture) -> list[Row]:
        """Only the rows whose state differs are read whole; at first, all."""
        if not picture.sittings:
            return await Attempt.find_changed(self._quiz_id, 0)
        since_ms = picture.newest_ms - OVERLAP_MS
        differing = picture.differing(await Attempt.find_changed_states(self._quiz_id, since_ms))
        return await Attempt.find_those(self._quiz_id, since_ms, differing) if differing else []

    def changes_since(self, version: int) -> Mapping[str, Any] | None:
        """The frame for one who was last sent step `version`; None: nothing differs, or too long ago to tell."""
        picture = self._picture
        if picture is None or version >= picture.step or version not in self._marks:
            return None
        return self._frame(picture, version)

    def standing(self) -> Mapping[str, Any] | None:
        """A frame without rows: who holds an older snapshot learns it by `follows`, and fetches a newer one."""
        picture = self._picture
        return self._frame(picture, picture.step) if picture is not None else None

    def _frame(self, picture: LivePicture, since: int) -> Mapping[str, Any]:
        return {
            "version": self._marks[picture.step],
            "follows": self._marks[since],
            "students": picture.students(since, self._clock.now_ms()),
            "questions": picture.questions(since),
            "totals": picture.totals(),
            "removed": picture.removed(since),
        }


class Dashboards:
    """Snapshots of running quizzes, for those who teach them, and what lets their frames follow who comes and goes."""

    def __init__(self, *, bus: Bus, clock: Clock) -> None:
        self._bus, self._clock = bus, clock
        self._moved: set[str] = set()
        self._has_moved = asyncio.Event()
        self._sat: dict[str, tuple[str, str]] = {}
        self._left: dict[str, int] = {}

    def presence_changed(self, channel: str) -> None:
        """Somebody came to a channel, or left it; `run` lets the quiz of an attempt look."""
        parsed = find_channel(channel)
        if parsed is not None and parsed.kind is ChannelKind.ATTEMPT:
            self._moved.add(parsed.subject_id)
            self._has_moved.set()

    async def run(self) -> None:
        """Poke the dashboards of those who came or went, until cancelled."""
        while True:
            await self._has_moved.wait()
            self._has_moved.clear()
            moved, self._moved = self._moved, set()
            try:
                await self._poke(moved)
            except Refused as refused:  # every dashboard looks at everybody every few seconds anyway
                _log.info("%s comings and goings were not told: %s", len(moved), refused)
            except Exception:  # noqa: BLE001 - the database is away: who comes next must be told of all the same
                _log.exception("%s comings and goings were not told", len(moved))

    async def _poke(self, attempt_ids: set[str]) -> None:
        self._sat |= await Attempt.find_sittings(attempt_ids - self._sat.keys())
        known = attempt_ids & self._sat.keys()
        await self._note_who_left(known)
        about: dict[str, list[str]] = {}
        for attempt_id in known:
            quiz_id, _ = self._sat[attempt_id]
            about.setdefault(quiz_id, []).append(attempt_id)
        for quiz_id, moved in about.items():
            await self._bus.fan_out.poke(quiz_live_channel(quiz_id), moved)
        kept: dict[str, Any]
        for kept in (self._sat, self._left):
            while len(kept) > _KEPT_ATTEMPTS:
                del kept[next(iter(kept))]

    async def _note_who_left(self, attempt_ids: set[str]) -> None:
        """Whose student is not there any more; teachers may learn as well, and those who may teach may watch."""
        channels = {attempt_channel(attempt_id): attempt_id for attempt_id in attempt_ids}
        for channel, members in (await self._bus.presence.members_of(channels)).items():
            attempt_id = channels[channel]
            _, student_id = self._sat[attempt_id]
            if any(member.user_id == student_id for member in members):
                self._left.pop(attempt_id, None)
            else:
                self._left.setdefault(attempt_id, self._clock.now_ms())

    def source_of(self, quiz_id: str) -> QuizSource:
        """A source of frames, for the actor of the quiz's channel."""
        return QuizSource(quiz_id, bus=self._bus, clock=self._clock, left=self._left)

    async def show(self, actor: Actor, quiz_id: str) -> LiveView:
        """The whole picture as it is now, with the place of its channel read before the data."""
        quiz = (await require_taught_quiz(actor, quiz_id, Permission.ANALYTICS_VIEW)).quiz
        channel = quiz_live_channel(quiz_id)
        top = await self._bus.history.top(channel)
        questions, asked_ms = await _questions(quiz_id)
        picture = LivePicture(questions, asked_ms=asked_ms)
        picture.take(await Attempt.find_changed(quiz_id, 0))
        picture.see(await _presences(self._bus, picture.sittings.values(), self._left))
        now_ms = self._clock.now_ms()
        return LiveView(
            quiz_id=quiz_id,
            title=quiz["title"],
            version=picture.as_of_ms,
            as_of=AsOf(channel=channel, epoch=top.epoch, offset=top.offset) if top else None,
            server_time=from_ms(now_ms),
            closes_at=quiz.get("closes_at"),
            totals=picture.totals(),
            students=picture.students(-1, now_ms),
            questions=picture.questions(-1),
        )


async def _questions(quiz_id: str) -> tuple[list[dict[str, Any]], int]:
    """The quiz's questions that can be answered, in their order, and when the quiz was edited last."""
    quiz = await Quiz.find_whole(quiz_id)
    if quiz is None:
        return [], 0
    ordered = ({**quiz["questions"][question_id], "id": question_id} for question_id in quiz["question_ids"])
    asked = [question for question in ordered if question["question_type"] != QuestionType.DESCRIPTION]
    return asked, to_ms(quiz["updated_at"])


async def _presences(bus: Bus, sittings: Iterable[Sitting], left: Mapping[str, int]) -> dict[str, Presence]:
    """Where the students of these attempts are; one that is closed may still be open on a screen.

    Of nobody while the bus is away: what was seen last stays.
    """
    channels = {attempt_channel(sitting.row["_id"]): sitting for sitting in sittings}
    try:
        members = await bus.presence.members_of(channels)
    except Refused as refused:
        _log.info("nobody knows who is there: %s", refused)
        return {}
    return {
        sitting.row["_id"]: _presence(members[channel], sitting.row["student_id"], left.get(sitting.row["_id"]))
        for channel, sitting in channels.items()
    }


def _presence(members: list[Member], student_id: str, left_ms: int | None) -> Presence:
    own = [member for member in members if member.user_id == student_id]
    if not own:
        return Presence(left_ms=left_ms)
    note = own[-1].note
    is_hidden = note.get("state") == "hidden"
    return Presence(len(own), note.get("question_id"), is_hidden, conflict_revision=note.get("conflict"))
