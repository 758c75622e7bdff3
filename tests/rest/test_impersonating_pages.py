"""Acting in somebody's place by a browser, without scripts: begun with a reason, told on every page, ended, and back again."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest

from documents.audit_record import AuditRecord
from documents.session import Session
from documents.user import User
from lms_rt.errors import Code, Refused
from lms_rt.services.sessions import Sessions
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD, House, open_house

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
FORM = re.compile(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
REASON = "Cannot find the quiz"
BANNER = 'class="acting"'


class Browser:
    """A browser of somebody who signs in by the form."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def opened(self, path: str) -> httpx.Response:
        return await self.http.get(path)

    async def sent(self, page: str, action: str, **fields: Any) -> httpx.Response:
        """A form of a page, filled in and sent; what comes back at once."""
        forms = dict(FORM.findall((await self.opened(page)).text))
        assert action in forms, f"there is no form for {action} at {page}"
        hidden = {name: html.unescape(value) for name, value in HIDDEN.findall(forms[action])}
        return await self.http.post(action, data=hidden | fields)

    async def sign_in(self, email: str) -> None:
        token = HIDDEN.findall((await self.opened("/signin")).text)[0][1]
        reply = await self.http.post("/signin", data={"csrf": token, "email": email, "password": PASSWORD})
        assert reply.status_code == 303, reply.text

    async def begin(self, person: Visitor) -> httpx.Response:
        path = f"/admin/users/{person.user_id}"
        return await self.sent(path, f"{path}/impersonate", reason=REASON)

    async def at_rest(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the API as a script of the page makes it."""
        headers = {"X-CSRF-Token": self.http.cookies.get("lms_csrf") or ""}
        return await self.http.request(method, f"/api/v1{path}", headers=headers, **options)

    @property
    def cookies(self) -> set[str]:
        return set(self.http.cookies)


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school; where its data lies makes no difference to pages."""
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("place"))) as made:
        yield made


@pytest.fixture
async def boss(house: House) -> Visitor:
    """An administrator of their own for each test: sessions end here, and permissions are taken."""
    admin, made = await house.admin(), await house.person("student", "Bea Boss")
    await admin.ok("PATCH", f"/admin/users/{made.user_id}", json={"role": "admin"})
    return made


async def browser_of(house: House, who: Visitor) -> Browser:
    http = (await house.visitor()).http
    http.base_url = httpx.URL(house.address)
    http.headers["Accept-Language"] = "en"
    browser = Browser(http)
    await browser.sign_in(who.user["email"])
    return browser


@pytest.fixture
async def browser(house: House, boss: Visitor) -> Browser:
    return await browser_of(house, boss)


@pytest.fixture
async def lina(house: House) -> Visitor:
    return await house.student("Lina Long")


async def acts_of(user_id: str) -> list[str]:
    return [row["action"] async for row in AuditRecord.rows().find({"target_id": user_id}).sort("_id", 1)]


def morsels(reply: httpx.Response) -> dict[str, str]:
    """The cookies that a reply sets, as they are written."""
    return {each.partition("=")[0]: each for each in reply.headers.get_list("set-cookie")}


# --- to and fro ---


async def test_there_and_back_again(house: House, browser: Browser, boss: Visitor, lina: Visitor) -> None:
    refresh_before = [cookie for cookie in browser.http.cookies.jar if cookie.name == "lms_refresh"]
    begun = await browser.begin(lina)
    assert (begun.status_code, begun.headers["Location"]) == (303, "/home")
    written = morsels(begun)
    assert set(written) == {"lms_access", "lms_csrf", "lms_own"}
    assert all("HttpOnly" in written[name] for name in ("lms_access", "lms_own"))
    assert "user.impersonate" in await acts_of(lina.user_id)
    home = await browser.opened("/home")
    assert home.text.count(BANNER) == 1
    assert "Bea Boss, you are acting as Lina Long. All of it is recorded." in home.text
    assert 'role="status"' in home.text.partition(BANNER)[2].partition("</aside>")[0]
    assert (await browser.at_rest("GET", "/users/me")).json()["id"] == lina.user_id
    acting_token = browser.http.cookies["lms_access"]

    ended = await browser.sent("/home", "/acting")
    assert (ended.status_code, ended.headers["Location"]) == (303, f"/admin/users/{lina.user_id}")
    page = await browser.opened(ended.headers["Location"])
    assert (page.status_code, BANNER in page.text) == (200, False)
    assert "lms_own" not in browser.cookies
    assert (await browser.at_rest("GET", "/users/me")).json()["id"] == boss.user_id
    assert [cookie for cookie in browser.http.cookies.jar if cookie.name == "lms_refresh"] == refresh_before
    assert (await browser.at_rest("POST", "/auth/refresh-cookie")).status_code == 200  # it goes on as before
    dead = httpx.AsyncClient(base_url=house.address, headers={"Authorization": f"Bearer {acting_token}"})
    async with dead:
        assert (await dead.get("/api/v1/users/me")).status_code == 401


