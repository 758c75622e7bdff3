"""Every change by an administrator leaves a record: the walk over all routes, pages, live commands and the console.

What changes something either names in the table what it is recorded as, and then the walk does it and looks; or it stands
here with the reason why there is nothing to record.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tornado.web import RequestHandler

from handlers.live.table import COMMANDS
from handlers.rest.operations import Operation
from handlers.routes import ROUTES
from handlers.web.base import PageHandler
from handlers.web.pages import PAGES
from lms_rt.console.create_admin import create_admin
from lms_rt.console.import_questions import import_questions
from lms_rt.console.verify_audit import verify_audit
from lms_rt.errors import Code, Refused
from lms_rt.services.audit import Audit
from tests.conftest import _ENGINES, settings_on
from tests.house import PASSWORD, House, open_house
from tests.rest.audited import CHANGES
from tests.rest.audited_world import GIFT, Asked, World, newest
from tests.rest.rights.locating import misplaced

OWN_SESSION = (
    "signs in or out, or proves who one is: sessions are listed for their owner, and nothing of the school changes"
)
OWN_LEARNING = "one's own learning, kept with the enrolment or in the attempt's own ledger; nobody does it for others"
OWN_READING = "what one has read or wishes to be told; nobody else meets it"
OWN_DESK = "who has which answer before them to mark it, for a quarter of an hour; the mark is what is recorded"
OWN_PURCHASE = "what somebody buys for themselves; it is kept with the order and the payment for as long as books are"
BY_A_GATEWAY = "a gateway's word, kept as it came; what is read from there is kept with the payment and in the journal"
OWN_WORDS = "what somebody says stands in the chat under their name"
BY_ITS_TWIN = "recorded by the service that its row in REST calls, which the walk below asks"
BY_LINK = "whoever holds the link of a mail; nobody is signed in"
OWN_CALENDAR = "the address of one's own calendar, which its owner alone is shown; it opens nothing but that calendar"
OWN_FILE = "a file of one's own; where it is put to use, that is recorded"
UNRECORDED: dict[str, str] = {
    "POST /files/upload": OWN_FILE,
    "POST /files/{file_id}/signed-url": "changes nothing: a link to what one may read",
    "POST /files/tus": OWN_FILE,
    "PATCH /files/tus/{upload_id}": OWN_FILE,
    "DELETE /files/tus/{upload_id}": OWN_FILE,
    "POST /payments/create-subscription": "one's own, by one's own hand alone; what is paid stands in the journal of money",
    "POST /quizzes/{quiz_id}/regrades": "foretells, and changes nobody's grade",
    "POST /auth/register": "a stranger registers; an administrator's account cannot be made so",
    "POST /auth/login": OWN_SESSION,
    "POST /auth/token": OWN_SESSION,
    "POST /auth/refresh": OWN_SESSION,
    "POST /auth/logout": OWN_SESSION,
    "POST /auth/login-cookie": OWN_SESSION,
    "POST /auth/refresh-cookie": OWN_SESSION,
    "POST /auth/logout-cookie": OWN_SESSION,
    "POST /auth/ws-ticket": OWN_SESSION,
    "POST /auth/login/mfa": OWN_SESSION,
    "POST /auth/login-cookie/mfa": OWN_SESSION,
    "POST /auth/login/mfa/resend": OWN_SESSION,
    "DELETE /auth/sessions": OWN_SESSION,
    "DELETE /auth/sessions/{session_id}": OWN_SESSION,
    "POST /auth/mfa/enable/request": "asks for a secret; what changes the account is confirming it",
    "POST /auth/forgot-password": BY_LINK,
    "POST /auth/reset-password": BY_LINK,
    "POST /auth/verify-email/request": BY_LINK,
    "POST /auth/verify-email/confirm": BY_LINK,
    "POST /users/me/export": "a copy of one's own data for oneself",
    "POST /lessons/{lesson_id}/complete": OWN_LEARNING,
    "POST /enrollments/{enrollment_id}/progress": OWN_LEARNING,
    "POST /enrollments/{enrollment_id}/lessons/{lesson_id}/complete": OWN_LEARNING,
    "POST /enrollments/{enrollment_id}/complete": OWN_LEARNING,
    "POST /courses/{course_id}/messages": OWN_WORDS,
    "POST /courses/{course_id}/messages/read": OWN_READING,
    "POST /attempts": OWN_LEARNING,
    "PATCH /attempts/{attempt_id}/answers": OWN_LEARNING,
    "POST /attempts/{attempt_id}/sync": OWN_LEARNING,
    "POST /attempts/{attempt_id}/take-over": OWN_LEARNING,
    "POST /attempts/{attempt_id}/signals": OWN_LEARNING,
    "POST /attempts/{attempt_id}/submit": OWN_LEARNING,
    "POST /grading-queue": OWN_DESK,
    "POST /quizzes/{quiz_id}/grading-queue": OWN_DESK,
    "POST /grading-queue/{item_id}/claim": OWN_DESK,
    "DELETE /grading-queue/{item_id}/claim": OWN_DESK,
    "PUT /assignments/{assignment_id}/draft": OWN_LEARNING,
    "POST /assignments/{assignment_id}/submit": OWN_LEARNING,
    "POST /assignments/{assignment_id}/submissions/next": OWN_DESK,
    "POST /assignments/submissions/{submission_id}/claim": OWN_DESK,
    "DELETE /assignments/submissions/{submission_id}/claim": OWN_DESK,
    "POST /payments/orders": OWN_PURCHASE,
    "POST /payments/orders/{order_id}/cancel": OWN_PURCHASE,
    "POST /payments/create-intent/{order_id}": OWN_PURCHASE,
    "POST /payments/create-payment-intent": OWN_PURCHASE,
    "POST /payments/webhook": BY_A_GATEWAY,
    "POST /payments/webhooks/paymob": BY_A_GATEWAY,
    "POST /payments/webhooks/myfatoorah": BY_A_GATEWAY,
    "POST /payments/webhooks/sandbox": BY_A_GATEWAY,
    "POST /calendar/feed": OWN_CALENDAR,
    "POST /calendar/feed/rotate": OWN_CALENDAR,
    "DELETE /calendar/feed": OWN_CALENDAR,
    "POST /notifications/{notification_id}/read": OWN_READING,
    "POST /notifications/read-all": OWN_READING,
    "PUT /notifications/preferences": OWN_READING,
}
PAGE_FORMS: dict[str, str] = {
    "SignInPage": OWN_SESSION,
    "SecondStepPage": OWN_SESSION,
    "RegisterPage": "as by REST",
    "SignOutPage": OWN_SESSION,
    "ForgotPage": BY_LINK,
    "ResetPage": BY_LINK,
    "InvitePage": BY_LINK,
    "VerifyEmailPage": BY_LINK,
    "UnsubscribePage": BY_LINK,
    "CoursePage": "enrols whoever asks: as by REST, recorded when an administrator does it",
    "KeepPage": "as by REST",
    "MePage": "as by REST",
    "ConfirmAddressPage": BY_LINK,
    "ChangePasswordPage": "as by REST",
    "EndSessionsPage": OWN_SESSION,
    "ExportPage": "a copy of one's own data for oneself",
    "LeavePage": "as by REST",
    "TwoStepsPage": "asks for a secret; what changes the account is confirming it",
    "ConfirmPage": "as by REST",
    "SwitchOffPage": "as by REST",
    "CodesFilePage": "gives back as a file what it is sent",
    "FilesPage": "as by REST",
    "CalendarFeedPage": OWN_CALENDAR,
    "HandInForm": OWN_LEARNING,
    "AssignmentEditor": "as by REST",
    "GradingWork": "as by REST",
    "GradingPage": "as by REST",
    "StudentGradesPage": "as by REST",
    "ImpersonatePage": "as by REST: tried in test_impersonating_pages",
    "ActingPage": OWN_SESSION,
    "LessonPage": OWN_LEARNING,
    "ChatPage": "as by REST",
    "ReviewsPage": "as by REST",
    "NotificationsPage": OWN_READING,
    "PreferencesPage": OWN_READING,
    "RegradePage": "as by REST",
    "CheckoutPage": OWN_PURCHASE,
    "PlansPage": OWN_PURCHASE,
    "OrderAct": OWN_PURCHASE,
    "OrderPay": OWN_PURCHASE,
    "SubscriptionAct": "as by REST: recorded when an administrator does it",
    "FindingsPage": "as by REST",
    "TracePage": "as by REST",
    "PlansDesk": "as by REST",
    "CouponsDesk": "as by REST",
    "TaxesDesk": "as by REST",
    "CourseBulk": "as by REST",
    "SandboxCheckoutPage": "a gateway's page: what is paid by it is kept as with every gateway",
    "GradingDesk": "as by REST: tried in tests/browser/test_grading.py",
    "AuditPage": "looks at the log; nothing of the school changes",
    "DeadLetterAct": "as by REST: tried below",
    "InviteUserPage": "as by REST: tried in test_admin_users_page",
    "UserAct": "as by REST: tried in test_admin_users_page",
    "SettingsAct": "as by REST: tried in test_admin_school_pages",
    "MissingPage": "nothing is done there",
}
LIVE = {
    "subscribe": OWN_READING,
    "unsubscribe": OWN_READING,
    "history": OWN_READING,
    "presence": OWN_READING,
    "ping": OWN_READING,
    "time.sync": OWN_READING,
    "auth.refresh": OWN_SESSION,
    "notification.read": OWN_READING,
    "chat.send": OWN_WORDS,
    "chat.edit": BY_ITS_TWIN,
    "chat.delete": BY_ITS_TWIN,
    "chat.typing": OWN_READING,
    "chat.read": OWN_READING,
    **{name: OWN_LEARNING for name in COMMANDS if name.startswith(("lesson.", "attempt.", "answer."))},
    **{name: BY_ITS_TWIN for name in COMMANDS if name.startswith("live.")},
}

ROWS = [row for row in ROUTES if set(row.methods) != {"GET"}]
RECORDED = [(method, row) for row in ROWS if row.audit for method in row.methods]


def name_of(row: Operation) -> str:
    return f"{row.methods[0]} {row.path}"


@pytest.fixture(scope="module", params=_ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school whose webhooks may lead to this machine."""
    wishes = {"webhook_allow_http": True, "webhook_allow_networks": ("127.0.0.0/8",)}
    async with open_house(settings_on(str(request.param), request, tmp_path_factory.mktemp("house"), **wishes)) as made:
        yield made


