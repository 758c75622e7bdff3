"""People as administrators and teachers find them, invite them and close their accounts. By REST, on both lanes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import connect

from documents.event_record import EventRecord
from documents.job import Job
from documents.user import User
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD, House
from tests.recorded import all_recorded

UNSEEN = {"permissions", "metadata", "last_login_at", "mfa_enabled", "email_verified_at", "has_password", "erase_at"}
"""Nothing of these is a teacher's affair."""


async def found(visitor: Visitor, path: str = "/users", **params: Any) -> list[str]:
    """The ids that a list gives, which are all that it counts."""
    listed = await visitor.ok("GET", path, params={"page_size": 100, **params})
    assert listed["total"] == len(listed["items"])
    return [one["id"] for one in listed["items"]]


async def office_of(house: House, *permissions: str) -> Visitor:
    """Somebody who is no administrator, and holds these permissions of their own."""
    admin, clerk = await house.admin(), await house.student()
    await admin.ok("PATCH", f"/admin/users/{clerk.user_id}", json={"permissions": list(permissions)})
    return clerk


class TestLists:
    async def test_administrators_find_everybody_by_name_and_address(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student("Zubaida Quince")
        for path in ("/users", "/admin/users"):
            assert await found(admin, path, q="zubaida quin") == [somebody.user_id]
            assert await found(admin, path, q=somebody.user["email"]) == [somebody.user_id]
            assert await found(admin, path, q="zubaida nobody") == []
            assert await found(admin, path, q="zubaida", role="instructor") == []
            assert await found(admin, path, q="zubaida", is_active=False) == []
        shown = await admin.ok("GET", f"/users/{somebody.user_id}")
        assert shown["email"] == somebody.user["email"]
        assert shown["has_password"] is True
        assert "password_hash" not in shown

    async def test_a_new_name_is_found_and_the_old_one_is_not(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student("Oldname Ymir")
        await somebody.ok("PATCH", "/users/me", json={"full_name": "Newname Ymir"})
        assert await found(admin, q="newname ymir") == [somebody.user_id]
        assert await found(admin, q="oldname") == []

    async def test_lists_come_in_pages_and_in_the_order_that_was_asked_for(self, house: House) -> None:
        admin = await house.admin()
        people = [await house.student(f"{name} Vexillum") for name in ("Bea", "ada", "Čeda")]
        by_name = [people[1].user_id, people[0].user_id, people[2].user_id]
        assert await found(admin, q="vexillum", sort="full_name") == by_name
        assert await found(admin, q="vexillum", sort="-full_name") == by_name[::-1]
        assert await found(admin, q="vexillum") == [one.user_id for one in people]
        paged = [
            (await admin.ok("GET", "/users", params={"q": "vexillum", "page": page, "page_size": 2}))["items"]
            for page in (1, 2, 3)
        ]
        assert [len(items) for items in paged] == [2, 1, 0]
        assert [one["id"] for items in paged for one in items] == [one.user_id for one in people]

    async def test_who_is_older_than_searching_is_made_findable(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student("Oldest Wyvern")
        await User.rows().update_one({"_id": somebody.user_id}, {"$unset": {"name_key": "", "search_tokens": ""}})
        assert await found(admin, q="wyvern") == []
        assert await house.services.users.make_findable() == 1
        assert await found(admin, q="wyvern") == [somebody.user_id]
        assert await house.services.users.make_findable() == 0

    @pytest.mark.parametrize("params", [{"sort": "email"}, {"role": "nobody"}, {"page_size": 101}, {"sort": "$where"}])
    async def test_what_a_list_does_not_take_is_refused(self, house: House, params: dict[str, Any]) -> None:
        await (await house.admin()).refused(422, "GET", "/users", params=params)

    @pytest.mark.parametrize("query", ["q[$ne]=x", "role[$ne]=student", "is_active[$exists]=true"])
    async def test_operators_in_a_query_are_no_filters(self, house: House, query: str) -> None:
        admin = await house.admin()
        everybody = await admin.ok("GET", "/users")
        assert (await admin.ok("GET", f"/users?{query}"))["total"] == everybody["total"]


class TestTeachers:
    async def test_a_teacher_finds_their_own_students_and_nobody_else(self, house: House) -> None:
        teacher, other = await house.teacher(), await house.teacher()
        mine, theirs = await house.student("Mine Xerxes"), await house.student("Theirs Xerxes")
        for owner, student in ((teacher, mine), (other, theirs)):
            await factories.enrolled(student, (await factories.course(owner))["id"])
        assert await found(teacher) == [mine.user_id]
        assert await found(teacher, q="xerxes") == [mine.user_id]
        assert await found(teacher, q="theirs") == []
        assert await found(teacher, role="admin") == []
        assert await found(await house.teacher()) == []

    async def test_who_left_the_course_is_still_found(self, house: House) -> None:
        teacher, student = await house.teacher(), await house.student()
        enrollment = await factories.enrolled(student, (await factories.course(teacher))["id"])
        await student.ok("DELETE", f"/enrollments/{enrollment['id']}")
        assert await found(teacher) == [student.user_id]

    async def test_what_a_teacher_may_not_see_is_not_shown_found_sorted_or_counted(self, house: House) -> None:
        teacher, student = await house.teacher(), await house.student("Plain Name")
        await factories.enrolled(student, (await factories.course(teacher))["id"])
        shown = (await teacher.ok("GET", "/users"))["items"][0]
        assert shown["full_name"] == "Plain Name"
        assert not UNSEEN & shown.keys()
        assert await found(teacher, q=student.user["email"].split("@")[0]) == []
        for sort in ("last_login_at", "email"):
            await teacher.refused(422, "GET", "/users", params={"sort": sort})
        for filter_ in (
            "permission",
            "mfa_enabled",
            "is_verified",
            "has_password",
        ):  # unknown here: they narrow nothing
            assert await found(teacher, **{filter_: "true"}) == [student.user_id]
        await teacher.refused(403, "GET", f"/users/{student.user_id}")
        await teacher.refused(403, "GET", "/admin/users")

    async def test_students_and_strangers_find_nobody(self, house: House) -> None:
        await (await house.visitor()).refused(401, "GET", "/users")
        await (await house.student()).refused(403, "GET", "/users")


class TestInvitations:
    async def test_somebody_invited_has_no_password_and_is_sent_a_mail(self, house: House) -> None:
        admin = await house.admin()
        draft = {"email": "Invited.One@example.org", "full_name": "Invited One", "role": "instructor", "locale": "ar"}
        reply = await admin.call("POST", "/users", json=draft)
        assert reply.status_code == 201
        made = reply.json()
        assert reply.headers["Location"] == f"/api/v1/users/{made['id']}"
        assert (made["role"], made["locale"], made["has_password"], made["is_active"]) == (
            "instructor",
            "ar",
            False,
            True,
        )
        assert made["email_verified_at"] is None
        for password in ("", PASSWORD):
            await (await house.visitor()).refused(
                401, "POST", "/auth/login", json={"email": draft["email"], "password": password}
            )
        await all_recorded()
        mail = await Job.rows().find_one({"task": "mail.send", "args.user_id": made["id"]})
        assert mail is not None
        assert mail["args"]["template"] == "invitation"
        assert mail["args"]["data"] == {"invited_by": "Ada Admin", "role": "instructor"}
        assert "token" not in str(mail)
        assert await EventRecord.rows().count_documents({"type": "user.registered", "data.id": made["id"]}) == 1
        assert made["id"] in await found(admin, "/admin/users", has_password=False)

    async def test_an_address_has_one_account(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        email = somebody.user["email"].upper()
        problem = await admin.refused(409, "POST", "/users", json={"email": email, "full_name": "Twice"})
        assert problem["code"] == "email_taken"

    @pytest.mark.parametrize(
        "draft",
        [
            {"full_name": "No Address"},
            {"email": "no-address", "full_name": "No Address"},
            {"email": "x1@example.org"},
            {"email": "x2@example.org", "full_name": "X", "role": "owner"},
            {"email": "x3@example.org", "full_name": "X", "permissions": ["everything"]},
            {"email": "x4@example.org", "full_name": "X", "password": PASSWORD},
            {"email": "x5@example.org", "full_name": "X", "is_active": False},
            {"email": {"$ne": None}, "full_name": "X"},
            {"email": "x6@example.org", "full_name": "X\r\nBcc: all@example.org"},
        ],
    )
    async def test_a_bad_invitation_makes_nobody(self, house: House, draft: dict[str, Any]) -> None:
        await (await house.admin()).refused(422, "POST", "/users", json=draft)
        if isinstance(draft.get("email"), str):
            assert await User.find_by_email_key(draft["email"]) is None

    async def test_the_invitation_is_sent_again_until_it_was_taken(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        made = await admin.ok("POST", "/users", json={"email": "again@example.org", "full_name": "Again"})
        await admin.ok("PATCH", f"/admin/users/{made['id']}", json={"invite": True})
        await all_recorded()
        assert await Job.rows().count_documents({"args.template": "invitation", "args.user_id": made["id"]}) == 2
        await admin.refused(409, "PATCH", f"/admin/users/{somebody.user_id}", json={"invite": True})

    async def test_nobody_else_invites(self, house: House) -> None:
        draft = {"email": "nobody.else@example.org", "full_name": "Nobody"}
        await (await house.visitor()).refused(401, "POST", "/users", json=draft)
        for somebody in (await house.student(), await house.teacher()):
            await somebody.refused(403, "POST", "/users", json=draft)
        assert await User.find_by_email_key(draft["email"]) is None


class TestClosing:
    async def test_a_closed_account_lets_nobody_in_and_can_be_opened_again(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        path, sign_in = f"/users/{somebody.user_id}", {"email": somebody.user["email"], "password": PASSWORD}
        elsewhere = await house.visitor()
        await elsewhere.sign_in(**sign_in)
        assert await admin.ok("DELETE", path) is None
        assert (await somebody.refused(401, "GET", "/auth/me"))["code"] == "token_revoked"
        visitor = await house.visitor()
        assert (await visitor.refused(401, "POST", "/auth/login", json=sign_in))["code"] == "invalid_credentials"
        refresh = {"refresh_token": somebody.tokens["refresh_token"]}
        await visitor.refused(401, "POST", "/auth/refresh", json=refresh)
        shown = await admin.ok("GET", path)
        assert (shown["is_active"], shown["full_name"]) == (False, somebody.user["full_name"])
        assert await admin.ok("DELETE", path) is None  # closed already, it stays so
        assert (await admin.ok("GET", path))["version"] == shown["version"]
        await admin.ok("PATCH", f"/admin/users/{somebody.user_id}", json={"is_active": True})
        await visitor.sign_in(**sign_in)
        await elsewhere.refused(401, "GET", "/auth/me")  # what ended stays ended
        await visitor.refused(401, "POST", "/auth/refresh", json=refresh)
        await all_recorded()
        told = EventRecord.rows().find({"data.id": somebody.user_id, "type": {"$ne": "user.registered"}}).sort("_id", 1)
        assert [row["type"] async for row in told] == ["user.deactivated", "user.updated"]

    async def test_their_sockets_end(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        url = f"ws{house.address.removeprefix('http')}/ws?ticket={await somebody.ticket()}"
        async with connect(url, subprotocols=["lms.v1.json"], compression=None, proxy=None) as socket:  # type: ignore[list-item]
            await socket.recv()
            await admin.ok("DELETE", f"/users/{somebody.user_id}")
            async with asyncio.timeout(20):
                await socket.wait_closed()
            assert socket.close_code == 4501

    async def test_only_the_version_that_was_read_is_closed(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student()
        path = f"/users/{somebody.user_id}"
        stale = await admin.refused(412, "DELETE", path, headers={"If-Match": '"7"'})
        assert stale["current_version"] == 1
        await admin.ok("DELETE", path, headers={"If-Match": '"1"'})

    async def test_nobody_closes_themself_or_who_may_do_more(self, house: House) -> None:
        admin, teacher = await house.admin(), await house.teacher()
        for suffix in ("", "?erase=true"):
            assert (await admin.refused(409, "DELETE", f"/users/{admin.user_id}{suffix}"))["code"] == "conflict"
            clerk = await office_of(house, "users:manage")
            for above in (admin, teacher):
                await clerk.refused(403, "DELETE", f"/users/{above.user_id}{suffix}")
            await clerk.refused(404, "DELETE", f"/users/usr_nobody{suffix}")
        pupil = await house.student()
        await clerk.ok("DELETE", f"/users/{pupil.user_id}")

    async def test_an_erased_account_is_given_up_for_good(self, house: House) -> None:
        admin, somebody = await house.admin(), await house.student("Erased Fully")
        await admin.ok("DELETE", f"/users/{somebody.user_id}", params={"erase": "true"})
        await somebody.refused(401, "GET", "/auth/me")
        shown = await admin.ok("GET", f"/users/{somebody.user_id}")
        assert shown["erase_at"] is not None
        again = {"is_active": True}
        assert (await admin.refused(409, "PATCH", f"/admin/users/{somebody.user_id}", json=again))["code"] == "conflict"
