"""Every row of the route table on the whole product: other spellings, HEAD and OPTIONS, other verbs, and who is kept out.

The rows are those of the table itself; that it holds what the design promises is a list of its own here. On both lanes.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from documents.enums import Role
from handlers.rest.dispatch import RouteTable, full_patterns
from handlers.rest.operations import Operation
from handlers.routes import ROUTES
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Refused
from lms_rt.security.permissions import permissions_of
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.rest.certified import UNKNOWN_NUMBER, certified
from tests.rest.rights.sending import PDF, streamed_options

DESIGN = """
POST /auth/register | POST /auth/login | POST /auth/token | POST /auth/refresh | POST /auth/logout | GET /auth/me
POST /auth/login/mfa = /auth/mfa/login | POST /auth/login/mfa/resend | POST /auth/login-cookie/mfa
POST /auth/mfa/enable/request = /auth/mfa/enable | POST /auth/mfa/enable/confirm = /auth/mfa/verify
POST /auth/mfa/disable
POST /auth/forgot-password = /auth/password/reset | POST /auth/reset-password = /auth/password/reset/confirm
POST /auth/verify-email/request = /auth/email/verify | POST /auth/verify-email/confirm = /auth/email/verify/confirm
POST /auth/login-cookie | POST /auth/refresh-cookie | POST /auth/logout-cookie | POST /auth/ws-ticket
GET,DELETE /auth/sessions | GET,DELETE /auth/sessions/{id} | POST /users/me/password
GET,PUT,PATCH,DELETE /users/me | GET,POST /users/me/export | GET /users/me/export/download | POST /users/me/keep
 GET,POST /users | GET,DELETE /users/{id}