async def test_the_banner_is_on_every_page_and_in_both_languages(house: House, browser: Browser, lina: Visitor) -> None:
    await browser.begin(lina)
    for path in ("/", "/home", "/me", "/notifications", "/acting", "/nowhere", "/admin/users", "/me/security"):
        page = await browser.http.get(path, headers={"Accept": "text/html"})
        assert page.text.count(BANNER) == 1, path
        assert page.text.count('action="/acting"') >= 1, path
    arabic = (await browser.opened("/home?lang=ar")).text
    assert "أنت تعمل نيابةً عن" in arabic
    assert "Lina Long" in arabic.partition(BANNER)[2].partition("</aside>")[0]
    own = await browser_of(house, lina)
    assert BANNER not in (await own.opened("/home")).text  # they themselves are told nothing


async def test_what_is_theirs_alone_says_so_and_stays_closed(browser: Browser, lina: Visitor) -> None:
    await browser.begin(lina)
    forms = ("password", "sessions", "export", "leave", "two-steps", "two-steps/confirm", "two-steps/off")
    token = {"csrf": HIDDEN.findall((await browser.opened("/me")).text)[0][1]}
    closed = [await browser.opened("/me/security"), await browser.opened("/me/keep")]
    closed += [await browser.http.post(f"/me/security/{form}", data=token) for form in (*forms, "two-steps/codes")]
    assert [page.status_code for page in closed] == [403] * len(closed)
    assert all("Theirs alone" in page.text for page in closed)
    assert "Not for your role" in (await browser.opened("/admin")).text  # another reason, and other words


async def test_it_has_no_refresh(browser: Browser, lina: Visitor) -> None:
    await browser.begin(lina)
    reply = await browser.at_rest("POST", "/auth/refresh-cookie")
    assert (reply.status_code, reply.json()["code"]) == (403, "csrf_failed")
    assert (await browser.at_rest("GET", "/users/me")).json()["id"] == lina.user_id


# --- who may not ---


async def test_without_a_reason_nothing_begins(browser: Browser, lina: Visitor) -> None:
    path = f"/admin/users/{lina.user_id}"
    for reason in ("", "  ", "x" * 201, "two\nlines"):
        reply = await browser.sent(path, f"{path}/impersonate", reason=reason)
        assert (reply.status_code, "Say why in a few words" in reply.text) == (422, True)
        assert 'aria-invalid="true"' in reply.text
    assert "lms_own" not in browser.cookies
    assert "user.impersonate" not in await acts_of(lina.user_id)
    left = await browser.opened(f"{path}/impersonate")
    assert (left.status_code, left.headers["Location"]) == (303, path)


async def test_only_who_may_act_in_whose_place_is_offered_it(
    house: House, browser: Browser, boss: Visitor, lina: Visitor
) -> None:
    admin, closed = await house.admin(), await house.student()
    await admin.ok("DELETE", f"/users/{closed.user_id}")
    token = {"csrf": HIDDEN.findall((await browser.opened("/me")).text)[0][1], "reason": REASON}
    for person, status in ((boss, 409), (admin, 403), (closed, 409)):
        path = f"/admin/users/{person.user_id}"
        assert f"{path}/impersonate" not in (await browser.opened(path)).text
        assert (await browser.http.post(f"{path}/impersonate", data=token)).status_code == status
    clerk = await house.student()
    await admin.ok("PATCH", f"/admin/users/{clerk.user_id}", json={"permissions": ["users:manage"]})
    other = await browser_of(house, clerk)
    path = f"/admin/users/{lina.user_id}"
    assert f"{path}/impersonate" not in (await other.opened(path)).text
    token |= {"csrf": HIDDEN.findall((await other.opened("/me")).text)[0][1]}
    assert (await other.http.post(f"{path}/impersonate", data=token)).status_code == 403
    assert "lms_own" not in other.cookies | browser.cookies


