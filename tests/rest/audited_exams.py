"""What is changed around exams, as an administrator changes it: corrections, controls, marks, time. One request for each row."""

from __future__ import annotations

from typing import Any

from lms_rt.services.offline import Line
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.rest.audited_world import NUMBERS, Asked, Change, World


async def _asked_of_quiz(world: World, path: str, body: Any = None) -> Asked:
    quiz_id = await world.quiz()
    question_id = (await world.teacher.ok("GET", f"/quizzes/{quiz_id}/questions"))["items"][0]["id"]
    body = body or {"changes": [{"question_id": question_id, "action": "void"}]}
    return Asked(f"/quizzes/{quiz_id}/{path.format(question_id=question_id)}", quiz_id, body)


async def correct_question(world: World) -> Asked:
    return await _asked_of_quiz(world, "questions/{question_id}/correct", {"action": "void"})


async def regrade(world: World) -> Asked:
    return await _asked_of_quiz(world, "regrade")


async def _foretold(world: World) -> tuple[str, str]:
    asked = await _asked_of_quiz(world, "regrades")
    regrade_id = (await world.teacher.ok("POST", asked.path, json=asked.body))["id"]
    return f"{asked.path}/{regrade_id}", asked.target_id or ""


async def apply_regrade(world: World) -> Asked:
    path, quiz_id = await _foretold(world)
    return Asked(f"{path}/apply", quiz_id)


async def undo_regrade(world: World) -> Asked:
    path, quiz_id = await _foretold(world)
    await world.teacher.ok("POST", f"{path}/apply")
    await world.house.services.regrading.carry_out(path.rpartition("/")[2])
    return Asked(f"{path}/undo", quiz_id, {})


def order_of(kind: str, **body: Any) -> Change:
    """Something that is ordered while a quiz runs."""

    async def order(world: World) -> Asked:
        quiz_id = await world.quiz()
        return Asked(f"/quizzes/{quiz_id}/live/{kind}", quiz_id, body)

    return order


async def losing(house: House, student: Visitor, attempt_id: str) -> None:
    """A minute in which no line of the student was up, as two nodes would have told of it."""
    loss, now_ms, number = house.services.connection_loss, house.services.clock.now_ms(), next(NUMBERS)
    for line, at_ms in ((f"con_a{number}", now_ms - 70_000), (f"con_b{number}", now_ms)):
        await loss.came(attempt_id, student.user_id, Line(line, "nod_elsewhere", at_ms))
        await loss.went(attempt_id, line, at_ms + 10_000, "closed")


async def credit_time(world: World) -> Asked:
    student, course_id = await world.house.student(), await world.course()
    await factories.enrolled(student, course_id)
    quiz = await factories.quiz(world.teacher, course_id, (factories.TRUE_FALSE,), time_limit_minutes=30)
    attempt_id = (await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]}))["id"]
    await losing(world.house, student, attempt_id)
    return Asked(f"/attempts/{attempt_id}/time-credit", attempt_id, {"approve": True})


async def _learner(world: World) -> tuple[str, str]:
    course_id, student = await world.course(), await world.house.student()
    await factories.enrolled(student, course_id)
    return course_id, student.user_id


async def accommodate(world: World) -> Asked:
    course_id, student_id = await _learner(world)
    body = {"student_id": student_id, "factor": 1.5}
    return Asked(f"/courses/{course_id}/accommodations", f"{course_id}:{student_id}", body)


async def accommodate_no_more(world: World) -> Asked:
    asked = await accommodate(world)
    await world.admin.ok("POST", asked.path, json=asked.body)
    return Asked(f"{asked.path}?student_id={asked.body['student_id']}", asked.target_id)


async def accommodate_at_quiz(world: World) -> Asked:
    course_id, student_id = await _learner(world)
    quiz_id = (await factories.quiz(world.teacher, course_id, (factories.TRUE_FALSE,)))["id"]
    body = {"student_id": student_id, "factor": 1.5}
    return Asked(f"/quizzes/{quiz_id}/accommodations", f"{quiz_id}:{student_id}", body)


async def accommodate_at_quiz_no_more(world: World) -> Asked:
    asked = await accommodate_at_quiz(world)
    await world.admin.ok("PUT", asked.path, json=asked.body)
    return Asked(f"{asked.path}?student_id={asked.body['student_id']}", asked.target_id)


async def group(world: World) -> Asked:
    course_id, student_id = await _learner(world)
    return Asked(f"/courses/{course_id}/groups", course_id, {"group": "Room 1", "student_ids": [student_id]})


async def grade(world: World) -> Asked:
    student, course_id = await world.house.student(), await world.course()
    await factories.enrolled(student, course_id)
    quiz = await factories.quiz(world.teacher, course_id, (factories.ESSAY,))
    waiting = await factories.waiting(student, quiz["id"])
    body = {"question_id": waiting["question_id"], "points": 3}
    return Asked(f"/attempts/{waiting['attempt_id']}/grade", waiting["attempt_id"], body)


async def set_gradebook(world: World) -> Asked:
    course_id = await world.course()
    return Asked(f"/courses/{course_id}/gradebook", course_id, {"missing": "zero"})


async def grade_by_hand(world: World) -> Asked:
    course_id, student_id = await _learner(world)
    path = f"/courses/{course_id}/gradebook/students/{student_id}/grades/total"
    return Asked(path, f"{course_id}:{student_id}:total", {"points": 80, "reason": "Jury"})


async def grade_by_hand_no_more(world: World) -> Asked:
    asked = await grade_by_hand(world)
    await world.admin.ok("PUT", asked.path, json=asked.body)
    return Asked(f"{asked.path}?reason=Slip", asked.target_id)


EXAM_CHANGES: dict[str, Change] = {
    "POST /quizzes/{quiz_id}/questions/{question_id}/correct": correct_question,
    "POST /quizzes/{quiz_id}/regrade": regrade,
    "POST /quizzes/{quiz_id}/regrades/{regrade_id}/apply": apply_regrade,
    "POST /quizzes/{quiz_id}/regrades/{regrade_id}/undo": undo_regrade,
    "POST /quizzes/{quiz_id}/live/pause": order_of("pause"),
    "POST /quizzes/{quiz_id}/live/resume": order_of("resume"),
    "POST /quizzes/{quiz_id}/live/extend": order_of("extend", seconds=60),
    "POST /quizzes/{quiz_id}/live/end": order_of("end"),
    "POST /quizzes/{quiz_id}/live/announce": order_of("announce", text="Hello"),
    "POST /attempts/{attempt_id}/grade": grade,
    "POST /attempts/{attempt_id}/time-credit": credit_time,
    "POST /courses/{course_id}/accommodations": accommodate,
    "DELETE /courses/{course_id}/accommodations": accommodate_no_more,
    "PUT /quizzes/{quiz_id}/accommodations": accommodate_at_quiz,
    "DELETE /quizzes/{quiz_id}/accommodations": accommodate_at_quiz_no_more,
    "POST /courses/{course_id}/groups": group,
    "PATCH /courses/{course_id}/gradebook": set_gradebook,
    "PUT /courses/{course_id}/gradebook/students/{student_id}/grades/{graded_item_id}": grade_by_hand,
    "DELETE /courses/{course_id}/gradebook/students/{student_id}/grades/{graded_item_id}": grade_by_hand_no_more,
}
"""By the name of the row."""