GET,PUT,PATCH /instructors/me | GET /instructors/me/dashboard | GET /instructors/{id}
GET /admin/users | PUT,PATCH /admin/users/{id} | POST /admin/users/{id}/impersonate
GET /admin/stats | GET,PATCH /admin/settings
GET,POST /courses | GET /courses/me | GET,PUT,PATCH,DELETE /courses/{id} | GET /categories
POST /courses/{id}/publish | POST /courses/{id}/unpublish | GET /courses/{id}/students
GET,POST,DELETE /courses/{id}/accommodations | GET,PUT,DELETE /quizzes/{id}/accommodations | GET,POST /courses/{id}/groups
GET,POST /courses/{id}/lessons = /lessons
GET,PUT,PATCH,DELETE /lessons/{id} = /courses/{id}/lessons/{lesson_id}
PATCH /lessons/reorder = /courses/{id}/lessons/reorder | POST /lessons/{id}/complete
GET /enrollments = /enrollments/my-courses | POST /enrollments | GET,PUT,DELETE /enrollments/{id}
POST,PUT /enrollments/{id}/progress | POST /enrollments/{id}/lessons/{lesson_id}/complete
POST /enrollments/{id}/complete | POST /enrollments/{id}/review | GET /courses/{id}/reviews | PATCH /courses/{id}/reviews/{enrollment_id}
GET,POST /courses/{id}/messages | PATCH,DELETE /courses/{id}/messages/{message_id} | POST /courses/{id}/messages/read
GET,POST /courses/{id}/chat/mutes | DELETE /courses/{id}/chat/mutes/{student_id}
GET /certificates = /certificates/my-certificates | POST /certificates/generate = /certificates/generate/{enrollment_id}
GET /certificates/{id} | GET /certificates/{id}/download | GET /certificates/{id}/credential | GET /certificates/verify/{number}
POST /certificates/{id}/revoke | POST /certificates/{id}/replace | GET /certificates/revocations | GET /enrollments/{id}/certificate
GET,POST /courses/{id}/certificates | GET,PUT,PATCH /courses/{id}/certificate-template | GET /courses/{id}/certificate-template/preview
GET,POST /quizzes | GET,PUT,PATCH,DELETE /quizzes/{id} | POST /quizzes/{id}/publish | POST /quizzes/{id}/unpublish
GET,POST /questions = /quizzes/{id}/questions | GET,PUT,PATCH,DELETE /questions/{id}
POST /quizzes/{id}/questions/{question_id}/correct | POST /quizzes/{id}/regrade
GET,POST /quizzes/{id}/regrades | GET /quizzes/{id}/regrades/{regrade_id} | GET /quizzes/{id}/regrades/{regrade_id}/rows
POST /quizzes/{id}/regrades/{regrade_id}/apply | POST /quizzes/{id}/regrades/{regrade_id}/undo
POST /quizzes/{id}/questions/import | GET /quizzes/{id}/questions/export
GET,POST /assignments | GET,PUT,PATCH,DELETE /assignments/{id} | POST /assignments/{id}/submit
PUT,PATCH /assignments/{id}/draft | GET /assignments/{id}/my-submission | GET /assignments/{id}/submissions
GET /assignments/submissions/{submission_id} | POST,DELETE /assignments/submissions/{submission_id}/grade
POST,DELETE /assignments/submissions/{submission_id}/claim | POST /assignments/{id}/submissions/next
GET /assignments/{id}/submissions/archive | GET,POST /assignments/{id}/grade-sheet
GET,POST /attempts = /quizzes/{id}/attempts | GET /attempts/{id} | PATCH /attempts/{id}/answers
POST /attempts/{id}/sync | POST /attempts/{id}/take-over | POST /attempts/{id}/signals
GET,PUT,PATCH /courses/{id}/gradebook | GET /courses/{id}/gradebook/students/{student_id} | GET /courses/{id}/grades
PUT,DELETE /courses/{id}/gradebook/students/{student_id}/grades/{graded_item_id}
GET,POST,DELETE /calendar/feed | POST /calendar/feed/rotate | GET /calendar/feed.ics
POST /attempts/{id}/grade | GET /grading-queue = /quizzes/{id}/grading-queue
POST /grading-queue | POST /quizzes/{id}/grading-queue
POST,DELETE /grading-queue/{id}/claim = /quizzes/{id}/grading-queue/{item_id}/claim
PUT,POST /attempts/{id}/submit = /quizzes/{id}/attempts/{attempt_id}/submit
GET /attempts/{id}/results | GET /attempts/{id}/receipt | GET /attempts/{id}/integrity | POST /attempts/{id}/time-credit | GET /quizzes/{id}/live | GET /quizzes/{id}/live/controls | GET /quizzes/{id}/live/controls/{control_id}
POST /quizzes/{id}/live/pause | POST /quizzes/{id}/live/resume | POST /quizzes/{id}/live/extend
POST /quizzes/{id}/live/end | POST /quizzes/{id}/live/announce
 GET /quizzes/{id}/statistics | GET /events | GET /health | GET /ready
