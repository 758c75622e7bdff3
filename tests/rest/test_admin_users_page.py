"""/admin/users as a browser without scripts has it: who is found, what the forms do, and who is kept out."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest

from documents.audit_record import AuditRecord
from documents.user import User
from tests.clients import Visitor
from tests.house import PASSWORD, House

FORM = re.compile(r'<form[^>]*method="post"[^>]*action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
CSV = re.compile(r'href="(/api/v1/admin/users\?[^"]+)"')
ROW = re.compile(r"<tr>\s*<th scope=\"row\">.*?</tr>", re.DOTALL)


class Reader:
    """Somebody's browser, in which they are signed in."""

    def __init__(self, house: House, http: httpx.AsyncClient) -> None:
        self.house, self.http = house, http

    async def opened(self, path: str = "", **query: Any) -> httpx.Response:
        return await self.http.get(f"/admin/users{path}", params=query)

    async def rows(self, **query: Any) -> list[str]:
        """The rows of the list, as they stand there."""
        page = await self.opened(**query)
        assert page.status_code == 200
        return ROW.findall(page.text)

    async def sent(self, page_path: str, act: str, **fields: Any) -> httpx.Response:
        """A form of a page filled in and sent; what it leads to."""
        page = await self.opened(page_path)
        forms = dict(FORM.findall(page.text))
        action = f"/admin/users{page_path}{act}"
        assert action in forms, f"there is no form for {action}"
        hidden = {name: html.unescape(value) for name, value in HIDDEN.findall(forms[action])}
        return await self.http.post(action, data=hidden | fields, follow_redirects=True)


async def reader_of(house: House, who: Visitor) -> Reader:
    """The browser of somebody who has signed in."""
    http = (await house.visitor()).http
    http.base_url = httpx.URL(house.address)
    http.headers["Accept-Language"] = "en"
    http.cookies.set("lms_access", who.tokens["access_token"])
    return Reader(house, http)


@pytest.fixture
async def admin(house: House) -> Reader:
    return await reader_of(house, await house.admin())


async def clerk_of(house: House, *permissions: str) -> Visitor:
    """Somebody who is no administrator, and holds these permissions of their own."""
    clerk, boss = await house.student(), await house.admin()
    await boss.ok("PATCH", f"/admin/users/{clerk.user_id}", json={"permissions": list(permissions)})
    return clerk


async def account(somebody: Visitor) -> User:
    found = await User.find_by_id(somebody.user_id)
    assert found is not None
    return found


async def recorded(target_id: str) -> list[str]:
    """What the audit log says was done to somebody."""
    return [row["action"] async for row in AuditRecord.rows().find({"target_id": target_id}).sort("_id", 1)]


# --- the list ---


async def test_people_are_found_by_what_stands_in_the_address(house: House, admin: Reader) -> None:
    lina = await house.student("Lina Zzyzx")
    tamar = await house.teacher("Tamar Zzyzx")
    both = await admin.rows(q="zzyzx")
    assert [("Lina" in row, "Tamar" in row) for row in both] == [(True, False), (False, True)]
    assert lina.user["email"] in both[0]
    assert "Not verified" in both[0]
    assert ["Tamar" in row for row in await admin.rows(q="zzyzx", role="instructor")] == [True]
    boss = await house.admin()
    await boss.ok("DELETE", f"/users/{tamar.user_id}")
    (closed,) = await admin.rows(q="zzyzx", is_active="no")
    assert "Closed" in closed
    assert ["Lina" in row for row in await admin.rows(q="zzyzx", is_active="yes")] == [True]
    assert ["Tamar" in row for row in await admin.rows(q="zzyzx", sort="-created_at")] == [True, False]
    assert "Nobody fits." in (await admin.opened(q="nobody at all")).text


async def test_what_cannot_be_read_in_the_address_counts_as_not_said(house: House, admin: Reader) -> None:
    await house.student("Nora Qwxz")
    wrong = {"role": "owner", "is_active": "perhaps", "sort": "password_hash", "page": "-1"}
    assert len(await admin.rows(q="qwxz", **wrong)) == 1


