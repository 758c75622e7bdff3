"""Every page and every form of a page, as each of the nine persons: who sees it is what the table of rights says.

On the whole product, as browsers without scripts have it: a stranger is sent to sign in, what is not one's own has no page.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import pytest
from tornado.web import RequestHandler

from handlers.rest.access import SIGNED_IN
from handlers.routes import ROUTES
from handlers.web.base import MissingPage, PageHandler
from handlers.web.pages import PAGES, PageTableError, checked
from lms_rt.ids import new_id
from lms_rt.security.csrf import STRANGERS
from lms_rt.security.mfa import new_recovery_codes
from lms_rt.security.rights import Person, Reach, Verdict, verdict
from tests.clients import Visitor
from tests.house import House
from tests.rest.rights.asking import DOUBLED
from tests.rest.rights.house import rights_house
from tests.rest.rights.machinery import fresh_job
from tests.rest.rights.money_pages import MONEY_FORMS, MONEY_PATHS
from tests.rest.rights.own_forms import OWN_FORMS
from tests.rest.rights.pages import alike, forms_refused_in_place, told_by
from tests.rest.rights.sandboxed import sandbox_checkout, sandbox_subscription
from tests.rest.rights.school import Fresh, Ids, Place, RightsSchool, fresh_course, fresh_student, opened

LINK = "a" * 43
"""As long as what the links of mails carry."""


@dataclass(frozen=True)
class Form:
    """What is posted to a page, below which address if not the page's own, and what is made anew for it."""

    fields: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    fresh: Fresh | None = None
    is_double: bool = False


