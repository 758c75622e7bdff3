"""Nobody makes themself an administrator, or anything theirs, by sending along a field that nobody asked for.

Every model that comes in, every change of the route table and every form of a page is tried with all names that say who may
do what, whose a thing is, what it costs and what it is worth; then what is kept is read back.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import BaseModel
from tornado.web import RequestHandler

from documents.attempt import Attempt
from documents.base import Row
from documents.course import Course
from documents.enrollment import Enrollment
from documents.instructor import Instructor
from documents.quiz import Quiz
from documents.runtime_setting import RuntimeSetting
from documents.user import User
from documents.webhook import Webhook
from handlers.routes import ROUTES
from handlers.web.base import PageHandler
from handlers.web.pages import PAGES
from lms_rt.contracts.base import Change, read_model
from lms_rt.errors import Refused
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD, House, open_house
from tests.rest.audited import CHANGES
from tests.rest.audited_world import World
from tests.unit.test_operators import MODELS

SENT: dict[str, Any] = {
    "role": "admin", "roles": ["admin"], "is_admin": True, "is_staff": True, "is_superuser": True, "admin": True,
    "is_active": True, "permissions": ["users:manage", "impersonate"], "scope": "admin", "id": "usr_chosen",
    "_id": "usr_chosen", "user_id": "usr_chosen", "owner_id": "usr_chosen", "owner": "usr_chosen",
    "instructor_id": "usr_chosen", "student_id": "usr_chosen", "author_id": "usr_chosen", "created_by": "usr_chosen",
    "actor_id": "usr_chosen", "impersonator_id": "usr_chosen", "school_id": "x", "tenant_id": "x",
    "price": 0, "amount": 0, "currency": "XXX", "discount": 100, "is_free": True, "is_paid": True,
    "email": "chosen@evil.test", "email_key": "chosen@evil.test", "email_verified_at": "2020-01-01T00:00:00Z",
    "is_verified": True, "is_unconfirmed": False, "mfa_enabled": False, "mfa": None, "mfa_pending": None,
    "password_hash": "x", "unlocked_ms": 1, "password_reset_ms": 1, "sessions_valid_after_ms": 1, "erase_at": None,
    "erase_by": "usr_chosen", "last_login_at": "2020-01-01T00:00:00Z", "status": "completed", "score": "100.00",
    "points": "100.00", "earned_points": "100.00", "max_points": "1.00", "is_correct": True, "is_passed": True,
    "passing_score": "0.00", "progress_percentage": "100.00", "completion_percentage": "100.00",
    "completed_at": "2020-01-01T00:00:00Z", "submitted_at": "2020-01-01T00:00:00Z",
    "deadline_ms": 9_000_000_000_000, "is_preview": True, "is_published": True, "is_archived": True, "revision": 99,
    "version": 99, "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z",
    "enrollments_count": 1_000, "rating_average": "5.00", "secret": "chosen", "signing_secret": "chosen",
    "lease": "chosen", "outbox": [], "outbox_at": None, "__proto__": {"role": "admin"}, "constructor": {"role": "admin"},
}  # fmt: skip
ASKED_FOR = {
    "AccountChange": {"role", "is_active", "permissions"},
    "UserDraft": {"role", "permissions", "email"},
    "RegistrationDraft": {"role", "email"},
    "EnrollmentDraft": {"student_id"},
    "MuteDraft": {"student_id"},
    "AccommodationDraft": {"student_id"},
    "EnrollmentChange": {"status"},
    "ProgressDraft": {"status", "completion_percentage"},
    "CourseOrderDraft": {"currency"},
    "CourseCheckoutDraft": {"currency"},
    "CourseDraft": {"price", "currency", "is_published"},
    "CourseChange": {"price", "currency", "is_published", "is_archived"},
    "LessonDraft": {"is_free", "is_published"},
    "LessonChange": {"is_free", "is_published"},
    "AssignmentDraft": {"points", "is_published"},
    "AssignmentChange": {"points", "is_published"},
    "QuizDraft": {"passing_score", "is_published"},
    "QuizChange": {"passing_score", "is_published"},
    "PlacedQuestionDraft": {"points"},
    "QuestionChange": {"points"},
    "WebhookDraft": {"is_active"},
    "WebhookChange": {"is_active"},
    "SignInDraft": {"email"},
    "ForgottenDraft": {"email"},
    "VerificationRequest": {"email"},
    "AnswersDraft": {"lease"},
    "AnswerSave": {"lease"},
    "AttemptResume": {"lease"},
    "AttemptSync": {"lease"},
    "SyncDraft": {"lease"},
    "SubmitDraft": {"lease", "revision"},
    "AttemptSubmit": {"revision"},
    "MarkDraft": {"points", "revision"},
    "GradeDraft": {"revision"},
    "WorkDraft": {"revision"},
    "OverrideDraft": {"points"},
    "RefundDraft": {"amount"},
    "DisputeDraft": {"amount"},
    "PlanDraft": {"amount", "currency", "is_active"},
    "PlanChange": {"amount", "currency", "is_active"},
    "CouponDraft": {"is_active"},
    "CouponChange": {"is_active"},
    "TaxRateDraft": {"is_active"},
}
"""Where such a name is asked for: who may send it, and with what worth, is decided behind it and tried beside it."""
IGNORED = {"PasswordGrantForm"}
"""Standard clients send more than we know (RFC 6749)."""
KEPT = (User, Course, Quiz, Enrollment, Attempt, Webhook, Instructor, RuntimeSetting)
FORMS = sorted(
    {
        re.sub(r"\(.*?\)", "x", pattern).replace("/?", "")
        for pattern, handler in PAGES
        if issubclass(handler, PageHandler) and handler.post is not RequestHandler.post and pattern != "/.*"
    }
)
CHANGED = [(row.methods[-1], row) for row in ROUTES if row.audit and row.body is not None]
PARTIAL = [(method, row) for method, row in CHANGED if row.body is not None and issubclass(row.body, Change)]
READ = {row.path for row in ROUTES if "GET" in row.methods}
READABLE = [(method, row) for method, row in PARTIAL if row.path in READ]


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A school that counts no requests, whose webhooks may lead to this machine."""
    wishes = {"rate_limit_enabled": False, "webhook_allow_http": True, "webhook_allow_networks": ("127.0.0.0/8",)}
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("house"), **wishes)) as opened:
        yield opened