async def test_long_lists_have_pages_and_the_table_has_all_who_fit(house: House, admin: Reader) -> None:
    boss = await house.admin()
    for number in range(21):
        draft = {"email": f"pager{number}@example.org", "full_name": f"Pager Vvkkq{number}"}
        await boss.ok("POST", "/users", json=draft)
    first = await admin.opened(q="vvkkq", role="student")
    assert "21 people" in first.text
    assert len(ROW.findall(first.text)) == 20
    assert "page=2" in first.text
    second = await admin.rows(q="vvkkq", page="2")
    assert len(second) == 1
    assert "Invited" in second[0]
    (path,) = CSV.findall(first.text)
    table = await admin.http.get(html.unescape(path))
    assert table.headers["Content-Type"].startswith("text/csv")
    assert len(table.text.strip().splitlines()) == 22


# --- one account ---


async def test_somebody_is_invited_and_invited_again(admin: Reader) -> None:
    fields = {"full_name": "Ivo Invited", "email": "ivo@example.org", "role": "instructor", "locale": "ar"}
    shown = await admin.sent("/new", "", **fields)
    assert "the invitation is on its way" in shown.text
    user_id = shown.url.path.rpartition("/")[2]
    ivo = await User.find_by_id(user_id)
    assert ivo is not None
    assert (ivo.full_name, ivo.role, ivo.locale, ivo.password_hash) == ("Ivo Invited", "instructor", "ar", "")
    again = await admin.sent(f"/{user_id}", "/invite")
    assert "on its way once more" in again.text
    assert await recorded(user_id) == ["user.create", "user.invite"]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"email": "none"}, 422, "This is not an email address."),
        ({"full_name": ""}, 422, "Fill this in."),
        ({"role": "owner"}, 422, "This does not fit."),
        ({"email": "taken"}, 409, "There is an account with this address already."),
    ],
)
async def test_what_is_wrong_with_an_invitation_is_said_at_its_field(
    house: House, admin: Reader, *, fields: dict[str, str], status: int, words: str
) -> None:
    typed = {"full_name": "Kept Typed", "email": "kept@example.org", "role": "student", "locale": "en"} | fields
    if typed["email"] == "taken":
        typed["email"] = (await house.student()).user["email"]
    shown = await admin.sent("/new", "", **typed)
    assert (shown.status_code, words in shown.text) == (status, True)
    assert f'value="{typed["full_name"]}"' in shown.text
    assert 'aria-invalid="true"' in shown.text


async def test_role_and_permissions_are_what_was_ticked(house: House, admin: Reader) -> None:
    lina = await house.student()
    shown = await admin.sent(
        f"/{lina.user_id}", "/change", role="instructor", permissions=["audit:view", "impersonate"]
    )
    assert "It holds from the next request on." in shown.text
    changed = await account(lina)
    assert (changed.role, changed.permissions) == ("instructor", ["audit:view", "impersonate"])
    await admin.sent(f"/{lina.user_id}", "/change", role="instructor")
    assert (await account(lina)).permissions == []
    assert await recorded(lina.user_id) == ["user.change", "user.change"]


async def test_what_somebody_else_changed_meanwhile_is_not_written_over(house: House, admin: Reader) -> None:
    lina, boss = await house.student(), await house.admin()
    page = await admin.opened(f"/{lina.user_id}")
    fields = dict(HIDDEN.findall(dict(FORM.findall(page.text))[f"/admin/users/{lina.user_id}/change"]))
    await boss.ok("PATCH", f"/admin/users/{lina.user_id}", json={"permissions": ["audit:view"]})
    shown = await admin.http.post(f"/admin/users/{lina.user_id}/change", data=fields | {"role": "admin"})
    assert (shown.status_code, "Somebody else changed this account" in shown.text) == (412, True)
    assert re.search(r'value="audit:view" checked', shown.text), "what holds now is shown"
    assert (await account(lina)).role == "student"


async def test_an_account_is_closed_and_opened_again(house: House, admin: Reader) -> None:
    lina = await house.student()
    assert "The account is closed." in (await admin.sent(f"/{lina.user_id}", "/close")).text
    await lina.refused(401, "GET", "/auth/me")
    assert "The account is open again." in (await admin.sent(f"/{lina.user_id}", "/open")).text
    await lina.sign_in(lina.user["email"], PASSWORD)
    assert await recorded(lina.user_id) == ["user.deactivate", "user.change"]