@pytest.fixture(scope="module")
async def world(house: House) -> World:
    return World(house, await house.admin(), await house.teacher())


# --- the tables are whole ---


def test_every_row_is_recorded_or_says_why_not() -> None:
    quiet = {name_of(row) for row in ROWS if not row.audit}
    assert quiet == set(UNRECORDED)
    assert {name_of(row) for row in ROWS if row.audit} == set(CHANGES)


def test_every_form_and_every_live_command_says_why_not() -> None:
    has_form = {
        handler.__name__
        for _, handler in PAGES
        if issubclass(handler, PageHandler) and handler.post is not RequestHandler.post
    }
    assert has_form == set(PAGE_FORMS)
    assert set(COMMANDS) == set(LIVE)


# --- the walk ---


@pytest.mark.parametrize(("method", "row"), RECORDED, ids=[f"{method} {row.path}" for method, row in RECORDED])
async def test_the_change_is_in_the_log_when_the_reply_is_there(world: World, method: str, row: Operation) -> None:
    asked = await CHANGES[name_of(row)](world)
    who = asked.by or world.admin
    last_seq = (await newest(world, limit=1))[0]["seq"]
    reply = await who.call(method, asked.path, **asked.options)
    assert reply.is_success, reply.text
    assert row.is_located(reply.status_code) == bool(row.location)
    assert not await misplaced(row, who, reply)
    records = [record for record in await newest(world) if record["seq"] > last_seq]
    assert [record["action"] for record in records] == [row.audit]
    record = records[0]
    assert (record["actor_id"], record["impersonator_id"]) == (who.user_id, None)
    assert record["request_id"] == reply.headers["X-Request-ID"]
    assert record["kind"] == row.audit.partition(".")[0]
    assert record["target_id"] == _target(asked, reply, record)