@pytest.fixture(scope="module")
async def world(house: House) -> World:
    return World(house, await house.admin(), await house.teacher())


async def kept() -> dict[str, dict[str, Row]]:
    """Everything that the school is about, without the waiting word of it."""
    return {
        document.__name__: {
            row["_id"]: {k: v for k, v in row.items() if not k.startswith("outbox")}
            async for row in document.rows().find({})
        }
        for document in KEPT
    }


# --- every model ---


def unasked(model: type[BaseModel]) -> dict[str, Any]:
    return {name: value for name, value in SENT.items() if name not in ASKED_FOR.get(model.__name__, ())}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_model_takes_such_a_name_only_where_it_is_asked_for(model: type[BaseModel]) -> None:
    names = set(model.model_fields) | {field.alias for field in model.model_fields.values() if field.alias}
    assert names & set(SENT) == ASKED_FOR.get(model.__name__, set())


@pytest.mark.parametrize(
    "model", [one for one in MODELS if one.__name__ not in IGNORED], ids=lambda model: model.__name__
)
def test_what_was_not_asked_for_is_refused_by_its_name(model: type[BaseModel]) -> None:
    read_only = model.read_only if issubclass(model, Change) else frozenset[str]()
    for name, value in unasked(model).items():
        if name in read_only:  # it may come along unchanged: tried below
            continue
        with pytest.raises(Refused) as refused:
            read_model(model, {name: value})
        assert (name, "unknown_field") in {(fault.field, fault.code) for fault in refused.value.fields}


# --- every change over HTTP ---


@pytest.mark.parametrize(("method", "row"), CHANGED, ids=[f"{method} {row.path}" for method, row in CHANGED])
async def test_a_change_with_it_is_refused_and_nothing_is_changed(world: World, method: str, row: Any) -> None:
    asked = await CHANGES[f"{row.methods[0]} {row.path}"](world)
    who, before = asked.by or world.admin, await kept()
    reply = await who.call(method, asked.path, json={**unasked(row.body), **(asked.body or {})})
    assert reply.status_code == 422, reply.text
    told = {fault["field"]: fault["code"] for fault in reply.json()["errors"]}
    assert set(told.values()) <= {"unknown_field", "read_only"}
    assert await kept() == before