async def test_who_left_by_themself_is_kept_out_for_good(house: House, admin: Reader) -> None:
    lina = await house.student("Lina Leaving")
    await lina.ok("DELETE", "/users/me", json={"password": PASSWORD})
    assert "can still sign in and keep the account" in (await admin.opened(f"/{lina.user_id}")).text
    assert "The account is closed." in (await admin.sent(f"/{lina.user_id}", "/close")).text
    user = await account(lina)
    assert (user.may_sign_in, user.erase_at is not None) == (False, True)


async def test_an_address_that_mail_servers_refuse_is_seen_and_written_to_again(house: House, admin: Reader) -> None:
    lina = await house.student("Lina Refused")
    answer = "the mail server refused: 550 5.1.1 <lina>: unknown"
    refusal = {"email": lina.user["email"], "at": house.services.clock.now(), "answer": answer, "job_id": "job_1"}
    assert await User.note_mail_refusal(lina.user_id, lina.user["email"], refusal)
    (row,) = await admin.rows(q="Lina Refused")
    assert "Mail refused" in row
    assert html.escape(answer) in (await admin.opened(f"/{lina.user_id}")).text
    done = (await admin.sent(f"/{lina.user_id}", "/write")).text
    assert "Mails are sent to this address again." in done
    assert answer not in html.unescape(done)
    assert (await account(lina)).mail_refusal is None
    assert await recorded(lina.user_id) == ["user.change"]


async def test_a_lock_is_lifted(house: House, admin: Reader) -> None:
    lina, stranger = await house.student(), await house.visitor()
    wrong = {"email": lina.user["email"], "password": "wrong horse battery staple"}
    for _ in range(house.services.settings.sign_in_lock_failures):
        await stranger.call("POST", "/auth/login", json=wrong)
    right = wrong | {"password": PASSWORD}
    assert (await stranger.refused(429, "POST", "/auth/login", json=right))["code"] == "account_locked"
    assert "Locked in 1 place" in (await admin.opened(f"/{lina.user_id}")).text
    unlocked = (await admin.sent(f"/{lina.user_id}", "/unlock")).text
    assert "They can try to sign in again." in unlocked
    assert "Not locked" in unlocked
    await stranger.ok("POST", "/auth/login", json=right)


async def test_a_lost_second_step_is_switched_off_for_a_reason(house: House, admin: Reader) -> None:
    lina = await house.student()
    assert "/reset" not in (await admin.opened(f"/{lina.user_id}")).text
    app = {"method": "totp", "secret": "sealed", "last_step": 0, "recovery": []}
    await User.rows().update_one({"_id": lina.user_id}, {"$set": {"mfa": app, "mfa_enabled": True}})
    refused = await admin.sent(f"/{lina.user_id}", "/reset", reason=" ")
    assert (refused.status_code, "Say why in a few words" in refused.text) == (422, True)
    assert (await account(lina)).mfa_enabled
    done = await admin.sent(f"/{lina.user_id}", "/reset", reason="Lost the phone")
    assert "The second step is off." in done.text
    assert ((await account(lina)).mfa, (await account(lina)).mfa_enabled) == (None, False)
    assert await recorded(lina.user_id) == ["user.reset_mfa"]


async def test_only_who_types_the_address_erases_somebody(house: House, admin: Reader) -> None:
    lina = await house.student()
    for typed in ("", "lina", "somebody@example.org"):
        refused = await admin.sent(f"/{lina.user_id}", "/erase", address=typed)
        assert (refused.status_code, "type the address exactly" in refused.text) == (422, True)
    assert (await account(lina)).erase_at is None
    done = await admin.sent(f"/{lina.user_id}", "/erase", address=f" {lina.user['email'].upper()} ")
    assert (done.url.path, "The person is being erased." in done.text) == ("/admin/users", True)
    assert (await account(lina)).erase_at is not None
    leaving = await admin.opened(f"/{lina.user_id}")
    assert ("Leaving" in leaving.text, f"/{lina.user_id}/change" in leaving.text) == (True, False)


# --- who may not ---


