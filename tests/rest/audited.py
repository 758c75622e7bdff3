"""A change of every kind, as an administrator makes it: for each row of the route table that is recorded, one request."""

from __future__ import annotations

import pyotp

from tests import factories
from tests.house import PASSWORD
from tests.rest.audited_assignments import ASSIGNMENT_CHANGES
from tests.rest.audited_bulk import BULK_CHANGES
from tests.rest.audited_chats import CHAT_CHANGES
from tests.rest.audited_exams import EXAM_CHANGES
from tests.rest.audited_payments import PAYMENT_CHANGES
from tests.rest.audited_subscriptions import SUBSCRIPTION_CHANGES
from tests.rest.audited_world import GIFT, HOOK, NUMBERS, Asked, Change, World
from tests.rest.certified import CERTIFICATE_CHANGES

# --- courses ---


async def create_course(world: World) -> Asked:
    return Asked("/courses", None, {"title": "Geometry"})


async def change_course(world: World) -> Asked:
    course_id = await world.course()
    return Asked(f"/courses/{course_id}", course_id, {"title": "Algebra 2"})


async def remove_course(world: World) -> Asked:
    course_id = await world.course()
    return Asked(f"/courses/{course_id}", course_id)


async def publish_course(world: World) -> Asked:
    course_id = await world.course()
    await world.teacher.ok("POST", f"/courses/{course_id}/unpublish")
    return Asked(f"/courses/{course_id}/publish", course_id)


async def unpublish_course(world: World) -> Asked:
    course_id = await world.course()
    return Asked(f"/courses/{course_id}/unpublish", course_id)


async def announce(world: World) -> Asked:
    return Asked(f"/courses/{await world.course()}/announcements", None, {"text": "No lesson on Monday."})


async def create_lesson(world: World) -> Asked:
    body = {"title": "Lines", "content_type": "text"}
    return Asked(f"/courses/{await world.course()}/lessons", None, body)


async def reorder_lessons(world: World) -> Asked:
    course_id, first = await world.lesson()
    lesson = {"title": "Lines", "content_type": "text"}
    second = (await world.teacher.ok("POST", f"/courses/{course_id}/lessons", json=lesson))["id"]
    return Asked("/lessons/reorder", course_id, {"course_id": course_id, "lesson_ids": [second, first]})


async def change_lesson(world: World) -> Asked:
    _, lesson_id = await world.lesson()
    return Asked(f"/lessons/{lesson_id}", lesson_id, {"title": "Steeper slopes"})


async def remove_lesson(world: World) -> Asked:
    _, lesson_id = await world.lesson()
    return Asked(f"/lessons/{lesson_id}", lesson_id)


# --- enrolments ---


async def enroll(world: World) -> Asked:
    student, course_id = await world.house.student(), await world.course()
    body = {"course_id": course_id, "student_id": student.user_id}
    return Asked("/enrollments", f"{student.user_id}:{course_id}", body)


async def drop_by_change(world: World) -> Asked:
    enrollment_id = await world.enrollment()
    return Asked(f"/enrollments/{enrollment_id}", enrollment_id, {"status": "dropped"})


async def drop(world: World) -> Asked:
    enrollment_id = await world.enrollment()
    return Asked(f"/enrollments/{enrollment_id}", enrollment_id)


# --- quizzes ---


async def create_quiz(world: World) -> Asked:
    return Asked("/quizzes", None, {"course_id": await world.course(), "title": "Final"})


async def change_quiz(world: World) -> Asked:
    quiz_id = await world.quiz()
    return Asked(f"/quizzes/{quiz_id}", quiz_id, {"title": "Final"})


async def remove_quiz(world: World) -> Asked:
    quiz_id = await world.quiz()
    await world.teacher.ok("POST", f"/quizzes/{quiz_id}/unpublish")
    await world.house.services.relay.sweep(minimum_age_ms=0)
    return Asked(f"/quizzes/{quiz_id}", quiz_id)