GET /notifications | POST /notifications/{id}/read | POST /notifications/read-all | POST /courses/{id}/announcements | GET,PUT /notifications/preferences
GET /admin/tasks | GET /admin/tasks/workers | GET /admin/dead-letters | GET,DELETE /admin/dead-letters/{id}
POST /admin/dead-letters/{id}/retry | GET,POST /webhooks | GET,PATCH,DELETE /webhooks/{id}
GET /admin/audit-logs
GET,POST /payments/orders | GET /payments/orders/{order_id} | POST /payments/orders/{order_id}/cancel | GET /payments/methods
POST /payments/create-intent/{order_id} | POST /payments/create-payment-intent | GET /payments/my-payments | GET /payments/{payment_id}
GET /payments/{payment_id}/invoices | GET /payments/{payment_id}/invoice
POST /payments/webhook = /payments/webhooks/stripe | GET,POST /payments/webhooks/paymob | POST /payments/webhooks/myfatoorah
POST /payments/webhooks/sandbox
GET /payments | POST /payments/{payment_id}/refund | GET /payments/{payment_id}/refunds | POST /payments/{payment_id}/release
POST /payments/{payment_id}/dispute | POST /payments/{payment_id}/refunds/{refund_id}/cancel | GET /payments/comparisons
GET,POST /payments/plans | GET,PUT,PATCH /payments/plans/{plan_id} | POST /payments/create-subscription
GET /payments/my-subscriptions | GET /payments/subscriptions | GET /payments/subscriptions/{subscription_id}
POST /payments/subscriptions/{subscription_id}/cancel | POST /payments/subscriptions/{subscription_id}/change
POST /payments/subscriptions/{subscription_id}/resume
GET /payments/price | GET,POST /payments/coupons | GET,PUT,PATCH /payments/coupons/{coupon_id}
GET /payments/tax-rates | GET,PUT /payments/tax-rates/{country}
GET /payments/revenue/summary | GET /courses/{id}/revenue | GET /payments/orders/{order_id}/trace
GET /payments/findings | GET /payments/findings/{finding_id} | POST /payments/findings/{finding_id}/resolve
GET /webhooks/{id}/deliveries | POST /webhooks/deliveries/{id}/redeliver | POST /webhooks/{id}/test
POST /courses/{id}/students/import = /courses/{id}/enrollments/import | GET /imports | GET /imports/{id} | GET /imports/{id}/rows
GET /imports/{id}/result | POST /imports/{id}/cancel | POST /courses/{id}/copy | POST /courses/{id}/export | POST /courses/import
GET /files = /files/my-files | GET /files/quota | GET,PATCH,PUT,DELETE /files/{id} | GET /files/{id}/download = /files/download/{id}
POST /files/{id}/signed-url | POST /files/upload | GET /files/{id}/thumbnail | POST /files/tus | GET,PATCH,POST,DELETE /files/tus/{id}
"""
PROMISED = [
    (method, paths.split(" = "))
    for row in re.split(r"[|\n]", DESIGN)
    if row.strip()
    for methods, _, paths in [row.strip().partition(" ")]
    for method in methods.split(",")
]
BODIES: dict[str, Any] = {
    "POST /courses/{course_id}/accommodations": {"student_id": "usr_1", "factor": 1.25},
    "PUT /quizzes/{quiz_id}/accommodations": {"student_id": "usr_1", "factor": 1.25},
    "POST /certificates/generate": {"enrollment_id": "{enrollment_id}"},
    "POST /certificates/{certificate_id}/revoke": {"reason": "By mistake"},
    "POST /certificates/{certificate_id}/replace": {"reason": "By mistake"},
    "POST /courses/{course_id}/groups": {"group": "A", "student_ids": ["usr_1"]},
    "PUT /courses/{course_id}/gradebook/students/{student_id}/grades/{graded_item_id}": {"points": 1, "reason": "Jury"},
    "POST /quizzes/{quiz_id}/live/extend": {"seconds": 60},
    "POST /quizzes/{quiz_id}/live/announce": {"text": "Hello"},
    "POST /attempts/{attempt_id}/time-credit": {"approve": True},
    "POST /admin/users/{user_id}/impersonate": {"reason": "To see what they see"},
    "POST /payments/create-payment-intent": {"course_id": "{course_id}"},
    "POST /payments/orders": {"course_id": "{course_id}"},
    "POST /payments/{payment_id}/dispute": {"state": "lost"},
    "POST /payments/findings/{finding_id}/resolve": {"note": "Answered"},
    "POST /payments/plans": {"plan_name": "Mine", "amount": 900, "currency": "USD"},
    "POST /payments/create-subscription": {"plan_id": "{plan_id}", "gateway": "stripe"},
    "POST /payments/subscriptions/{subscription_id}/change": {"plan_id": "{plan_id}"},
    "POST /payments/coupons": {"code": "WALKED", "percent_off": 10},
    "PUT /payments/tax-rates/{country}": {"tax_name": "VAT", "rate": 14},
    "POST /courses": {"title": "Mine"},
    "POST /courses/import": {"file_id": "fil_none"},
    "POST /courses/{course_id}/lessons": {"title": "Mine", "content_type": "text"},
    "POST /assignments": {"course_id": "{course_id}", "title": "Mine"},
    "POST /assignments/submissions/{submission_id}/grade": {"grade": 1},
    "POST /courses/{course_id}/announcements": {"text": "No lesson on Monday."},
    "POST /enrollments/{enrollment_id}/review": {"rating": 4},
    "PATCH /courses/{course_id}/reviews/{enrollment_id}": {"is_hidden": True, "reason": "Rude"},
    "POST /courses/{course_id}/messages": {"text": "Hello"},
    "PATCH /courses/{course_id}/messages/{message_id}": {"text": "Hello"},
    "POST /courses/{course_id}/messages/read": {"number": 1},
    "POST /courses/{course_id}/chat/mutes": {"student_id": "usr_1", "minutes": 5, "reason": "Rude"},
    "POST /quizzes": {"course_id": "{course_id}", "title": "Mine"},
    "POST /questions": {**factories.TRUE_FALSE, "quiz_id": "{quiz_id}"},
    "PATCH /lessons/reorder": {"course_id": "{course_id}", "lesson_ids": ["{lesson_id}"]},
    "PATCH /attempts/{attempt_id}/answers": {
        "answers": [{"question_id": "q", "value": True, "op_id": "o", "seq": 1, "base_revision": 0}],
        "device_id": "laptop",
        "lease": "key",
    },
    "POST /attempts/{attempt_id}/sync": {"have": []},
    "POST /attempts/{attempt_id}/take-over": {"device_id": "laptop"},
    "POST /attempts/{attempt_id}/signals": {"signals": [{"kind": "page", "state": "shown"}]},
    "PUT /enrollments/{enrollment_id}": {"status": "dropped"},
    "POST /quizzes/{quiz_id}/questions/{question_id}/correct": {"action": "void"},
    "POST /enrollments/{enrollment_id}/progress": {"lesson_id": "{lesson_id}", "status": "in_progress"},
    "POST /attempts": {"quiz_id": "{quiz_id}"},
    "POST /attempts/{attempt_id}/grade": {"question_id": "{question_id}", "points": 1},
}
ROWS = [(method, row) for row in ROUTES for method in row.methods]
NAMES = [f"{method} {row.path}" for method, row in ROWS]
GETS = [row for row in ROUTES if "GET" in row.methods]
ALIASED = [(method, row) for method, row in ROWS if row.also]
OWNED = [(method, row) for method, row in ROWS if "{" in row.path and not row.access.is_public]
QUERIES = {
    "/lessons": "course_id",
    "/questions": "quiz_id",
    "/courses/{course_id}/accommodations": "student_id",
    "/quizzes/{quiz_id}/accommodations": "student_id",
    "/courses/{course_id}/gradebook/students/{student_id}/grades/{graded_item_id}": "reason",
    "/assignments/submissions/{submission_id}/grade": "reason",
    "/calendar/feed.ics": "token",
}
TABLE = RouteTable(ROUTES)


@dataclass
class Place:
    """A draft course of a teacher, with all that a path can name, and a student's attempt; and people who are strangers to it."""

    ids: dict[str, str]
    teacher: Visitor
    student: Visitor
    other_teacher: Visitor
    other_student: Visitor
    stranger: Visitor
    admin: Visitor

    def path(self, pattern: str) -> str:
        return pattern.format_map(self.ids)

    def filled(self, value: Any) -> Any:
        """A body with the ids of this place."""
        if isinstance(value, dict):
            return {name: self.filled(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.filled(member) for member in value]
        return self.path(value) if isinstance(value, str) else value

    async def ask(self, who: Visitor, method: str, row: Operation, pattern: str) -> httpx.Response:
        """A request with a body that the operation takes."""
        options: dict[str, Any] = {"params": {name: self.ids[name] for name in _query_of(pattern)}}
        if row.is_upload:
            options |= {"content": "::A::B?{T}", "headers": {"Content-Type": "text/plain"}}
        elif streamed := streamed_options(row):
            options |= streamed
        elif row.body is not None:
            body = BODIES.get(f"{method} {row.path}", BODIES.get(f"{row.methods[0]} {row.path}", {}))
            options["json"] = self.filled(body)
        return await who.call(method, self.path(pattern), **options)


def _query_of(pattern: str) -> list[str]:
    return [QUERIES[pattern]] if pattern in QUERIES else []


NOBODYS = {
    "session_id": "fam_1",
    "order_id": "ord_1",
    "payment_id": "pay_1",
    "refund_id": "rfd_1",
    "finding_id": "dispute:pay_1",
    "plan_id": "pln_1",
    "subscription_id": "sub_1",
    "coupon_id": "cpn_1",
    "country": "EG",
    "upload_id": "upl_1",
    "job_id": "job_1",
    "notification_id": "ntf_1",
    "webhook_id": "whk_1",
    "delivery_id": "dlv_1",
    "graded_item_id": "total",
    "reason": "Slip",
    "token": "x" * 43,
}
"""What paths name and nobody in this place has."""


@pytest.fixture(scope="module")
async def place(house: House) -> Place:
    teacher, student = await house.teacher(), await house.student()
    course = await factories.course(teacher)
    quiz = await factories.quiz(teacher, course["id"])
    enrollment = await factories.enrolled(student, course["id"])
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
    said = await student.ok("POST", f"/courses/{course['id']}/messages", json={"text": "Hello"})
    work = await factories.handed_in(teacher, student, course["id"])
    lessons = await teacher.ok("GET", f"/courses/{course['id']}/lessons")
    await teacher.ok("POST", f"/courses/{course['id']}/unpublish")  # hidden, so that nobody else may know of it
    questions = await teacher.ok("GET", "/questions", params={"quiz_id": quiz["id"]})
    void = {"changes": [{"question_id": questions["items"][0]["id"], "action": "void"}]}
    regrade = await teacher.ok("POST", f"/quizzes/{quiz['id']}/regrades", json=void)
    told = await teacher.ok("POST", f"/quizzes/{quiz['id']}/live/announce", json={"text": "Hello"})
    table = {"content": "email\nbulk@example.org", "headers": {"Content-Type": "text/csv"}}
    run = await teacher.ok("POST", f"/courses/{course['id']}/students/import", **table)
    file = await student.ok("POST", "/files/upload", files={"file": ("plan.pdf", PDF)})
    ids = {
        "import_id": run["id"],
        "file_id": file["id"],
        "regrade_id": regrade["id"],
        "control_id": told["control_id"],
        **work,
        "course_id": course["id"],
        "message_id": said["id"],
        "lesson_id": lessons["items"][0]["id"],
        "certificate_id": await certified(house, enrollment["id"]),
        "certificate_number": UNKNOWN_NUMBER,
        "quiz_id": quiz["id"],
        "question_id": questions["items"][0]["id"],
        "enrollment_id": enrollment["id"],
        "attempt_id": attempt["id"],
        "item_id": f"{attempt['id']}.{questions['items'][0]['id']}",
        **NOBODYS,
        "user_id": student.user_id,
        "student_id": student.user_id,
        "instructor_id": teacher.user_id,
    }
    others = await house.teacher(), await house.student(), await house.visitor(), await house.admin()
    return Place(ids, teacher, student, *others)


@pytest.mark.parametrize(("method", "paths"), PROMISED, ids=[f"{method} {paths[0]}" for method, paths in PROMISED])
def test_what_the_design_promises_is_in_the_table_as_one_operation(method: str, paths: list[str]) -> None:
    found = [TABLE.find(method, f"/api/v1{path.replace('{', 'x').replace('}', '')}") for path in paths]
    operations = {id(match.operation) if match else None for match in found}
    assert len(operations) == 1, f"{paths} are different operations"
    assert found[0] is not None
    assert found[0].operation is not None


def test_the_table_promises_nothing_beyond_the_design() -> None:
    promised = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, paths in PROMISED for path in paths}
    patch_twins = {("PATCH", path) for method, path in promised if method == "PUT"}
    served = {(method, re.sub(r"\{\w+\}", "{}", pattern)) for method, row in ROWS for pattern in row.patterns}
    assert served - promised - patch_twins == set()