async def test_nobody_does_it_to_themself(house: House, admin: Reader) -> None:
    boss = await house.admin()
    own = await admin.opened(f"/{boss.user_id}")
    assert "This is your own account." in own.text
    assert f"/admin/users/{boss.user_id}/" not in own.text
    token = dict(HIDDEN.findall((await admin.opened("/new")).text))
    for act in ("close", "erase", "change"):
        fields = token | {"role": "student", "address": boss.user["email"]}
        assert (await admin.http.post(f"/admin/users/{boss.user_id}/{act}", data=fields)).status_code == 409
    assert (await account(boss)).is_active


async def test_who_sees_to_accounts_governs_nobody_who_may_do_more(house: House) -> None:
    clerk, boss, lina = await clerk_of(house, "users:manage"), await house.admin(), await house.student()
    reader = await reader_of(house, clerk)
    shown = await reader.opened(f"/{boss.user_id}")
    assert "They may do more than you" in shown.text
    shell = shown.text.partition('<nav class="nav"')[2].partition("</nav>")[0]
    assert 'href="/admin/users" aria-current="page"' in shell
    assert 'href="/admin/audit' not in shown.text
    assert 'href="/admin"' not in shown.text
    refused = await reader.sent(f"/{lina.user_id}", "/change", role="admin", permissions=["audit:view"])
    assert (refused.status_code, "You cannot give what you do not hold" in refused.text) == (403, True)
    assert (await account(lina)).permissions == []
    teacher = await house.teacher()
    token = dict(HIDDEN.findall((await reader.opened(f"/{lina.user_id}")).text)) | {"address": teacher.user["email"]}
    for act in ("close", "erase"):
        assert (await reader.http.post(f"/admin/users/{teacher.user_id}/{act}", data=token)).status_code == 403
    untouched = await account(teacher)
    assert (untouched.is_active, untouched.erase_at) == (True, None)
    fields = {"full_name": "Boss Two", "email": "boss2@example.org", "role": "admin", "locale": "en"}
    beyond = await reader.sent("/new", "", **fields)
    assert (beyond.status_code, "You cannot give what you do not hold" in beyond.text) == (403, True)


async def test_others_are_not_let_in(house: House) -> None:
    lina, teacher = await house.student(), await house.teacher()
    for who in (lina, teacher):
        reader = await reader_of(house, who)
        for path in ("", "/new", f"/{lina.user_id}"):
            assert (await reader.opened(path)).status_code == 403
    stranger = (await house.visitor()).http
    assert (await stranger.get(f"{house.address}/admin/users")).headers["Location"] == "/signin?next=/admin/users"


async def test_in_somebodys_place_accounts_are_looked_at_only(house: House) -> None:
    clerk, boss, lina = await clerk_of(house, "users:manage"), await house.admin(), await house.student()
    acting = await boss.ok("POST", f"/admin/users/{clerk.user_id}/impersonate", json={"reason": "Sees nobody"})
    reader = await reader_of(house, clerk)
    reader.http.cookies.set("lms_access", acting["access_token"])
    shown = await reader.opened(f"/{lina.user_id}")
    assert "Accounts cannot be changed that way." in shown.text
    token = dict(HIDDEN.findall(shown.text))
    assert (await reader.http.post(f"/admin/users/{lina.user_id}/close", data=token)).status_code == 403
    assert (await reader.opened("/new")).status_code == 403
    assert (await account(lina)).is_active


async def test_forms_from_elsewhere_and_about_nobody_do_nothing(house: House, admin: Reader) -> None:
    lina = await house.student()
    assert (await admin.http.post(f"/admin/users/{lina.user_id}/close", data={})).status_code == 403
    token = dict(HIDDEN.findall((await admin.opened(f"/{lina.user_id}")).text))
    for path in (f"/{lina.user_id}/promote", "/usr_nobody/close", "/usr_nobody/erase"):
        assert (await admin.http.post(f"/admin/users{path}", data=token)).status_code == 404
    assert (await admin.opened("/usr_nobody")).status_code == 404
    back = await admin.opened(f"/{lina.user_id}/close")
    assert (back.status_code, back.headers["Location"]) == (303, f"/admin/users/{lina.user_id}")
    assert (await account(lina)).is_active