def _target(asked: Asked, reply: Any, record: dict[str, Any]) -> str:
    """What was made has its id in the reply."""
    if asked.target_id is not None:
        return asked.target_id
    made = reply.json().get("id")
    return str(made or record["target_id"])


async def test_nothing_that_was_refused_is_recorded(world: World) -> None:
    course_id = await world.course()
    last_seq = (await newest(world, limit=1))[0]["seq"]
    await world.admin.refused(422, "PATCH", f"/courses/{course_id}", json={"title": ""})
    await world.admin.refused(
        412, "PATCH", f"/courses/{course_id}", json={"title": "Late"}, headers={"If-Match": '"1"'}
    )
    await world.admin.refused(404, "DELETE", "/courses/crs_nowhere")
    assert (await newest(world, limit=1))[0]["seq"] == last_seq


async def test_what_owners_do_with_their_own_is_not_in_the_log(world: World) -> None:
    course_id = await world.course()
    await world.teacher.ok("PATCH", f"/courses/{course_id}", json={"title": "Mine"})
    assert await newest(world, actor_id=world.teacher.user_id) == []


async def test_what_teachers_do_with_the_enrolments_of_others_is(world: World) -> None:
    student, course_id = await world.house.student(), await world.course()
    body = {"course_id": course_id, "student_id": student.user_id}
    made = await world.teacher.ok("POST", "/enrollments", json=body)
    (record,) = await newest(world, actor_id=world.teacher.user_id, target_id=made["id"])
    assert (record["action"], record["fields"]) == ("enrollment.create", ["status"])