@pytest.mark.parametrize(("method", "row"), ALIASED, ids=[f"{method} {row.path}" for method, row in ALIASED])
async def test_other_spellings_answer_the_same(place: Place, method: str, row: Operation) -> None:
    """Outsiders get the same refusal from each; where an id is only a filter, nothing is found."""
    for who in (place.stranger, place.other_teacher, place.other_student):
        answers = [await place.ask(who, method, row, pattern) for pattern in row.patterns]
        told = {(one.status_code, _code(one)) for one in answers if not _is_empty_list(one)}
        assert len(told) <= 1, [one.text for one in answers]


@pytest.mark.parametrize("row", [row for row in GETS if row.also], ids=[row.path for row in GETS if row.also])
async def test_other_spellings_show_the_same(place: Place, row: Operation) -> None:
    for who in (place.teacher, place.student):
        shown = [await place.ask(who, "GET", row, pattern) for pattern in row.patterns]
        views = [_steady(response) for response in shown if not _is_empty_list(response)]
        if row.path == "/attempts" and who is place.teacher:  # by itself it lists one's own
            views.append(_steady(await who.call("GET", "/attempts", params={"quiz_id": place.ids["quiz_id"]})))
        assert len(set(views)) <= 1


def _is_empty_list(response: httpx.Response) -> bool:
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    return is_json and response.status_code == 200 and response.json().get("items") == []


