"""Races that random lives meet too rarely, each as one order of atomic steps over the real services."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from documents.attempt import Attempt
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import HandedOutView, SubmitDraft
from lms_rt.contracts.base import read_model
from lms_rt.errors import Code
from lms_rt.services.leases import Device
from tests.conftest import settings_on
from tests.services.exam import Exam
from tests.services.stepping import Handler, done, open_stepping

Work = Coroutine[Any, Any, Any]


@dataclass
class Room:
    """An attempt that has begun, with the screen that writes it."""

    exam: Exam
    student: Actor
    attempt: HandedOutView

    def save(self, value: Any, **fields: Any) -> Work:
        return self.exam.save(self.student, self.attempt, value, **fields)

    def submit(self, **fields: Any) -> Work:
        return self.exam.attempts.submit(self.student, self.attempt.id, read_model(SubmitDraft, fields))

    def stored(self) -> dict[str, Any]:
        row: dict[str, Any] = done(self.exam.stored(self.attempt.id))
        return row


@pytest.fixture
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    settings = settings_on("embedded", request, tmp_path)
    with open_stepping(settings):
        exam = Exam(settings)
        done(exam.open_course())
        student = done(exam.student())
        yield Room(exam, student, done(exam.begun(student, done(exam.quiz()))))


def interrupted(work: Work, *, before: str, meanwhile: Callable[[], Any]) -> Handler:
    """Run `work`; the first time it is about to do `before`, something else happens first."""
    handler = Handler(work)
    handler.step()
    while not handler.is_over and handler.next_step != before:
        handler.step()
    assert not handler.is_over, f"it never came to {before}"
    meanwhile()
    return handler.run()


def test_a_save_that_was_decided_before_a_take_over_is_refused_after_it(room: Room) -> None:
    def take_over() -> None:
        done(room.exam.attempts.take_over(room.student, room.attempt.id, Device("phone")))

    late = interrupted(room.save("b"), before="update_one", meanwhile=take_over)
    assert late.refused is not None
    assert late.refused.code is Code.NOT_WRITER
    assert room.stored()["answers"] == {}


def test_two_saves_that_were_decided_together_take_different_revisions(room: Room) -> None:
    first = interrupted(room.save("b"), before="update_one", meanwhile=lambda: done(room.save("c", base_revision=9)))
    assert first.result.superseded
    assert room.stored()["answers"][room.exam.question_ids[0]]["value"] == "c"


def test_what_was_overtaken_twice_at_once_gets_one_ack(room: Room) -> None:
    done(room.save("b", seq=9))
    old: dict[str, Any] = {"op_id": "old", "seq": 1, "base_revision": 0}
    acks: list[Any] = []

    def resend() -> None:
        room.exam.clock.advance(1)
        acks.append(done(room.save("a", **old)))

    first = interrupted(room.save("a", **old), before="update_one", meanwhile=resend)
    assert [first.result] == acks
    assert room.stored()["ops_count"] == 2


def test_a_submission_meets_an_answer_that_came_between(room: Room) -> None:
    handler = interrupted(room.submit(revision=0), before="update_one", meanwhile=lambda: done(room.save("b")))
    assert handler.refused is not None
    assert handler.refused.code is Code.CONFLICT
    assert room.stored()["status"] == "in_progress"


def test_a_submission_without_revision_takes_in_what_came_between(room: Room) -> None:
    handler = interrupted(room.submit(), before="update_one", meanwhile=lambda: done(room.save("b")))
    assert handler.result.score == 200


def test_answers_with_a_submission_are_decided_again_when_another_answer_came(room: Room) -> None:
    ids = room.exam.question_ids
    brought = [{"question_id": ids[1], "value": True}]
    work = room.submit(lease=room.attempt.lease, answers=brought)
    handler = interrupted(work, before="update_one", meanwhile=lambda: done(room.save("b")))
    assert {one: answer.revision for one, answer in handler.result.answers.items()} == {ids[0]: 1, ids[1]: 2}
    assert handler.result.score == 300


def test_a_save_after_the_close_that_came_between_is_refused(room: Room) -> None:
    handler = interrupted(room.save("b"), before="update_one", meanwhile=lambda: done(room.submit()))
    assert handler.refused is not None
    assert handler.refused.code is Code.ATTEMPT_CLOSED
    assert room.stored()["answers"] == {}


def test_a_second_grader_finds_the_grade_made(room: Room) -> None:
    assert done(Attempt.submit(room.attempt.id, revision=None, now_ms=room.exam.clock.now_ms()))
    grading = room.exam.attempt_clock.grading
    slow = interrupted(
        grading.grade(room.attempt.id), before="update_one", meanwhile=lambda: done(grading.grade(room.attempt.id))
    )
    assert slow.result["version"] == room.stored()["version"] == 2
    assert len(done(room.exam.events(room.attempt, "attempt_graded"))) == 1


def test_an_idle_writer_that_writes_at_the_last_moment_keeps_its_lease(room: Room) -> None:
    room.exam.clock.advance(20)
    handler = interrupted(
        room.exam.attempts.resume(room.student, room.attempt.id, Device("phone")),
        before="update_one",
        meanwhile=lambda: done(room.save("b")),
    )
    assert handler.result.lease is None


def test_of_two_resumes_at_once_the_second_decides_again(room: Room) -> None:
    room.exam.clock.advance(20)
    resumed = room.exam.attempts.resume(room.student, room.attempt.id, Device("phone"))
    tablet: list[Any] = []

    def resume_elsewhere() -> None:
        tablet.append(done(room.exam.attempts.resume(room.student, room.attempt.id, Device("tablet"))))

    handler = interrupted(resumed, before="update_one", meanwhile=resume_elsewhere)
    assert tablet[0].lease == room.stored()["writer"]["lease"]
    assert handler.result.lease is None


def test_a_lease_that_was_taken_before_the_reply_is_not_handed_out(room: Room) -> None:
    first = Handler(room.exam.attempts.take_over(room.student, room.attempt.id, Device("phone")))
    first.step()
    while first.next_step != "update_one":
        first.step()
    first.step()
    done(room.exam.attempts.take_over(room.student, room.attempt.id, Device("tablet")))
    view = first.run().result
    assert (view.lease, view.writer.device_id) == (None, "tablet")


def test_a_start_that_lost_the_race_brings_the_attempt_that_won(room: Room) -> None:
    student = done(room.exam.student())
    started: list[Any] = []

    def start_elsewhere() -> None:
        started.append(done(room.exam.begun(student, room.attempt.quiz_id, "phone")))

    handler = interrupted(
        room.exam.attempts.start(student, room.attempt.quiz_id, Device("laptop")),
        before="insert_one attempts",
        meanwhile=start_elsewhere,
    )
    view, is_new = handler.result
    assert (view.id, is_new, view.lease) == (started[0].id, False, None)
    papers = done(Attempt.rows().database["attempt_papers"].count_documents({}))
    assert papers == 2, "the loser's paper is gone"


def test_an_extension_between_look_and_close_keeps_it_open(room: Room) -> None:
    room.exam.clock.advance(30 * 60 + 3)
    closing = Handler(room.exam.attempt_clock.closing.close_due())
    closing.step()
    closing.step()
    extended = Attempt.rows().update_one({"_id": room.attempt.id}, {"$inc": {"deadline_ms": 60_000}})
    done(extended)
    closing.run()
    assert room.stored()["status"] == "in_progress"


def test_a_crash_after_the_close_leaves_a_grade_to_be_made(room: Room) -> None:
    handler = Handler(room.submit())
    while room.stored()["status"] == "in_progress":
        handler.step()
    handler.crash()
    assert room.stored()["grading"] == "pending"
    room.exam.clock.advance(5)
    done(room.exam.attempt_clock.sweep())
    assert room.stored()["status"] == "graded"
    assert len(done(room.exam.events(room.attempt, "attempt_graded"))) == 1