async def publish_quiz(world: World) -> Asked:
    quiz_id = await world.quiz()
    await world.teacher.ok("POST", f"/quizzes/{quiz_id}/unpublish")
    return Asked(f"/quizzes/{quiz_id}/publish", quiz_id)


async def unpublish_quiz(world: World) -> Asked:
    quiz_id = await world.quiz()
    return Asked(f"/quizzes/{quiz_id}/unpublish", quiz_id)


async def create_question(world: World) -> Asked:
    return Asked("/questions", None, {**factories.NUMERIC, "quiz_id": await world.quiz()})


async def change_question(world: World) -> Asked:
    _, question_id = await world.question()
    return Asked(f"/questions/{question_id}", question_id, {"question_text": "And to three places?"})


async def remove_question(world: World) -> Asked:
    _, question_id = await world.question()
    return Asked(f"/questions/{question_id}", question_id)


async def import_questions(world: World) -> Asked:
    quiz_id = await world.quiz()
    return Asked(f"/quizzes/{quiz_id}/questions/import", quiz_id, text=GIFT)


# --- the machinery ---


async def retry_dead_letter(world: World) -> Asked:
    job_id = await world.dead_letter()
    return Asked(f"/admin/dead-letters/{job_id}/retry", job_id)


async def discard_dead_letter(world: World) -> Asked:
    job_id = await world.dead_letter()
    return Asked(f"/admin/dead-letters/{job_id}", job_id)


async def create_webhook(world: World) -> Asked:
    return Asked("/webhooks", None, {"url": HOOK})


async def change_webhook(world: World) -> Asked:
    webhook_id = await world.webhook()
    return Asked(f"/webhooks/{webhook_id}", webhook_id, {"description": "The library", "rotate_secret": True})


async def remove_webhook(world: World) -> Asked:
    webhook_id = await world.webhook()
    return Asked(f"/webhooks/{webhook_id}", webhook_id)


async def redeliver(world: World) -> Asked:
    webhook_id, delivery_id = await world.delivery()
    return Asked(f"/webhooks/deliveries/{delivery_id}/redeliver", webhook_id)


async def try_webhook(world: World) -> Asked:
    webhook_id = await world.webhook()
    return Asked(f"/webhooks/{webhook_id}/test", webhook_id)


async def change_settings(world: World) -> Asked:
    value = next(NUMBERS) + 200
    return Asked("/admin/settings", None, {"RETENTION_NOTIFICATIONS_DAYS": value})


# --- people ---


async def invite(world: World) -> Asked:
    return Asked("/users", None, {"email": f"invited{next(NUMBERS)}@example.org", "full_name": "Invited"})


async def close(world: World) -> Asked:
    student = await world.house.student()
    return Asked(f"/users/{student.user_id}", student.user_id)


async def change_account(world: World) -> Asked:
    student = await world.house.student()
    return Asked(f"/admin/users/{student.user_id}", student.user_id, {"role": "instructor"})


async def impersonate(world: World) -> Asked:
    student = await world.house.student()
    return Asked(f"/admin/users/{student.user_id}/impersonate", student.user_id, {"reason": "Sees no quiz"})


async def change_oneself(world: World) -> Asked:
    name = f"Ada Admin {next(NUMBERS)}"
    return Asked("/users/me", world.admin.user_id, {"full_name": name})


async def change_as_teacher(world: World) -> Asked:
    return Asked("/instructors/me", None, {"title": f"Head {next(NUMBERS)}"})


async def change_password(world: World) -> Asked:
    second = await world.another_admin()
    body = {"current_password": PASSWORD, "new_password": "another horse, another staple"}
    return Asked("/users/me/password", second.user_id, body, by=second)


async def leave(world: World) -> Asked:
    second = await world.another_admin()
    return Asked("/users/me", second.user_id, {"password": PASSWORD}, by=second)


