"""What administrators change of accounts, who may not, and acting in somebody's place. By REST, on both lanes."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import pytest
from websockets.asyncio.client import connect

from documents.audit_record import AuditRecord
from documents.enums import Role
from documents.job import Job
from documents.user import User
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.users import AccountChange
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import permissions_of
from tests.clients import Visitor
from tests.house import PASSWORD, House


async def changed(visitor: Visitor, somebody: Visitor, **fields: Any) -> dict[str, Any]:
    view: dict[str, Any] = await visitor.ok("PATCH", f"/admin/users/{somebody.user_id}", json=fields)
    return view


async def refusal(visitor: Visitor, user_id: str, status: int, **fields: Any) -> str:
    return str((await visitor.refused(status, "PATCH", f"/admin/users/{user_id}", json=fields))["code"])


async def clerk_of(house: House, *permissions: str, role: str = "student") -> Visitor:
    """Somebody who is no administrator, and holds these permissions of their own."""
    clerk = await house.person(role)
    await changed(await house.admin(), clerk, permissions=list(permissions))
    return clerk


async def recorded(target_id: str) -> list[str]:
    """What the audit log says was done to somebody."""
    rows = AuditRecord.rows().find({"target_id": target_id}).sort("_id", 1)
    return [row["action"] async for row in rows]


_APP = {"method": "totp", "secret": "sealed", "last_step": 0, "recovery": []}


class TestChanges:
    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    async def test_a_new_role_holds_at_once(self, house: House, method: str) -> None:
        admin, somebody = await house.admin(), await house.student()
        await somebody.refused(403, "GET", "/courses/me")
        path = f"/admin/users/{somebody.user_id}"
        assert (await admin.ok(method, path, json={"role": "instructor"}))["role"] == "instructor"
        await somebody.ok("GET", "/courses/me")
        await admin.ok(method, path, json={"role": "student"})
        await somebody.refused(403, "GET", "/courses/me")
        assert await recorded(somebody.user_id) == ["user.change", "user.change"]

    async def test_permissions_add_to_the_role_and_go_again(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        await somebody.refused(403, "GET", "/admin/tasks")
        view = await changed(admin, somebody, permissions=["settings:manage", "audit:view", "settings:manage"])
        assert view["permissions"] == ["audit:view", "settings:manage"]
        await somebody.ok("GET", "/admin/tasks")
        assert (await changed(admin, somebody, permissions=[]))["permissions"] == []
        await somebody.refused(403, "GET", "/admin/tasks")

    @pytest.mark.parametrize(
        "fields",
        [
            {"role": "owner"},
            {"role": None},
            {"is_active": "yes"},
            {"permissions": ["everything"]},
            {"permissions": "audit:view"},
            {"permissions": [{"$ne": None}]},
            {"unlock": 1},
            {"password": PASSWORD},
            {"full_name": "Somebody Else"},
            {"mfa_enabled": True},
            {"email_verified_at": "2026-01-01T00:00:00Z"},
        ],
    )
    async def test_what_is_none_of_an_administrators_is_refused(self, house: House, fields: dict[str, Any]) -> None:
        admin, somebody = await house.admin(), await house.student()
        assert await refusal(admin, somebody.user_id, 422, **fields) == "validation_failed"
        assert (await admin.ok("GET", f"/users/{somebody.user_id}"))["version"] == 1

    async def test_what_was_read_may_be_sent_back_with_its_tag(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        path = f"/admin/users/{somebody.user_id}"
        seen = await admin.call("GET", f"/users/{somebody.user_id}")
        tag = {"If-Match": seen.headers["ETag"]}
        again = await admin.call("PUT", path, json=seen.json(), headers=tag)
        assert (again.status_code, again.headers["ETag"]) == (200, seen.headers["ETag"])
        await changed(admin, somebody, role="instructor")
        stale = await admin.refused(412, "PATCH", path, json={"role": "admin"}, headers=tag)
        assert stale["current_version"] == 2
        assert (await admin.ok("GET", f"/users/{somebody.user_id}"))["role"] == "instructor"

    async def test_a_change_of_nothing_is_none(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        assert (await changed(admin, somebody))["version"] == 1
        assert (await changed(admin, somebody, role="student", is_active=True))["version"] == 1
        assert await recorded(somebody.user_id) == []

    async def test_closing_and_opening_stand_in_the_log_without_a_value(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        await changed(admin, somebody, is_active=False)
        await somebody.refused(401, "GET", "/auth/me")
        await changed(admin, somebody, is_active=True)
        assert await recorded(somebody.user_id) == ["user.deactivate", "user.change"]
        record = await AuditRecord.rows().find_one({"target_id": somebody.user_id})
        assert record is not None
        assert record["actor_id"] == admin.user_id
        assert [name for name, _ in record["after"]] == ["is_active"]
        assert somebody.user["email"] not in str(record)

    async def test_who_failed_too_often_is_let_try_again(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        guesser, known = await house.visitor(), {"email": somebody.user["email"]}
        statuses = [
            (await guesser.call("POST", "/auth/login", json={**known, "password": f"wrong {number}"})).status_code
            for number in range(house.services.settings.sign_in_lock_failures + 1)
        ]
        assert statuses[-1] == 429
        await guesser.refused(429, "POST", "/auth/login", json={**known, "password": PASSWORD})
        await changed(admin, somebody, unlock=True)
        await guesser.ok("POST", "/auth/login", json={**known, "password": PASSWORD})

    async def test_who_has_lost_the_second_step_is_let_in_without_it(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        await User.rows().update_one({"_id": somebody.user_id}, {"$set": {"mfa": _APP, "mfa_enabled": True}})
        signs_in = {"email": somebody.user["email"], "password": PASSWORD}
        stranger = await house.visitor()
        required = await stranger.ok("POST", "/auth/login", json=signs_in)
        assert required["mfa_required"]
        path = f"/admin/users/{somebody.user_id}"
        refused = await admin.refused(422, "PATCH", path, json={"reset_mfa": True})
        assert [(fault["field"], fault["code"]) for fault in refused["errors"]] == [("reason", "required")]
        for also in ({"is_active": False}, {"role": "instructor"}, {"permissions": ["audit:view"]}):
            fields = {"reset_mfa": True, "reason": "Lost the phone", **also}
            refused = await admin.refused(422, "PATCH", path, json=fields)
            assert [fault["field"] for fault in refused["errors"]] == ["reset_mfa"], "two deeds are two records"
        view = await changed(admin, somebody, reset_mfa=True, reason="Lost the phone; came with a passport")
        assert view["mfa_enabled"] is False
        answer = {"challenge_token": required["challenge_token"], "code": "123456"}
        await stranger.refused(401, "POST", "/auth/login/mfa", json=answer)
        assert "access_token" in await stranger.ok("POST", "/auth/login", json=signs_in)
        assert await recorded(somebody.user_id) == ["user.reset_mfa"]
        records = (await admin.ok("GET", "/admin/audit-logs", params={"target_id": somebody.user_id}))["items"]
        assert [record["reason"] for record in records] == ["Lost the phone; came with a passport"]
        mails = [job["args"] async for job in Job.rows().find({"args.user_id": somebody.user_id})]
        assert [mail["data"]["is_enabled"] for mail in mails if mail["template"] == "mfa_changed"] == [False]
        await changed(admin, somebody, reset_mfa=True, reason="Once more")
        assert await recorded(somebody.user_id) == ["user.reset_mfa"], "of nothing there is nothing to tell"

    async def test_nobody_is_there_under_an_unknown_id(self, house: House) -> None:
        admin = await house.admin()
        assert await refusal(admin, "usr_nobody", 404, role="student") == "not_found"
        await admin.refused(404, "GET", "/users/usr_nobody")


class TestWhoMayNot:
    async def test_nobody_changes_themself(self, house: House) -> None:
        admin, clerk = await house.admin(), await clerk_of(house, "users:manage")
        assert await refusal(admin, admin.user_id, 409, role="student") == "conflict"
        assert await refusal(admin, admin.user_id, 409, is_active=False) == "conflict"
        assert await refusal(clerk, clerk.user_id, 409, role="admin") == "conflict"
        assert await refusal(clerk, clerk.user_id, 409, permissions=["users:manage", "impersonate"]) == "conflict"

    async def test_nobody_lets_themself_try_again(self, house: House) -> None:
        """Or whoever holds their session for a moment guesses their password, and their codes, without end."""
        for somebody in (await house.admin(), await clerk_of(house, "users:manage")):
            assert await refusal(somebody, somebody.user_id, 409, unlock=True) == "conflict"
            user = await User.find_by_id(somebody.user_id)
            assert user is not None
            assert user.unlocked_ms == 0

    async def test_nobody_lets_themself_off_the_second_step(self, house: House) -> None:
        for somebody in (await house.admin(), await clerk_of(house, "users:manage")):
            which = {"_id": somebody.user_id}
            await User.rows().update_one(which, {"$set": {"mfa": _APP, "mfa_enabled": True}})
            try:
                fields = {"reset_mfa": True, "reason": "Because I can"}
                assert await refusal(somebody, somebody.user_id, 409, **fields) == "conflict"
            finally:
                await User.rows().update_one(which, {"$unset": {"mfa": ""}, "$set": {"mfa_enabled": False}})

    async def test_the_last_administrator_comes_back_though_the_process_ended(self, house: House) -> None:
        """Whoever lowered them died before they could look whether one is left."""
        admin = await house.admin()
        everybody_else = {"role": Role.ADMIN.value, "is_active": True, "_id": {"$ne": admin.user_id}}
        others = [row["_id"] async for row in User.rows().find(everybody_else, {"_id": 1})]
        await User.rows().update_many(everybody_else, {"$set": {"is_active": False}})
        admin_users = house.services.admin_users
        try:
            user, actor = await User.find_by_id(admin.user_id), Actor("usr_other_admin", Role.ADMIN)
            assert user is not None
            assert await admin_users._change(actor, user, {"role": "student"})
            assert await User.rows().count_documents({"role": "admin", "is_active": True}) == 0
            await house.services.relay.sweep(minimum_age_ms=0)
            assert (await admin.ok("GET", "/auth/me"))["role"] == "admin"
        finally:
            await User.rows().update_many({"_id": {"$in": others}}, {"$set": {"is_active": True}})

    async def test_nobody_gives_what_they_do_not_hold(self, house: House) -> None:
        clerk, pupil = await clerk_of(house, "users:manage", "audit:view"), await house.student()
        raised: tuple[dict[str, Any], ...] = (
            {"role": "admin"},
            {"role": "instructor"},
            {"permissions": ["impersonate"]},
        )
        for fields in raised:
            assert await refusal(clerk, pupil.user_id, 403, **fields) == "forbidden"
        draft = {"email": "raised@example.org", "full_name": "Raised"}
        for more in ({"role": "admin"}, {"role": "instructor"}, {"permissions": ["settings:manage"]}):
            await clerk.refused(403, "POST", "/users", json=draft | more)
        assert (await changed(clerk, pupil, permissions=["audit:view"]))["permissions"] == ["audit:view"]

    async def test_nobody_governs_who_may_do_more(self, house: House) -> None:
        clerk, admin = await clerk_of(house, "users:manage"), await house.admin()
        above = [admin, await house.teacher(), await clerk_of(house, "users:manage", "impersonate")]
        for somebody in above:
            changes: tuple[dict[str, Any], ...] = ({"is_active": False}, {"role": "student"}, {"permissions": []})
            for fields in (*changes, {"unlock": True}):
                assert await refusal(clerk, somebody.user_id, 403, **fields) == "forbidden"

    @pytest.mark.parametrize("path", ["/admin/users", "/users/usr_nobody"])
    async def test_others_are_kept_out(self, house: House, path: str) -> None:
        await (await house.visitor()).refused(401, "GET", path)
        for somebody in (await house.student(), await house.teacher(), await clerk_of(house, "audit:view")):
            await somebody.refused(403, "GET", path)

    async def test_of_two_last_administrators_who_close_each_other_one_is_left(self, house: House) -> None:
        """Each may close the other; both at once is caught, in whatever order the writes come."""
        service, made = house.services.accounts, []
        for name in ("first", "second"):
            view = await service.create_admin(f"{name}.of.two@example.org", PASSWORD, f"{name} of two")
            made.append(view.id)
        everybody_else = {"role": Role.ADMIN.value, "is_active": True, "_id": {"$nin": made}}
        others = [row["_id"] async for row in User.rows().find(everybody_else, {"_id": 1})]
        await User.rows().update_many(everybody_else, {"$set": {"is_active": False}})
        try:
            actors = [Actor(user_id, Role.ADMIN, permissions_of(Role.ADMIN)) for user_id in made]
            change = read_model(AccountChange, {"is_active": False})
            results = await asyncio.gather(
                *(
                    house.services.admin_users.change(actor, user_id, change)
                    for actor, user_id in zip(actors, reversed(made), strict=True)
                ),
                return_exceptions=True,
            )
            left = await User.rows().count_documents({"role": "admin", "is_active": True})
            assert left >= 1
            assert any(isinstance(result, Refused) and result.code is Code.CONFLICT for result in results)
        finally:
            await User.rows().update_many({"_id": {"$in": others}}, {"$set": {"is_active": True}})


class TestTable:
    async def table(self, visitor: Visitor, **params: Any) -> list[dict[str, str]]:
        reply = await visitor.call("GET", "/admin/users", params=params, headers={"Accept": "text/csv"})
        assert reply.status_code == 200
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert reply.headers["Content-Disposition"] == 'attachment; filename="users.csv"'
        assert reply.headers["Cache-Control"] == "no-store"
        return list(csv.DictReader(io.StringIO(reply.text)))

    async def test_everybody_who_matches_is_in_it_and_nothing_runs(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lms_rt.services.users.CSV_PAGE", 2)
        admin = await house.admin()
        names = ["=HYPERLINK(1) Quire", "ليلى Quire", "+1 Quire", "-2 Quire", 'Say "hi", Quire']
        people = [await house.student(name) for name in names]
        rows = await self.table(admin, q="quire")
        assert [row["id"] for row in rows] == [one.user_id for one in people]
        assert [row["full_name"] for row in rows] == [
            "'=HYPERLINK(1) Quire", "ليلى Quire", "'+1 Quire", "'-2 Quire", 'Say "hi", Quire',
        ]  # fmt: skip
        assert rows[0]["email"] == people[0].user["email"]
        assert rows[0]["is_active"] == "true"
        assert not {"password_hash", "metadata"} & rows[0].keys()

    async def test_it_is_asked_for_by_a_link_too_and_that_it_was_taken_is_recorded(self, house: House) -> None:
        admin = await house.admin()
        before = await AuditRecord.rows().count_documents({"action": "user.export"})
        as_link = await admin.call("GET", "/admin/users", params={"format": "csv", "q": "nobody of this name"})
        assert as_link.text.splitlines() == [as_link.text.strip()]  # its head alone
        as_json = await admin.call("GET", "/admin/users", params={"format": "json"}, headers={"Accept": "*/*"})
        assert as_json.json()["page"] == 1
        assert await AuditRecord.rows().count_documents({"action": "user.export"}) == before + 1

    async def test_nobody_else_takes_it(self, house: House) -> None:
        for somebody in (await house.student(), await house.teacher()):
            await somebody.refused(403, "GET", "/admin/users", params={"format": "csv"})


class TestImpersonation:
    async def acting(self, house: House, as_whom: Visitor, by: Visitor | None = None) -> Visitor:
        """Somebody who acts in another's place."""
        by = by or await house.admin()
        path = f"/admin/users/{as_whom.user_id}/impersonate"
        reply = await by.ok("POST", path, json={"reason": "They cannot find their course"})
        assert "refresh_token" not in reply
        assert (reply["token_type"], reply["user"]["id"]) == ("bearer", as_whom.user_id)
        assert 0 < reply["expires_in"] <= house.services.settings.access_token_expire_minutes * 60
        visitor = await house.visitor()
        visitor.take(reply)
        return visitor

    async def test_an_administrator_sees_what_they_see(self, house: House) -> None:
        pupil = await house.student("Seen Asthey")
        stand_in = await self.acting(house, pupil)
        assert (await stand_in.ok("GET", "/users/me"))["id"] == pupil.user_id
        await stand_in.refused(403, "GET", "/admin/users")
        assert (await recorded(pupil.user_id))[0] == "user.impersonate"

    async def test_rights_stay_out_of_reach(self, house: House) -> None:
        pupil = await house.student()
        await changed(await house.admin(), pupil, permissions=["users:manage", "settings:manage", "impersonate"])
        stand_in, other = await self.acting(house, pupil), await house.student()
        for method, path, body in (
            ("PATCH", f"/admin/users/{other.user_id}", {"permissions": []}),
            ("POST", f"/admin/users/{other.user_id}/impersonate", {"reason": "One further"}),
            ("POST", "/users", {"email": "by.stand.in@example.org", "full_name": "By Stand-in"}),
            ("PATCH", "/admin/settings", {"log_level": "DEBUG"}),
        ):
            assert (await stand_in.refused(403, method, path, json=body))["code"] == "forbidden"
        await stand_in.refused(403, "DELETE", f"/users/{other.user_id}")
        await stand_in.ok("GET", "/users")

    async def test_nobody_acts_as_an_administrator_or_as_who_may_do_more(self, house: House) -> None:
        admin, clerk = await house.admin(), await clerk_of(house, "impersonate")
        second = await house.services.accounts.create_admin("second.admin@example.org", PASSWORD, "Second Admin")
        reason, closed = {"reason": "To look"}, await house.student()
        await admin.ok("DELETE", f"/users/{closed.user_id}")
        for who, user_id, status in (
            (admin, second.id, 403),
            (admin, admin.user_id, 409),
            (admin, closed.user_id, 409),
            (admin, "usr_nobody", 404),
            (clerk, admin.user_id, 403),
            (clerk, (await house.teacher()).user_id, 403),
            (await house.teacher(), closed.user_id, 403),
        ):
            await who.refused(status, "POST", f"/admin/users/{user_id}/impersonate", json=reason)
        await self.acting(house, await house.student(), by=clerk)

    @pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": "x" * 201}, {"reason": "a\nb"}, {"reason": {}}])
    async def test_without_a_reason_there_is_none(self, house: House, body: dict[str, Any]) -> None:
        admin, pupil = await house.admin(), await house.student()
        await admin.refused(422, "POST", f"/admin/users/{pupil.user_id}/impersonate", json=body)
        assert await recorded(pupil.user_id) == []

    async def test_it_ends_with_the_right_to_it(self, house: House) -> None:
        clerk, pupil = await clerk_of(house, "impersonate"), await house.student()
        stand_in = await self.acting(house, pupil, by=clerk)
        url = f"ws{house.address.removeprefix('http')}/ws?ticket={await stand_in.ticket()}"
        async with connect(url, subprotocols=["lms.v1.json"], compression=None, proxy=None) as socket:  # type: ignore[list-item]
            await socket.recv()
            await changed(await house.admin(), clerk, permissions=[])
            async with asyncio.timeout(20):
                await socket.wait_closed()
            assert socket.close_code == 4501
        await stand_in.refused(401, "GET", "/users/me")
        await pupil.ok("GET", "/users/me")

    async def test_it_ends_with_the_account_that_it_stands_in_for(self, house: House) -> None:
        pupil = await house.student()
        stand_in = await self.acting(house, pupil)
        await (await house.admin()).ok("DELETE", f"/users/{pupil.user_id}")
        await stand_in.refused(401, "GET", "/users/me")