PATHS: Mapping[str, str] = {
    r"/": "/?q=Geometry",
    r"/signin": "/signin",
    r"/register": "/register",
    r"/signout": "/signout",
    r"/signin/code": "/signin/code",
    r"/forgot": "/forgot",
    r"/reset": f"/reset?token={LINK}",
    r"/invite": f"/invite?token={LINK}",
    r"/verify-email": f"/verify-email?token={LINK}",
    r"/unsubscribe/([\w-]{1,400})": f"/unsubscribe/{LINK}",
    r"/courses/([^/]+)/?": "/courses/{slug}",
    r"/courses/([^/]+)/chat/?": "/courses/{slug}/chat",
    r"/courses/([^/]+)/reviews/?": "/courses/{slug}/reviews",
    r"/home": "/home",
    r"/learn/([^/]+)/?": "/learn/{slug}",
    r"/learn/([^/]+)/([^/]+)": "/learn/{slug}/{lesson_id}",
    r"/quizzes/([^/]+)/?": "/quizzes/{quiz_id}",
    r"/assignments/?": "/assignments",
    r"/assignments/([^/]+)/?": "/assignments/{assignment_id}",
    r"/assignments/([^/]+)/hand-in": "",
    r"/teach/courses/([^/]+)/assignments": "/teach/courses/{course_id}/assignments",
    r"/teach/assignments/([^/]+)/?": "/teach/assignments/{assignment_id}",
    r"/teach/assignments/([^/]+)/grade": "/teach/assignments/{assignment_id}/grade?work={submission_id}",
    r"/attempts/([^/]+)/?": "/attempts/{attempt_id}",
    r"/attempts/([^/]+)/log": "/attempts/{attempt_id}/log",
    r"/attempts/([^/]+)/results": "/attempts/{graded_id}/results",
    r"/attempts/([^/]+)/receipt": "/attempts/{graded_id}/receipt",
    r"/receipt": "/receipt",
    r"/sandbox/checkout/([\w-]{1,160})": "/sandbox/checkout/{sandbox_id}",
    r"/certificates": "/certificates",
    r"/verify": "/verify",
    r"/verify/([^/]+)": "/verify/CERT-2000-000001",
    r"/teach/courses/([^/]+)/bulk": "/teach/courses/{course_id}/bulk",
    r"/teach/import": "/teach/import",
    r"/teach/courses/([^/]+)/certificates": "/teach/courses/{course_id}/certificates",
    **MONEY_PATHS,
    r"/room-shell": "/room-shell",
    r"/me/?": "/me",
    r"/me/keep": "/me/keep",
    r"/me/address": "/me/address",
    r"/me/security/?": "/me/security",
    r"/me/security/password": "/me/security/password",
    r"/me/security/sessions": "/me/security/sessions",
    r"/me/security/export": "/me/security/export",
    r"/me/security/leave": "/me/security/leave",
    r"/me/security/two-steps": "/me/security/two-steps",
    r"/me/security/two-steps/confirm": "/me/security/two-steps/confirm",
    r"/me/security/two-steps/codes": "/me/security/two-steps/codes",
    r"/me/security/two-steps/off": "/me/security/two-steps/off",
    r"/notifications/?": "/notifications",
    r"/files/?": "/files",
    r"/notifications/preferences/?": "/notifications/preferences",
    r"/teach/?": "/teach",
    r"/courses/([^/]+)/grades": "/courses/{slug}/grades",
    r"/me/calendar": "/me/calendar",
    r"/teach/courses/([^/]+)/gradebook/?": "/teach/courses/{course_id}/gradebook",
    r"/teach/courses/([^/]+)/revenue": "/teach/courses/{course_id}/revenue",
    r"/teach/courses/([^/]+)/gradebook/settings": "/teach/courses/{course_id}/gradebook/settings",
    r"/teach/courses/([^/]+)/gradebook/([^/]+)": "/teach/courses/{course_id}/gradebook/{student_id}",
    r"/teach/courses/([^/]+)/?": "/teach/courses/{course_id}",
    r"/teach/courses/([^/]+)/([a-z]+)": "/teach/courses/{course_id}/students",
    r"/teach/grading/?": "/teach/grading",
    r"/teach/grading/([^/]+)/?": "/teach/grading/{quiz_id}",
    r"/teach/quizzes/([^/]+)/?": "/teach/quizzes/{quiz_id}",
    r"/teach/quizzes/([^/]+)/import": "/teach/quizzes/{quiz_id}/import",
    r"/teach/quizzes/([^/]+)/live": "/teach/quizzes/{quiz_id}/live",
    r"/teach/quizzes/([^/]+)/screen": "/teach/quizzes/{quiz_id}/screen",
    r"/teach/quizzes/([^/]+)/regrade": "/teach/quizzes/{quiz_id}/regrade",
    r"/teach/quizzes/([^/]+)/statistics": "/teach/quizzes/{quiz_id}/statistics",
    r"/acting": "/acting",
    r"/admin/?": "/admin",
    r"/admin/audit/?": "/admin/audit",
    r"/admin/dead-letters/?": "/admin/dead-letters",
    r"/admin/dead-letters/([^/]+)/?": "/admin/dead-letters/{job_id}",
    r"/admin/dead-letters/([^/]+)/([a-z]+)": "",
    r"/admin/settings/?": "/admin/settings",
    r"/admin/settings/([a-z]+)": "/admin/settings/review",
    r"/admin/stats/?": "/admin/stats",
    r"/admin/users/?": "/admin/users",
    r"/admin/users/new": "/admin/users/new",
    r"/admin/users/([^/]+)/?": "/admin/users/{user_id}",
    r"/admin/users/([^/]+)/([a-z]+)": "/admin/users/{user_id}/change",
    r"/admin/users/([^/]+)/impersonate": "/admin/users/{user_id}/impersonate",
    r"/admin/webhooks/?": "/admin/webhooks",
    r"/admin/webhooks/([^/]+)/?": "/admin/webhooks/{webhook_id}",
    r"/dev/mailbox/?": "/dev/mailbox",
    r"/dev/mailbox/([\w.@-]{1,200})": "/dev/mailbox/none",
    r"/dev/mailbox/([\w.@-]{1,200})/html": "/dev/mailbox/none/html",
}
"""Where each row of the table of pages is looked at; "" where there is nothing to see, only to send."""
FORMS: Mapping[str, Form] = {
    r"/signin": Form({"email": "nobody@example.org", "password": "none of his"}),
    r"/signin/code": Form({"challenge": LINK, "code": "123456"}),
    r"/register": Form({"email": "no address", "full_name": "N", "password": "x"}),
    r"/signout": Form(is_double=True),
    r"/forgot": Form({"email": "nobody@example.org"}),
    r"/reset": Form({"token": LINK, "new_password": "the lake in october 7"}),
    r"/invite": Form({"token": LINK, "new_password": "the lake in october 7"}),
    r"/verify-email": Form({"token": LINK}),
    r"/unsubscribe/([\w-]{1,400})": Form(),
    r"/courses/([^/]+)/?": Form(fresh=fresh_course),
    r"/courses/([^/]+)/chat/?": Form({"text": "Hello"}),
    r"/courses/([^/]+)/reviews/?": Form({"rating": "4"}),
    r"/learn/([^/]+)/([^/]+)": Form(),
    r"/sandbox/checkout/([\w-]{1,160})": Form({"act": "cancel"}),
    r"/me/?": Form({"full_name": "", "timezone": "Nowhere/None"}),
    r"/me/keep": Form(),
    r"/me/address": Form(),
    r"/me/security/password": Form({"current_password": "none of his", "new_password": "the lake in october 7"}),
    r"/me/security/sessions": Form({"end": "fam_none"}),
    r"/me/security/export": Form(),
    r"/me/security/leave": Form({"leave_address": "nobody@example.org"}),
    r"/me/security/two-steps": Form({"method": "totp", "setup_password": "none of his"}),
    r"/me/security/two-steps/confirm": Form({"code": "123456"}),
    r"/me/security/two-steps/codes": Form({"codes": new_recovery_codes()[0]}),
    r"/me/security/two-steps/off": Form({"off_password": "none of his"}),
    r"/notifications/?": Form({"read": "{notification_id}"}),
    r"/files/?": Form({"remove": "{file_id}"}),
    r"/notifications/preferences/?": Form(),
    r"/me/calendar": Form(),
    r"/teach/courses/([^/]+)/gradebook/settings": Form({"missing": "nothing"}),
    r"/teach/courses/([^/]+)/gradebook/([^/]+)": Form({"item_id": "total", "act": "set", "points": ""}),
    r"/assignments/([^/]+)/hand-in": Form({"content": ""}, path="/assignments/{assignment_id}/hand-in"),
    r"/teach/assignments/([^/]+)/?": Form({"act": "preview", "sheet": "nothing"}),
    r"/teach/assignments/([^/]+)/grade": Form({"act": "next"}),
    r"/teach/courses/([^/]+)/bulk": Form({"act": "check", "table": "nothing"}),
    r"/teach/grading/([^/]+)/?": Form({"act": "next"}),
    r"/teach/quizzes/([^/]+)/regrade": Form({"question": "{question_id}", "action": "nothing"}),
    **{pattern: Form(fields, path=path) for pattern, (fields, path) in MONEY_FORMS.items()},
    r"/acting": Form(is_double=True),
    r"/admin/audit/?": Form(),
    r"/admin/dead-letters/([^/]+)/([a-z]+)": Form(path="/admin/dead-letters/{job_id}/discard", fresh=fresh_job),
    r"/admin/settings/([a-z]+)": Form(),
    r"/admin/users/new": Form({"email": "no address"}),
    r"/admin/users/([^/]+)/([a-z]+)": Form({"role": "student"}, fresh=fresh_student),
    r"/admin/users/([^/]+)/impersonate": Form({"reason": ""}),
}
"""What is sent by each form: mostly what it refuses, since it is the right to send that is looked at."""
NOBODYS = frozenset(
    {r"/unsubscribe/([\w-]{1,400})", r"/dev/mailbox/([\w.@-]{1,200})", r"/dev/mailbox/([\w.@-]{1,200})/html"}
)
"""What is asked for there is nobody's: the same 404 for everybody."""
ROWS = [(pattern, page) for pattern, page in PAGES if issubclass(page, PageHandler) and page is not MissingPage]
SENT = [(pattern, page) for pattern, page in ROWS if page.post is not RequestHandler.post]
LISTS = frozenset({Reach.PUBLISHED, Reach.OWN_COURSES})
"""Reaches of pages that list courses: what is not within reach is left out."""