async def test_without_the_log_nothing_is_done_that_it_could_not_tell(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no outbox is recorded first; what has one stays there until the log takes it."""
    job_id, webhook_id = await world.dead_letter(), await world.webhook()

    async def away(*_: object, **__: object) -> None:
        raise Refused(Code.UNAVAILABLE)

    with monkeypatch.context() as broken:
        broken.setattr(Audit, "_end", away)
        await world.admin.refused(503, "DELETE", f"/admin/dead-letters/{job_id}")
        changed = await world.admin.ok("PATCH", f"/webhooks/{webhook_id}", json={"description": "Changed meanwhile"})
        assert changed["description"] == "Changed meanwhile"
        assert (await world.admin.ok("GET", f"/admin/dead-letters/{job_id}"))["id"] == job_id
        assert [one["action"] for one in await newest(world, target_id=webhook_id)] == ["webhook.create"]
    await world.house.services.relay.sweep(minimum_age_ms=0)
    assert [one["action"] for one in await newest(world, target_id=webhook_id)] == ["webhook.change", "webhook.create"]


# --- not by REST ---


async def test_a_form_of_a_page_is_recorded_as_the_operation_is(world: World) -> None:
    job_id = await world.dead_letter()
    visitor = await world.house.visitor()
    page = visitor.http
    page.cookies.set("lms_access", world.admin.tokens["access_token"])
    shown = await page.get(f"{world.house.address}/admin/dead-letters/{job_id}")
    token = shown.text.partition('name="csrf" value="')[2].partition('"')[0]
    done = await page.post(f"{world.house.address}/admin/dead-letters/{job_id}/discard", data={"csrf": token})
    assert done.status_code == 303
    assert (await newest(world, target_id=job_id))[0]["action"] == "dead_letter.discard"


async def test_the_console_is_recorded(world: World) -> None:
    services = world.house.services
    made = await create_admin(services, email="console@example.org", password=PASSWORD, full_name="Console")
    assert (await newest(world, target_id=made["id"]))[0]["actor_id"] == "usr_console"
    course_id = await world.course()
    wishes: dict[str, Any] = {"quiz_id": None, "new_title": "Imported", "course_id": course_id, "is_dry_run": False}
    report = await import_questions(services, text=base64.b64encode(GIFT.encode()).decode(), **wishes)
    actions = [one["action"] for one in await newest(world, target_id=report["quiz_id"])]
    assert actions == ["quiz.import", "quiz.create"]
    verdict = await verify_audit(services, noted=None, is_signing=True)
    assert verdict["findings"] == []
    assert (await newest(world, limit=1))[0]["action"] == "audit.sign"