async def keep(world: World) -> Asked:
    second = await world.another_admin()
    email = second.user["email"]
    await second.ok("DELETE", "/users/me", json={"password": PASSWORD})
    await second.sign_in(email, PASSWORD)
    return Asked("/users/me/keep", second.user_id, by=second)


async def confirm_second_step(world: World) -> Asked:
    second = await world.another_admin()
    asked = await second.ok("POST", "/auth/mfa/enable/request", json={"password": PASSWORD, "method": "totp"})
    code = pyotp.TOTP(asked["secret"]).at(world.house.services.clock.now())
    return Asked("/auth/mfa/enable/confirm", second.user_id, {"code": code}, by=second)


async def end_second_step(world: World) -> Asked:
    confirmed = await confirm_second_step(world)
    assert confirmed.by is not None
    codes = await confirmed.by.ok("POST", confirmed.path, json=confirmed.body)
    body = {"password": PASSWORD, "code": codes["recovery_codes"][0]}
    return Asked("/auth/mfa/disable", confirmed.target_id, body, by=confirmed.by)


CHANGES: dict[str, Change] = {
    **EXAM_CHANGES,
    **PAYMENT_CHANGES,
    **SUBSCRIPTION_CHANGES,
    **BULK_CHANGES,
    **CHAT_CHANGES,
    **CERTIFICATE_CHANGES,
    **ASSIGNMENT_CHANGES,
    "POST /courses": create_course,
    "PATCH /courses/{course_id}": change_course,
    "DELETE /courses/{course_id}": remove_course,
    "POST /courses/{course_id}/publish": publish_course,
    "POST /courses/{course_id}/unpublish": unpublish_course,
    "POST /courses/{course_id}/announcements": announce,
    "POST /courses/{course_id}/lessons": create_lesson,
    "PATCH /lessons/reorder": reorder_lessons,
    "PATCH /lessons/{lesson_id}": change_lesson,
    "DELETE /lessons/{lesson_id}": remove_lesson,
    "POST /enrollments": enroll,
    "PUT /enrollments/{enrollment_id}": drop_by_change,
    "DELETE /enrollments/{enrollment_id}": drop,
    "POST /quizzes": create_quiz,
    "PATCH /quizzes/{quiz_id}": change_quiz,
    "DELETE /quizzes/{quiz_id}": remove_quiz,
    "POST /quizzes/{quiz_id}/publish": publish_quiz,
    "POST /quizzes/{quiz_id}/unpublish": unpublish_quiz,
    "POST /questions": create_question,
    "PATCH /questions/{question_id}": change_question,
    "DELETE /questions/{question_id}": remove_question,
    "POST /quizzes/{quiz_id}/questions/import": import_questions,
    "POST /admin/dead-letters/{job_id}/retry": retry_dead_letter,
    "DELETE /admin/dead-letters/{job_id}": discard_dead_letter,
    "POST /webhooks": create_webhook,
    "PATCH /webhooks/{webhook_id}": change_webhook,
    "DELETE /webhooks/{webhook_id}": remove_webhook,
    "POST /webhooks/deliveries/{delivery_id}/redeliver": redeliver,
    "POST /webhooks/{webhook_id}/test": try_webhook,
    "PATCH /admin/settings": change_settings,
    "POST /users": invite,
    "DELETE /users/{user_id}": close,
    "PATCH /admin/users/{user_id}": change_account,
    "POST /admin/users/{user_id}/impersonate": impersonate,
    "PATCH /users/me": change_oneself,
    "PATCH /instructors/me": change_as_teacher,
    "POST /users/me/password": change_password,
    "DELETE /users/me": leave,
    "POST /users/me/keep": keep,
    "POST /auth/mfa/enable/confirm": confirm_second_step,
    "POST /auth/mfa/disable": end_second_step,
}
"""By the first method of a row and its path."""