async def test_nobody_goes_further_from_there(house: House, browser: Browser, lina: Visitor) -> None:
    admin, other = await house.admin(), await house.student()
    rights = {"permissions": ["users:manage", "impersonate"]}
    await admin.ok("PATCH", f"/admin/users/{lina.user_id}", json=rights)
    await browser.begin(lina)
    path = f"/admin/users/{other.user_id}"
    assert f"{path}/impersonate" not in (await browser.opened(path)).text
    token = {"csrf": HIDDEN.findall((await browser.opened("/me")).text)[0][1], "reason": REASON}
    assert (await browser.http.post(f"{path}/impersonate", data=token)).status_code == 403


# --- how it ends ---


async def test_when_the_time_is_over_ones_own_session_waits(browser: Browser, boss: Visitor, lina: Visitor) -> None:
    await browser.begin(lina)
    browser.http.cookies.delete("lms_access")  # as the browser does when its time is over
    sent_on = await browser.opened("/home")
    assert (sent_on.status_code, sent_on.headers["Location"]) == (303, "/acting")
    over = await browser.opened("/acting")
    assert "You are yourself again" in over.text
    assert "Go on as yourself" in (await browser.opened("/")).text  # also where strangers may be
    assert (await browser.at_rest("GET", "/users/me")).status_code == 401
    back = await browser.sent("/acting", "/acting")
    assert back.headers["Location"] == f"/admin/users/{lina.user_id}"
    assert (await browser.at_rest("GET", "/users/me")).json()["id"] == boss.user_id


async def test_a_page_that_was_open_when_it_ended_leads_back_by_its_button(browser: Browser, lina: Visitor) -> None:
    await browser.begin(lina)
    open_page = HIDDEN.findall((await browser.opened("/home")).text)[0][1]
    browser.http.cookies.delete("lms_access")
    back = await browser.http.post("/acting", data={"csrf": open_page})
    assert (back.status_code, back.headers["Location"]) == (303, f"/admin/users/{lina.user_id}")


async def test_it_ends_with_the_permission_and_with_their_signing_out_everywhere(
    house: House, browser: Browser, boss: Visitor, lina: Visitor
) -> None:
    await browser.begin(lina)
    await house.services.sessions.end_all(lina.user_id, reason="signed_out_everywhere")
    assert (await browser.opened("/home")).headers["Location"] == "/acting"
    assert (await browser.sent("/acting", "/acting")).headers["Location"] == f"/admin/users/{lina.user_id}"
    await browser.begin(lina)
    await (await house.admin()).ok("PATCH", f"/admin/users/{boss.user_id}", json={"role": "student"})
    assert (await browser.opened("/home")).headers["Location"] == "/acting"
    ended = await browser.sent("/acting", "/acting")
    assert ended.headers["Location"] == "/home"  # no account to go back to for who may look at none
    assert (await browser.at_rest("GET", "/users/me")).json()["id"] == boss.user_id


async def test_when_ones_own_session_has_ended_there_is_no_way_back(
    house: House, browser: Browser, boss: Visitor, lina: Visitor
) -> None:
    await browser.begin(lina)
    token = HIDDEN.findall((await browser.opened("/home")).text)[0][1]
    await house.services.sessions.end_all(boss.user_id, reason="signed_out_everywhere")
    assert (await browser.opened("/home")).headers["Location"] == "/signin?next=/home"
    reply = await browser.http.post("/acting", data={"csrf": token})
    assert (reply.status_code, reply.headers["Location"]) == (303, "/signin")
    assert browser.cookies.isdisjoint({"lms_access", "lms_own", "lms_csrf", "lms_refresh"})


@pytest.mark.parametrize("is_by_page", [True, False])
async def test_signing_out_leaves_neither(house: House, browser: Browser, boss: Visitor, *, is_by_page: bool) -> None:
    lina = await house.student()
    await browser.begin(lina)
    kept = {cookie.name: cookie.value or "" for cookie in browser.http.cookies.jar}
    if is_by_page:
        assert (await browser.sent("/home", "/signout")).status_code == 303
    else:
        assert (await browser.at_rest("POST", "/auth/logout-cookie")).status_code == 204
    assert browser.cookies.isdisjoint({"lms_access", "lms_own", "lms_csrf", "lms_refresh"})
    thief = Browser((await house.visitor()).http)
    thief.http.base_url = httpx.URL(house.address)
    for name, value in kept.items():
        thief.http.cookies.set(name, value)
    assert (await thief.opened("/home")).headers["Location"].startswith("/signin")
    assert (await thief.at_rest("POST", "/auth/refresh-cookie")).status_code in {401, 403}
    alive = {"user_id": boss.user_id, "revoked_at": {"$exists": False}}
    assert await Session.rows().count_documents(alive) == 1  # that of registering, elsewhere
    assert await Session.rows().count_documents({**alive, "user_id": lina.user_id}) == 1