@dataclass
class Browsers:
    """A browser without scripts for each of the nine."""

    school: RightsSchool
    people: dict[Person, httpx.AsyncClient]
    stack: AsyncExitStack

    async def browser_of(self, visitor: Visitor) -> httpx.AsyncClient:
        """A browser in which this person has signed in; with a form's token in its cookie."""
        token, address = visitor.tokens.get("access_token", ""), self.school.house.address
        browser = httpx.AsyncClient(base_url=address, trust_env=False, timeout=30, headers={"Accept": "text/html"})
        session = STRANGERS
        if token:
            browser.cookies.set("lms_access", token)
            session = (await self.school.house.services.sessions.authenticate(token)).session_id
        browser.cookies.set("lms_form", self.school.house.services.sessions.csrf.issue(session))
        return await self.stack.enter_async_context(browser)

    async def see(self, person: Person, path: str) -> httpx.Response:
        """A page."""
        return await self.people[person].get(path)

    async def send(self, person: Person, path: str, fields: Mapping[str, str], *, by_double: bool) -> httpx.Response:
        """A form, with the token that stands in it."""
        browser = self.people[person]
        if by_double:
            browser = await self.browser_of(await self.school.double(person))
        fields = {**fields, "csrf": browser.cookies["lms_form"]}
        return await browser.post(path, data=fields)