def _code(response: httpx.Response) -> str:
    return str(response.json().get("code")) if response.content else ""


def _steady(response: httpx.Response) -> Any:
    """The view without what the passing of time changes."""
    return response.status_code, re.sub(r'"(server_time|remaining_ms|request_id|instance)":[^,}]*', "", response.text)


@pytest.mark.parametrize("row", GETS, ids=[row.path for row in GETS])
async def test_head_is_get_without_a_body(place: Place, row: Operation) -> None:
    for who in (place.teacher, place.student, place.stranger):
        for pattern in row.patterns:
            for slash in ("", "/"):
                get = await place.ask(who, "GET", row, pattern + slash)
                head = await place.ask(who, "HEAD", row, pattern + slash)
                assert (head.status_code, head.content) == (get.status_code, b"")
                assert head.headers["Content-Type"] == get.headers["Content-Type"]
                assert head.headers.get("ETag") == get.headers.get("ETag")


@pytest.mark.parametrize("pattern", sorted({pattern for row in ROUTES for pattern in full_patterns(row)}))
async def test_options_and_other_verbs_name_what_is_allowed(place: Place, house: House, pattern: str) -> None:
    allowed = {method for method, row in ROWS if pattern in full_patterns(row)} | {"OPTIONS"}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    url = house.address + place.path(pattern)
    told = await place.stranger.http.request("OPTIONS", url)
    assert told.status_code in (200, 204)
    assert set(told.headers["Allow"].split(", ")) == allowed
    for verb in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
        refused = await place.stranger.http.request(verb, url)
        assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
        assert refused.headers["Allow"] == told.headers["Allow"]


