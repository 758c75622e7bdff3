"""What is asked in the walk of the table of rights: for every operation a body that it takes, and what its lists show."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from handlers.rest.dispatch import API_PREFIX
from handlers.rest.operations import FORM, Operation
from lms_rt.security.rights import Person, Reach
from tests import factories
from tests.house import PASSWORD
from tests.rest.audited_world import GIFT, HOOK
from tests.rest.rights.school import Ids, Place
from tests.rest.rights.sending import streamed_options

LINK = "a" * 43
"""As long as what the links of mails carry."""
_NUMBERS = itertools.count(1)
_ANSWER = {"question_id": "{question_id}", "value": True, "op_id": "op-{number}", "seq": 1, "base_revision": 0}

BODIES: Mapping[str, Any] = {
    "POST /auth/register": {"email": "walker{number}@example.org", "password": PASSWORD, "full_name": "Walker"},
    "POST /auth/login": {"email": "nobody{number}@example.org", "password": PASSWORD},
    "POST /auth/login-cookie": {"email": "nobody{number}@example.org", "password": PASSWORD},
    "POST /auth/token": {"username": "nobody{number}@example.org", "password": PASSWORD},
    "POST /auth/refresh": {"refresh_token": LINK},
    "POST /auth/login/mfa": {"challenge_token": LINK, "code": "123456"},
    "POST /auth/login-cookie/mfa": {"challenge_token": LINK, "code": "123456"},
    "POST /auth/login/mfa/resend": {"challenge_token": LINK},
    "POST /auth/mfa/enable/request": {"password": PASSWORD, "method": "totp"},
    "POST /auth/mfa/enable/confirm": {"code": "123456"},
    "POST /auth/mfa/disable": {"password": PASSWORD},
    "POST /auth/forgot-password": {"email": "nobody{number}@example.org"},
    "POST /auth/reset-password": {"token": LINK, "new_password": "another horse, another staple"},
    "POST /auth/verify-email/request": {"email": "nobody{number}@example.org"},
    "POST /auth/verify-email/confirm": {"token": LINK},
    "PATCH /users/me": {"metadata": {"walked": "{number}"}},
    "POST /users": {"email": "invited-walker{number}@example.org", "full_name": "Invited"},
    "POST /users/me/password": {"current_password": PASSWORD, "new_password": "another horse, another staple"},
    "DELETE /users/me": {"password": PASSWORD},
    "PATCH /instructors/me": {"title": "Head {number}"},
    "POST /courses": {"title": "Mine"},
    "PATCH /courses/{course_id}": {"short_description": "About {number} things."},
    "POST /courses/import": {"file_id": "fil_none"},
    "POST /courses/{course_id}/announcements": {"text": "No lesson on Monday."},
    "POST /courses/{course_id}/lessons": {"title": "Mine", "content_type": "text"},
    "PATCH /lessons/reorder": {"course_id": "{course_id}", "lesson_ids": ["{lesson_id}"]},
    "PATCH /lessons/{lesson_id}": {"title": "Chords {number}"},
    "POST /enrollments": {"course_id": "{course_id}"},
    "PUT /enrollments/{enrollment_id}": {"status": "dropped"},
    "POST /enrollments/{enrollment_id}/review": {"rating": 4, "review": "Word {number}"},
    "PATCH /courses/{course_id}/reviews/{enrollment_id}": {"is_hidden": True, "reason": "Reason {number}"},
    "POST /courses/{course_id}/messages": {"text": "Word {number}"},
    "PATCH /courses/{course_id}/messages/{message_id}": {"text": "Word {number}"},
    "POST /courses/{course_id}/messages/read": {"number": 1},
    "POST /courses/{course_id}/chat/mutes": {"student_id": "{student_id}", "minutes": 5, "reason": "To be kind."},
    "POST /enrollments/{enrollment_id}/progress": {"lesson_id": "{lesson_id}", "status": "in_progress"},
    "POST /assignments": {"course_id": "{course_id}", "title": "Mine"},
    "PATCH /files/{file_id}": {"folder": "week-{number}"},
    "PATCH /assignments/{assignment_id}": {"title": "Essay {number}"},
    "PUT /assignments/{assignment_id}/draft": {"content": "Draft {number}"},
    "POST /assignments/{assignment_id}/submit": {"content": "Essay {number}"},
    "POST /assignments/submissions/{submission_id}/grade": {"grade": 1},
    "POST /certificates/generate": {"enrollment_id": "{enrollment_id}"},
    "POST /certificates/{certificate_id}/revoke": {"reason": "Issued by mistake."},
    "POST /certificates/{certificate_id}/replace": {"reason": "The name was wrong."},
    "PATCH /courses/{course_id}/certificate-template": {"text": "Forty hours {number}"},
    "POST /quizzes": {"course_id": "{course_id}", "title": "Mine"},
    "PATCH /quizzes/{quiz_id}": {"title": "Midterm {number}"},
    "POST /questions": {**factories.TRUE_FALSE, "quiz_id": "{quiz_id}"},
    "PATCH /questions/{question_id}": {"title": "Question {number}"},
    "POST /attempts": {"quiz_id": "{quiz_id}", "device_id": "laptop"},
    "PATCH /attempts/{attempt_id}/answers": {"answers": [_ANSWER], "device_id": "laptop", "lease": "{lease}"},
    "POST /attempts/{attempt_id}/sync": {"have": []},
    "POST /attempts/{attempt_id}/take-over": {"device_id": "laptop"},
    "POST /attempts/{attempt_id}/signals": {"signals": [{"kind": "page", "state": "shown"}]},
    "POST /attempts/{attempt_id}/submit": {"device_id": "laptop", "lease": "{lease}"},
    "POST /attempts/{attempt_id}/time-credit": {"approve": True, "reason": "Loss {number}"},
    "POST /courses/{course_id}/accommodations": {"student_id": "{user_id}", "factor": 1.25},
    "PUT /quizzes/{quiz_id}/accommodations": {"student_id": "{user_id}", "break_minutes": 5},
    "POST /courses/{course_id}/groups": {"group": "Room {number}", "student_ids": ["{user_id}"]},
    "PATCH /courses/{course_id}/gradebook": {"missing": "zero"},
    "PUT /courses/{course_id}/gradebook/students/{student_id}/grades/{graded_item_id}": {
        "points": 70,
        "reason": "Jury {number}",
    },
    "POST /attempts/{attempt_id}/grade": {"question_id": "{question_id}", "points": 1},
    "POST /quizzes/{quiz_id}/questions/{question_id}/correct": {"action": "void"},
    "POST /quizzes/{quiz_id}/regrade": {"changes": [{"question_id": "{question_id}", "action": "full_credit"}]},
    "POST /quizzes/{quiz_id}/regrades": {"changes": [{"question_id": "{question_id}", "action": "void"}]},
    "POST /quizzes/{quiz_id}/live/extend": {"seconds": 60},
    "POST /quizzes/{quiz_id}/live/announce": {"text": "Word {number}"},
    "POST /payments/orders": {"course_id": "{sold_id}"},
    "POST /payments/{payment_id}/dispute": {"state": "lost"},
    "POST /payments/findings/{finding_id}/resolve": {"note": "Answered {number}"},
    "POST /payments/create-intent/{order_id}": {"gateway": "stripe"},
    "POST /payments/create-payment-intent": {"course_id": "{sold_id}", "gateway": "stripe"},
    "POST /payments/plans": {"plan_name": "Mine", "amount": 900, "currency": "USD"},
    "PATCH /payments/plans/{plan_id}": {"description": "For {number}"},
    "POST /payments/create-subscription": {"plan_id": "{plan_id}", "gateway": "nobodys"},
    "POST /payments/subscriptions/{subscription_id}/change": {"plan_id": "{plan_id}"},
    "POST /payments/coupons": {"code": "WALK-{number}", "percent_off": 10},
    "PATCH /payments/coupons/{coupon_id}": {"description": "For {number}"},
    "PUT /payments/tax-rates/{country}": {"tax_name": "VAT", "rate": 14},
    "PUT /notifications/preferences": {"digest": "daily"},
    "PATCH /admin/users/{user_id}": {"is_active": True},
    "POST /admin/users/{user_id}/impersonate": {"reason": "To see what they see"},
    "PATCH /admin/settings": {"RETENTION_NOTIFICATIONS_DAYS": 365},
    "POST /webhooks": {"url": HOOK},
    "PATCH /webhooks/{webhook_id}": {"description": "The library {number}"},
}
QUERIES: Mapping[str, Mapping[str, str]] = {
    "DELETE /courses/{course_id}/accommodations": {"student_id": "{user_id}"},
    "DELETE /quizzes/{quiz_id}/accommodations": {"student_id": "{user_id}"},
    "DELETE /courses/{course_id}/gradebook/students/{student_id}/grades/{graded_item_id}": {"reason": "A slip"},
    "DELETE /assignments/submissions/{submission_id}/grade": {"reason": "A slip"},
    "GET /calendar/feed.ics": {"token": LINK},
    "GET /users": {"q": "Olwen"},
    "GET /courses": {"q": "{course_title}"},
    "GET /courses/me": {"q": "{course_title}"},
    "GET /instructors/me/dashboard": {"page_size": "100"},
    "GET /enrollments": {"course_id": "{course_id}", "page_size": "100"},
    "GET /imports": {"course_id": "{course_id}", "page_size": "100"},
    "GET /courses/{course_id}/lessons": {"course_id": "{course_id}"},
    "POST /courses/{course_id}/lessons": {"course_id": "{course_id}"},
    "GET /assignments": {"course_id": "{course_id}", "page_size": "100"},
    "GET /certificates": {"course_id": "{course_id}", "page_size": "100"},
    "GET /quizzes": {"course_id": "{course_id}", "page_size": "100"},
    "GET /questions": {"quiz_id": "{quiz_id}", "page_size": "100"},
    "GET /attempts": {"quiz_id": "{quiz_id}", "page_size": "100"},
    "GET /grading-queue": {"quiz_id": "{essay_quiz_id}"},
    "GET /payments/methods": {"course_id": "{sold_id}"},
    "GET /payments": {"order_id": "{order_id}"},
    "GET /payments/findings": {"payment_id": "{payment_id}"},
    "GET /payments/price": {"course_id": "{course_id}"},
    "GET /payments/my-subscriptions": {"status": "pending"},
    "GET /payments/subscriptions": {"plan_id": "{plan_id}", "status": "pending"},
    "GET /notifications": {"page_size": "100"},
    "GET /files": {"page_size": "100"},
    "GET /auth/sessions": {"page_size": "100"},
}
LISTED: Mapping[str, str] = {
    "GET /auth/sessions": "session_id",
    "GET /users": "user_id",
    "GET /courses": "course_id",
    "GET /courses/me": "course_id",
    "GET /instructors/me/dashboard": "course_id",
    "GET /courses/{course_id}/lessons": "lesson_id",
    "GET /enrollments": "enrollment_id",
    "GET /assignments": "assignment_id",
    "GET /certificates": "certificate_id",
    "GET /quizzes": "quiz_id",
    "GET /questions": "question_id",
    "GET /attempts": "attempt_id",
    "GET /grading-queue": "item_id",
    "GET /notifications": "notification_id",
    "GET /payments/orders": "order_id",
    "GET /payments": "payment_id",
    "GET /payments/findings": "finding_id",
    "GET /payments/my-payments": "payment_id",
    "GET /payments/my-subscriptions": "subscription_id",
    "GET /payments/plans": "plan_id",
    "GET /payments/subscriptions": "subscription_id",
    "GET /payments/coupons": "coupon_id",
    "GET /files": "file_id",
    "GET /imports": "import_id",
}
"""What stands in a list for those who reach it, and for nobody else."""

INSTEAD: Mapping[str, Mapping[str, str]] = {
    "GET /attempts/{attempt_id}/results": {"attempt_id": "graded_id"},
    "GET /attempts/{attempt_id}/receipt": {"attempt_id": "graded_id"},
    "DELETE /grading-queue/{item_id}/claim": {"quiz_id": "essay_quiz_id"},
}
"""Where another thing is asked for than elsewhere."""

ENDS: Mapping[str, str] = {
    "POST /auth/login": "401 invalid_credentials",
    "POST /auth/login-cookie": "401 invalid_credentials",
    "POST /auth/token": "400 invalid_credentials",
    "POST /auth/refresh": "401 invalid_token",
    "POST /auth/refresh-cookie": "401 unauthenticated",
    "POST /auth/login/mfa": "401 invalid_token",
    "POST /auth/login-cookie/mfa": "401 invalid_token",
    "POST /auth/login/mfa/resend": "401 invalid_token",
    "POST /auth/reset-password": "401 invalid_token",
    "POST /auth/verify-email/confirm": "401 invalid_token",
    "POST /auth/mfa/enable/confirm": "401 invalid_code",
    "POST /auth/mfa/disable": "409 conflict",
    "POST /assignments/{assignment_id}/grade-sheet": "422 validation_failed",
    "POST /courses/{course_id}/students/import": "422 validation_failed",
    "POST /courses/import": "422 validation_failed",
    "POST /payments/{payment_id}/refund": "409 conflict",
    "POST /payments/{payment_id}/dispute": "409 conflict",
    "POST /payments/create-subscription": "422 validation_failed",
    "POST /payments/subscriptions/{subscription_id}/change": "409 conflict",
    "POST /payments/subscriptions/{subscription_id}/resume": "409 conflict",
    "POST /payments/webhook": "400 invalid_signature",
    "POST /payments/webhooks/sandbox": "400 invalid_signature",
    "POST /payments/webhooks/paymob": "404 not_found",
    "POST /payments/webhooks/myfatoorah": "404 not_found",
    "GET /payments/{payment_id}/invoice": "409 conflict",
    "GET /users/me/export": "404 not_found",
    "GET /calendar/feed.ics": "404 not_found",
    "GET /calendar/feed": "404 not_found",
    "POST /calendar/feed/rotate": "404 not_found",
    "GET /users/me/export/download": "404 not_found",
    "POST /enrollments/{enrollment_id}/complete": "409 course_incomplete",
}
"""What those are told who may ask, but for something that cannot be: nobody here has the token
of a mail, or a copy of their data that is ready."""

DOUBLES = frozenset(
    {
        "POST /auth/logout",
        "POST /auth/mfa/enable/request",
        "DELETE /auth/sessions",
        "POST /users/me/password",
        "DELETE /users/me",
    }
)
"""What nobody does to themself twice: asked by somebody new of the same role."""
DOUBLED = (Person.STRANGER, Person.OWNER, Person.TEACHER, Person.ADMIN, Person.IMPERSONATOR)
"""One of each role, for what is nobody's but the asker's own, or is not asked about."""

KNOWN_FIRST: Mapping[str, Reach] = {"GET /quizzes/{quiz_id}/attempts": Reach.INSIDE}
"""Spellings that name the place of a list in their path: it has to be within reach before the list is."""
HAVE_SAT = frozenset({Person.OWNER, Person.IMPERSONATOR, Person.DROPPED})
"""Who has an attempt at a quiz may go on asking for it."""

_NAMED_LISTS = {spelling.partition(" ")[2] for spelling in KNOWN_FIRST}
_OF_COURSES = {
    "course_id", "course_title", "lesson_id", "quiz_id", "question_id", "enrollment_id", "attempt_id", "graded_id",
    "item_id",
    "regrade_id", "assignment_id", "submission_id", "certificate_id",
}  # fmt: skip
_OF_DRAFTS = {"lesson_id", "quiz_id", "question_id"}
_OF_STUDENTS = {"enrollment_id", "attempt_id", "graded_id", "item_id", "submission_id", "certificate_id"}


def name_of(row: Operation) -> str:
    """By its first method and its path."""
    return f"{row.methods[0]} {row.path}"


def places_of(row: Operation) -> tuple[Place, ...]:
    """Where it matters how a course stands."""
    name = name_of(row)
    said = f"{row.patterns} {BODIES.get(name)} {QUERIES.get(name)} {{{LISTED.get(name)}}}"
    named = {one for one in _OF_COURSES if f"{{{one}}}" in said}
    if not named:
        return (Place.SHOWN,)
    has_drafts = named & _OF_DRAFTS and not named & _OF_STUDENTS and row.reach != Reach.VISIBLE
    return (Place.SHOWN, Place.HIDDEN, *([Place.DRAFT] if has_drafts else []))


def is_list(row: Operation, pattern: str) -> bool:
    """Is what is not theirs left out? What names one thing, in its path or as methods do, is about that, though it shows a list."""
    is_of_one = "{" in pattern and pattern.removeprefix(API_PREFIX) not in _NAMED_LISTS
    return row.is_list and not is_of_one and name_of(row) != "GET /payments/methods"


def options_of(row: Operation, ids: Ids) -> dict[str, Any]:
    """The query and the body, each time another."""
    name = name_of(row)
    facts = {"lease": "none", **ids, "number": str(next(_NUMBERS))}
    options: dict[str, Any] = {}
    if name in QUERIES:
        options["params"] = {key: value.format_map(facts) for key, value in QUERIES[name].items()}
    if row.is_upload:
        options |= {"content": GIFT, "headers": {"Content-Type": "text/plain"}}
    elif streamed := streamed_options(row):
        options |= streamed
    elif row.body is not None:
        options["data" if row.takes == FORM else "json"] = _filled(BODIES.get(name, {}), facts)
    return options


def _filled(value: Any, facts: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(member, facts) for key, member in value.items()}
    if isinstance(value, list):
        return [_filled(member, facts) for member in value]
    return value.format_map(facts) if isinstance(value, str) else value