@pytest.fixture(scope="module", params=["embedded"])
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school; where its data lies makes no difference to pages."""
    async with rights_house(request, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
async def browsers(house: House) -> AsyncIterator[Browsers]:
    async with AsyncExitStack() as stack:
        school = await opened(house)
        subscription_id = await sandbox_subscription(house, school.owner)
        for ids in school.places.values():
            ids["slug"] = (await school.teacher.ok("GET", f"/courses/{ids['course_id']}"))["slug"]
            ids["subscription_id"] = subscription_id
            ids["sandbox_id"] = await sandbox_checkout(house, school.owner.user_id)
        opened_here = Browsers(school, {}, stack)
        for person, visitor in school.people.items():
            opened_here.people[person] = await opened_here.browser_of(visitor)
        yield opened_here


# --- the tables are whole ---


def test_every_page_and_every_form_is_looked_at() -> None:
    assert set(PATHS) == {pattern for pattern, _ in ROWS}, "say in PATHS where the new page is looked at"
    assert set(FORMS) == {pattern for pattern, _ in SENT}, "say in FORMS what is sent by the new form"


def test_what_nobody_may_do_in_anothers_place_no_form_of_a_page_does_either() -> None:
    assert set(OWN_FORMS) == {
        f"{row.methods[0]} {row.path}" for row in ROUTES if row.is_own_alone and row.methods[0] != "GET"
    }
    assert set(OWN_FORMS.values()) - {""} <= {row for row, page in SENT if page.is_own_alone or page.is_form_own_alone}


def test_a_page_that_says_nothing_of_rights_is_not_served() -> None:
    class Silent(PageHandler):
        pass

    class Vague(PageHandler):
        access = SIGNED_IN

    for page in (Silent, Vague):
        with pytest.raises(PageTableError):
            checked([("/somewhere", page)])


# --- the walk ---


@pytest.mark.parametrize(("pattern", "page"), ROWS, ids=[pattern for pattern, _ in ROWS])
async def test_everybody_sees_what_the_table_says(browsers: Browsers, pattern: str, page: type[PageHandler]) -> None:
    reach, faults = page.reach or Reach.ALL, []
    for place in _places(PATHS[pattern], reach) if PATHS[pattern] else ():
        ids = browsers.school.places[place]
        for person in _people(page, reach):
            said = verdict(
                person,
                door=page.access,
                reach=reach,
                is_own_alone=page.is_own_alone,
                is_shown=place == Place.SHOWN,
                is_list=reach in LISTS,
            )
            reply = await browsers.see(person, path := PATHS[pattern].format_map(ids))
            told = told_by(reply, pattern, is_nobodys=pattern in NOBODYS)
            if reach in LISTS and told == Verdict.ALLOWED and ids["course_title"] not in reply.text:
                told = Verdict.LEFT_OUT
            if told not in alike(said):
                faults.append(f"{person}, {place}: {told} by {reply.status_code}, the table says {said}")
            if person == Person.IMPERSONATOR:
                faults += [f"{place}: a form is refused, {one}" for one in forms_refused_in_place(reply.text, path)]
    assert faults == []


@pytest.mark.parametrize(("pattern", "page"), SENT, ids=[pattern for pattern, _ in SENT])
async def test_everybody_sends_what_the_table_says(browsers: Browsers, pattern: str, page: type[PageHandler]) -> None:
    form, reach, faults = FORMS[pattern], page.form_reach or page.reach or Reach.ALL, []
    for place in _places(PATHS[pattern], reach):
        made: Ids = {}
        for person in DOUBLED if form.is_double else _people(page, reach):
            said = verdict(
                person,
                door=page.form_access or page.access,
                reach=reach,
                is_own_alone=page.is_own_alone or page.is_form_own_alone,
                is_shown=place == Place.SHOWN,
            )
            ids: Ids = browsers.school.places[place]
            if form.fresh is not None and said == Verdict.ALLOWED:
                made = made or await form.fresh(browsers.school, ids, place)
                ids = ids | made | {"slug": made.get("course_id", ids["slug"])}
            fields = {name: value.format_map(ids) for name, value in form.fields.items()}
            path = (form.path or PATHS[pattern]).format_map(ids)
            reply = await browsers.send(person, path, fields, by_double=form.is_double)
            if (told := told_by(reply, pattern, is_nobodys=pattern in NOBODYS)) not in alike(said):
                faults.append(f"{person}, {place}: {told} by {reply.status_code}, the table says {said}")
    assert faults == []


def _places(path: str, reach: Reach) -> tuple[Place, ...]:
    """Where it matters how a course stands: in addresses of what is in one, and in lists of courses."""
    is_placed = reach in LISTS or any(f"{{{name}}}" in path for name in _OF_COURSES)
    return (Place.SHOWN, Place.HIDDEN) if is_placed else (Place.SHOWN,)


def _people(page: type[PageHandler], reach: Reach) -> Iterable[Person]:
    """All nine, where it matters whose the thing is; else one of each role, or two where all may pass."""
    if page.is_form_own_alone:
        return Person
    if page.access.is_public and page.reach is None:
        return (Person.STRANGER, Person.OWNER)
    return DOUBLED if reach in {Reach.ALL, Reach.SELF} else Person


_OF_COURSES = ("slug", "course_id", "lesson_id", "quiz_id", "attempt_id", "graded_id")


# --- beside the table ---


async def test_what_is_hidden_has_the_page_of_what_is_not_there(browsers: Browsers) -> None:
    ids, person = browsers.school.places[Place.HIDDEN], Person.OTHER
    for path, name, absent in (
        ("/courses/{slug}", "slug", "geometry-hiding"),
        ("/learn/{slug}", "slug", "geometry-hiding"),
        ("/quizzes/{quiz_id}", "quiz_id", new_id("quz")),
        ("/attempts/{attempt_id}", "attempt_id", new_id("att")),
        ("/attempts/{attempt_id}/results", "attempt_id", new_id("att")),
        ("/attempts/{graded_id}/receipt", "graded_id", new_id("att")),
    ):
        hidden = await browsers.see(person, path.format_map(ids))
        nothing = await browsers.see(person, path.format_map(ids | {name: absent}))
        assert hidden.status_code == nothing.status_code == 404
        assert _plain(hidden, ids[name]) == _plain(nothing, absent), path


def _plain(reply: httpx.Response, name: str) -> str:
    """The page without what is each request's own."""
    text = reply.text.replace(name, "*").replace(reply.headers["X-Request-ID"], "*")
    return re.sub(r'"server_time_ms": ?\d+', "", text)


async def test_what_one_did_in_a_course_stays_to_be_seen_after_it_was_taken_back(browsers: Browsers) -> None:
    ids = browsers.school.places[Place.HIDDEN]
    shown = await browsers.see(Person.OWNER, f"/attempts/{ids['graded_id']}/results")
    assert (shown.status_code, "Midterm" in shown.text) == (200, True)
    assert ids["slug"] not in shown.text


async def test_links_lead_to_what_one_may_open(browsers: Browsers) -> None:
    for person in Person:
        shown = await browsers.see(person, "/")
        navigation = shown.text.partition('<nav class="nav"')[2].partition("</nav>")[0]
        for path in re.findall(r'<a href="([^"]+)"', navigation):
            assert (await browsers.see(person, path)).status_code == 200, f"{person}: {path}"


async def test_a_form_of_another_session_is_refused(browsers: Browsers) -> None:
    mine, theirs = browsers.people[Person.OWNER], browsers.people[Person.OTHER]
    reply = await mine.post("/notifications/preferences", data={"csrf": theirs.cookies["lms_form"]})
    assert reply.status_code == 403