@pytest.mark.parametrize(("method", "row"), OWNED, ids=[f"{method} {row.path}" for method, row in OWNED])
async def test_what_is_not_yours_is_not_there(place: Place, method: str, row: Operation) -> None:
    for pattern in row.patterns:
        stranger = await place.ask(place.stranger, method, row, pattern)
        assert (stranger.status_code, "WWW-Authenticate" in stranger.headers) == (401, True)
        for who, role in ((place.other_teacher, Role.INSTRUCTOR), (place.other_student, Role.STUDENT)):
            answer = await place.ask(who, method, row, pattern)
            assert (answer.status_code, _code(answer)) == _expected(row, pattern, role), f"{method} {pattern} {role}"


def _expected(row: Operation, pattern: str, role: Role) -> tuple[int, str]:
    if _is_forbidden(row, role):
        return 403, "forbidden"
    if pattern == "/quizzes/{quiz_id}/attempts" and row.methods == ("GET",):
        return 200, "None"  # one's own attempts at it: none
    return 404, "not_found"


def _is_forbidden(row: Operation, role: Role) -> bool:
    try:
        row.access.check(Actor("usr_somebody", role, permissions_of(role)))
    except Refused:
        return True
    return False


async def test_what_nobody_has_is_not_there_either(place: Place) -> None:
    for method, row in OWNED:
        for unknown in (f"{place.ids['course_id'][:4]}{uuid.uuid4().hex}", "no-id-at-all", "%00", "%FF"):
            ids = dict.fromkeys(place.ids, unknown)
            who = place.admin if _is_forbidden(row, Role.INSTRUCTOR) else place.teacher
            response = await replace(place, ids=ids).ask(who, method, row, row.path)
            assert response.status_code == 404, f"{method} {row.path} {unknown}: {response.text}"