@pytest.mark.parametrize(("method", "row"), PARTIAL, ids=[f"{method} {row.path}" for method, row in PARTIAL])
async def test_what_only_comes_along_changes_nothing(world: World, method: str, row: Any) -> None:
    """Each read-only field by itself, with another worth than it has: a change that lets it pass would do the rest as well."""
    asked = await CHANGES[f"{row.methods[0]} {row.path}"](world)
    who, before = asked.by or world.admin, await kept()
    for name in sorted(row.body.read_only - ASKED_FOR.get(row.body.__name__, set())):
        reply = await who.call(method, asked.path, json={name: SENT.get(name, "chosen"), **asked.body})
        if reply.status_code == 422:
            assert [(fault["field"], fault["code"]) for fault in reply.json()["errors"]] == [(name, "read_only")]
        else:  # it has this worth: an administrator is one
            assert reply.json()[name] == SENT[name]
            before = await kept()
        assert await kept() == before


@pytest.mark.parametrize(("method", "row"), READABLE, ids=[f"{method} {row.path}" for method, row in READABLE])
async def test_what_was_read_can_be_sent_back_whole(world: World, method: str, row: Any) -> None:
    """As clients do that change one field of what they got: nothing of it is unknown, and nothing is changed by it."""
    asked = await CHANGES[f"{row.methods[0]} {row.path}"](world)
    who = asked.by or world.admin
    read, before = await who.ok("GET", asked.path), await kept()
    assert (await who.call(method, asked.path, json=read)).status_code == 200
    assert await kept() == before


@pytest.mark.parametrize("role", ["admin", "superuser", "ADMIN", "", None, ["admin"], {"$ne": "student"}])
async def test_nobody_registers_as_more_than_they_may(house: House, role: Any) -> None:
    stranger = await house.visitor()
    body = {
        "email": f"chosen{abs(hash(str(role)))}@example.org",
        "password": PASSWORD,
        "full_name": "Chosen",
        "role": role,
    }
    reply = await stranger.call("POST", "/auth/register", json=body)
    assert reply.status_code in (403, 422), reply.text
    assert await User.rows().count_documents({"email": body["email"]}) == 0


async def test_an_oauth_client_gets_no_more_than_the_account_has(house: House) -> None:
    student = await house.student()
    form = {
        "username": student.user["email"],
        "password": PASSWORD,
        **{name: str(value) for name, value in SENT.items()},
    }
    tokens = await (await house.visitor()).ok("POST", "/auth/token", data=form)
    assert (tokens["user"]["role"], tokens["user"]["permissions"]) == ("student", student.user["permissions"])


# --- every form ---


@pytest.mark.parametrize("path", FORMS)
async def test_no_form_takes_more_than_it_shows(house: House, path: str) -> None:
    """Sent by a student, as fields, as lists and as fields of fields: nothing of it is kept of them, nor of anybody else."""
    student = await house.student()
    before = await kept()
    form = form_of(await csrf_of(house, student))
    async with browser_of(house, student) as browser:
        browser.cookies.set("lms_form", form["csrf"])
        reply = await browser.post(path, content=urlencode(form, doseq=True), headers=_AS_FORM)
    assert reply.status_code < 500, reply.text
    assert privileged(await kept(), student) == privileged(before, student)
    async for row in User.rows().find({"email": "chosen@evil.test"}):  # who registers by a form
        assert (row["role"], row["permissions"], row.get("email_verified_at")) == ("student", [], None)


_AS_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}


def form_of(token: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "csrf": token,
        "full_name": "Chosen Name",
        "language": "en",
        "timezone": "UTC",
        "password": f"not {PASSWORD}",
    }
    for name, value in SENT.items():
        made |= {name: value, f"user[{name}]": value, f"{name}[$ne]": "1", f"{name}.0": value}
    return made


def privileged(rows: dict[str, dict[str, Row]], student: Visitor) -> Any:
    """What nobody may have changed: of the student all but name and looks, of others everything but who has come anew."""
    own = {"full_name", "name_key", "search_tokens", "locale", "timezone", "version", "updated_at", "last_login_at"}
    assert rows["User"][student.user_id]["sessions_valid_after_ms"] != SENT["sessions_valid_after_ms"]
    own.add("sessions_valid_after_ms")  # one form ends all sessions
    users = {key: row for key, row in rows["User"].items() if row["email"] != "chosen@evil.test"}
    users[student.user_id] = {name: value for name, value in users[student.user_id].items() if name not in own}
    return {**rows, "User": users}


def browser_of(house: House, who: Visitor) -> httpx.AsyncClient:
    browser = httpx.AsyncClient(base_url=house.address, trust_env=False)
    browser.cookies.set("lms_access", who.tokens["access_token"])
    return browser


async def csrf_of(house: House, who: Visitor) -> str:
    """The token of a form, as the page of the profile shows it."""
    async with browser_of(house, who) as browser:
        shown = await browser.get("/me")
    return shown.text.partition('name="csrf" value="')[2].partition('"')[0]