async def test_signing_in_anew_forgets_the_way_back(browser: Browser, lina: Visitor) -> None:
    await browser.begin(lina)
    browser.http.cookies.delete("lms_access")
    await browser.sign_in(lina.user["email"])
    assert "lms_own" not in browser.cookies
    assert BANNER not in (await browser.opened("/home")).text


async def test_no_other_mark_leads_anywhere(house: House, browser: Browser, lina: Visitor) -> None:
    """One that is forged, and one that leads into a session of somebody else than it says."""
    admin = await house.admin()
    stranger = Browser((await house.visitor()).http)
    stranger.http.base_url = httpx.URL(house.address)
    ways = house.services.impersonation
    for mark in ("x", "usr_1.fam_1.fam_2.9999999999999!AAAA"):
        stranger.http.cookies.set("lms_own", mark)
        assert (await stranger.opened("/home")).headers["Location"] == "/signin?next=/home"
        assert (await stranger.opened("/acting")).headers["Location"] == "/"
    await browser.begin(lina)
    mark = browser.http.cookies["lms_own"]
    way = ways.read_way_back(mark)
    assert way is not None
    user = await User.find_by_id(admin.user_id)
    assert user is not None
    stranger.http.cookies.set("lms_own", mark.replace(way.user_id, user.id))
    assert (await stranger.opened("/home")).headers["Location"] == "/signin?next=/home"
    stranger.http.cookies.delete("lms_own")
    stranger.http.headers["Authorization"] = f"Bearer {mark}"  # nor is it a token
    assert (await stranger.http.get("/api/v1/users/me")).status_code == 401


async def test_the_way_back_is_gone_once(browser: Browser, house: House, lina: Visitor) -> None:
    """A button that is pressed twice is borne; whoever comes later with the same mark is not let in."""
    await browser.begin(lina)
    token, mark = HIDDEN.findall((await browser.opened("/home")).text)[0][1], browser.http.cookies["lms_own"]
    acting, form = browser.http.cookies["lms_access"], browser.http.cookies["lms_form"]
    cookies = {"Cookie": f"lms_own={mark}; lms_form={form}; lms_access={acting}"}
    twice = Browser((await house.visitor()).http)
    twice.http.base_url = httpx.URL(house.address)
    for _ in range(2):
        back = await twice.http.post("/acting", data={"csrf": token}, headers=cookies)
        assert back.headers["Location"] == f"/admin/users/{lina.user_id}"
    way = house.services.impersonation.read_way_back(mark)
    assert way is not None
    returned = house.services.clock.now() - timedelta(seconds=11)
    await Session.rows().update_one({"_id": way.acting_id}, {"$set": {"returned_at": returned}})
    later = await twice.http.post("/acting", data={"csrf": token}, headers=cookies)
    assert (later.headers["Location"], "lms_access" in morsels(later)) == ("/signin", True)
    assert "1970" in morsels(later)["lms_access"]
    assert (await twice.http.get("/home", headers=cookies)).headers["Location"] == "/signin?next=/home"


async def test_a_return_that_came_to_nothing_leaves_the_way_open(
    house: House, browser: Browser, lina: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is away for a moment, for longer than a button that is pressed twice is borne."""
    await browser.begin(lina)
    way = house.services.impersonation.read_way_back(browser.http.cookies["lms_own"])
    assert way is not None
    with monkeypatch.context() as away:
        away.setattr(Sessions, "resume", AsyncMock(side_effect=Refused(Code.UNAVAILABLE)))
        assert (await browser.sent("/home", "/acting")).status_code == 503
    row = await Session.find_row(way.acting_id)
    assert row is not None
    assert {"returned_at", "revoked_at"}.isdisjoint(row)
    back = await browser.sent("/home", "/acting")
    assert back.headers["Location"] == f"/admin/users/{lina.user_id}"
    assert "returned_at" in (await Session.find_row(way.acting_id) or {})


async def test_another_site_begins_and_ends_nothing(browser: Browser, lina: Visitor) -> None:
    path = f"/admin/users/{lina.user_id}"
    token = {"csrf": HIDDEN.findall((await browser.opened(path)).text)[0][1], "reason": REASON}
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert (await browser.http.post(f"{path}/impersonate", data=token, headers=elsewhere)).status_code == 403
    assert (await browser.http.post(f"{path}/impersonate", data={"reason": REASON})).status_code == 403
    await browser.begin(lina)
    assert (await browser.http.post("/acting", headers=elsewhere)).status_code == 403
    assert (await browser.http.post("/acting", data={"csrf": "a.b"})).status_code == 403
    assert BANNER in (await browser.opened("/home")).text
