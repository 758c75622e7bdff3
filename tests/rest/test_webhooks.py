"""Webhooks as an administrator sets them up and a receiver lives with them: real requests, checked by the public library."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from documents.job import Job
from documents.webhook import Webhook
from lms_rt.contracts.event_records import RECORD_KINDS
from lms_rt.security import ssrf
from tests import factories
from tests.clients import Visitor
from tests.conftest import _ENGINES, settings_on
from tests.house import House, open_house
from tests.servers.receiver import Receiver, Reply, receiving
from tests.working import idle, working

LATER = {"Retry-After": "3600"}
"""Longer than any test takes, however busy the machine is."""


@pytest.fixture(scope="module", params=_ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school that may speak to this machine, with a worker."""
    wishes = {"webhook_allow_http": True, "webhook_allow_networks": ("127.0.0.0/8",)}
    settings = settings_on(str(request.param), request, tmp_path_factory.mktemp("house"), **wishes)
    async with open_house(settings) as opened, working(opened):
        yield opened


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@asynccontextmanager
async def webhook(house: House, receiver: Receiver, *types: str) -> AsyncIterator[dict[str, Any]]:
    """A webhook to this receiver, removed at the end."""
    admin = await house.admin()
    made = await admin.ok("POST", "/webhooks", json={"url": receiver.url(), "event_types": list(types)})
    yield made
    await admin.call("DELETE", f"/webhooks/{made['id']}")


async def enroll_somebody(house: House) -> dict[str, Any]:
    course = await factories.course(await house.teacher())
    enrolled: dict[str, Any] = await factories.enrolled(await house.student(), course["id"])
    return enrolled


async def deliveries(house: House, made: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    admin = await house.admin()
    page = await admin.ok("GET", f"/webhooks/{made['id']}/deliveries", params=query)
    listed: list[dict[str, Any]] = page["items"]
    return listed


async def run_waiting_deliveries(house: House) -> None:
    """Let the time until the next attempts pass."""
    now = house.services.clock.now()
    await Webhook.rows().update_many({}, {"$unset": {"paused_until": ""}})
    await Job.rows().update_many({"task": "webhooks.deliver", "state": "waiting"}, {"$set": {"due_at": now}})


# --- what is sent ---


async def test_an_event_arrives_signed_and_under_the_id_that_it_has_everywhere(
    house: House, receiver: Receiver
) -> None:
    async with webhook(house, receiver, "enrollment.created") as made:
        enrollment = await enroll_somebody(house)
        (received,) = await receiver.hear_of("enrollment.created")
        event = received.verified(made["secret"])
        admin = await house.admin()
        stream = await admin.ok("GET", "/events", params={"type": "enrollment.created", "limit": 100})
        told = next(item for item in stream["items"] if item["data"]["id"] == enrollment["id"])
        assert event == {key: told[key] for key in ("id", "type", "timestamp", "data")}
        assert received.headers["webhook-id"] == told["id"]
        assert event["data"]["student_id"] == enrollment["student_id"]
        assert received.headers["content-type"] == "application/json"
        with pytest.raises(WebhookVerificationError):
            received.verified("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


async def test_only_what_was_asked_for_is_sent(house: House, receiver: Receiver) -> None:
    async with receiving() as other, webhook(house, receiver, "enrollment.created"), webhook(house, other):
        await enroll_somebody(house)
        await other.hear_of("enrollment.created")
        await idle(house.services)
        assert {one.event["type"] for one in receiver.received} == {"enrollment.created"}
        assert {"user.registered", "course.published", "enrollment.created"} <= {
            o.event["type"] for o in other.received
        }


async def test_the_log_shows_what_was_sent_and_answered(house: House, receiver: Receiver) -> None:
    receiver.standing = Reply(201, {"X-Server": "mine", "Set-Cookie": "a=secret"}, "مرحبًا\x00".encode() + b"x" * 5000)
    async with webhook(house, receiver, "enrollment.created") as made:
        await enroll_somebody(house)
        (received,) = await receiver.hear()
        await idle(house.services)
        (logged,) = await deliveries(house, made)
        assert (logged["is_delivered"], logged["attempt"], logged["status_code"]) == (True, 1, 201)
        assert (logged["event_id"], logged["error"], logged["next_attempt_at"]) == (received.event["id"], None, None)
        assert logged["request_headers"]["webhook-signature"] == received.headers["webhook-signature"]
        assert logged["response_head"]["headers"]["x-server"] == "mine"
        assert "secret" not in str(logged["response_head"])
        assert logged["response_head"]["body"].startswith("مرحبًا�xxx")
        assert len(logged["response_head"]["body"].encode()) <= 1030


# --- secrets ---


async def test_a_secret_is_shown_once_and_sealed_where_it_lies(house: House, receiver: Receiver) -> None:
    admin = await house.admin()
    async with webhook(house, receiver) as made:
        assert made["secret"].startswith("whsec_")
        shown = await admin.ok("GET", f"/webhooks/{made['id']}")
        assert shown == {**made, "secret": None}
        listed = await admin.ok("GET", "/webhooks", params={"sort": "-created_at"})
        assert listed["items"][0] == shown
        stored = await house.services.database.motor["webhooks"].find_one({"_id": made["id"]})
        assert made["secret"].removeprefix("whsec_") not in str(stored)


async def test_after_a_rotation_both_secrets_hold_for_a_while(house: House, receiver: Receiver) -> None:
    admin = await house.admin()
    async with webhook(house, receiver) as made:
        rotated = await admin.ok("PATCH", f"/webhooks/{made['id']}", json={"rotate_secret": True})
        assert rotated["secret"] not in (None, made["secret"])
        await admin.ok("POST", f"/webhooks/{made['id']}/test")
        (received,) = await receiver.hear_of("webhook.test")
        assert received.verified(made["secret"]) == received.verified(rotated["secret"])


# --- testing, and sending again ---


async def test_a_test_event_goes_to_that_webhook_alone_even_while_it_is_off(house: House, receiver: Receiver) -> None:
    admin = await house.admin()
    async with receiving() as other, webhook(house, receiver, "course.published") as made, webhook(house, other):
        await admin.ok("PATCH", f"/webhooks/{made['id']}", json={"is_active": False})
        begun = await admin.ok("POST", f"/webhooks/{made['id']}/test")
        assert begun["type"] == "webhook.test"
        (received,) = await receiver.hear()
        await idle(house.services)
        assert received.verified(made["secret"])["id"] == begun["event_id"]
        assert other.of("webhook.test") == []
        (logged,) = await deliveries(house, made)
        assert (logged["id"], logged["is_delivered"]) == (begun["id"], True)


async def test_what_was_delivered_can_be_sent_again(house: House, receiver: Receiver) -> None:
    admin = await house.admin()
    async with webhook(house, receiver, "enrollment.created") as made:
        await enroll_somebody(house)
        await receiver.hear()
        await idle(house.services)
        (first,) = await deliveries(house, made)
        again = await admin.ok("POST", f"/webhooks/deliveries/{first['id']}/redeliver")
        assert (again["event_id"], again["id"] != first["id"]) == (first["event_id"], True)
        one, two = await receiver.hear(2)
        assert one.body == two.body
        assert one.headers["webhook-id"] == two.headers["webhook-id"]
        await idle(house.services)
        assert [row["is_delivered"] for row in await deliveries(house, made, event_id=first["event_id"])] == [
            True,
            True,
        ]


# --- receivers that fail ---


async def test_a_failure_is_tried_again_later_under_the_same_id(house: House, receiver: Receiver) -> None:
    receiver.replies.extend([Reply(503, LATER), Reply(302, {"Location": receiver.url("/elsewhere")})])
    async with webhook(house, receiver, "enrollment.created") as made:
        await enroll_somebody(house)
        await receiver.hear(1)
        await idle(house.services)
        (logged,) = await deliveries(house, made, is_delivered="false")
        assert (logged["attempt"], logged["status_code"], logged["error"]) == (1, 503, "it answered 503")
        assert logged["next_attempt_at"] > logged["created_at"]
        for count in (2, 3):
            await run_waiting_deliveries(house)
            await receiver.hear(count)
            await idle(house.services)
        assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
        assert {one.path for one in receiver.received} == {"/hook"}  # nobody follows a redirect
        (logged,) = await deliveries(house, made)
        assert [one["status_code"] for one in logged["attempts"]] == [503, 302, 200]
        assert (logged["is_delivered"], logged["next_attempt_at"]) == (True, None)
        assert (await (await house.admin()).ok("GET", f"/webhooks/{made['id']}"))["failing_since"] is None


async def test_who_says_gone_is_switched_off_at_once_until_switched_on(house: House, receiver: Receiver) -> None:
    admin = await house.admin()
    receiver.replies.append(Reply(410))
    async with webhook(house, receiver, "enrollment.created") as made:
        await enroll_somebody(house)
        await receiver.hear()
        await idle(house.services)
        off = await admin.ok("GET", f"/webhooks/{made['id']}")
        assert (off["is_active"], off["disabled_reason"]) == (False, "gone")
        told = await admin.ok("GET", "/notifications")
        assert (told["items"][0]["kind"], told["items"][0]["link"]) == (
            "webhook.disabled",
            f"/admin/webhooks/{made['id']}",
        )
        assert f"127.0.0.1:{receiver.port}" in told["items"][0]["body"]
        assert "/hook" not in told["items"][0]["body"]
        (logged,) = await deliveries(house, made)
        refused = await admin.refused(409, "POST", f"/webhooks/deliveries/{logged['id']}/redeliver")
        assert refused["code"] == "conflict"
        await enroll_somebody(house)
        await idle(house.services)
        assert len(receiver.received) == 1
        on = await admin.ok("PATCH", f"/webhooks/{made['id']}", json={"is_active": True})
        assert (on["is_active"], on["disabled_reason"]) == (True, None)
        await admin.ok("POST", f"/webhooks/deliveries/{logged['id']}/redeliver")
        assert (await receiver.hear(2))[1].body == receiver.received[0].body


async def test_whatever_is_kept_for_replay_can_be_subscribed_to(house: House) -> None:
    admin, types = await house.admin(), sorted(RECORD_KINDS)
    wish = {"url": "https://93.184.215.14/hook", "is_active": False, "event_types": types}
    made = await admin.ok("POST", "/webhooks", json=wish)
    assert made["event_types"] == types
    await admin.call("DELETE", f"/webhooks/{made['id']}")


async def test_a_removed_webhook_is_told_nothing_more(house: House, receiver: Receiver) -> None:
    receiver.standing = Reply(503, LATER)
    admin = await house.admin()
    async with webhook(house, receiver, "enrollment.created") as made:
        await enroll_somebody(house)
        await receiver.hear()
        await idle(house.services)
        await admin.ok("DELETE", f"/webhooks/{made['id']}")
        await run_waiting_deliveries(house)
        await idle(house.services)
        assert len(receiver.received) == 1
        await admin.refused(404, "GET", f"/webhooks/{made['id']}")
        await admin.refused(404, "GET", f"/webhooks/{made['id']}/deliveries")
        await admin.refused(404, "POST", f"/webhooks/{made['id']}/test")


# --- what is refused ---


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "https://user:word@example.org/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://[::1]/"}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data/"}, "url"),
        ({"url": ""}, "url"),
        ({}, "url"),
        ({"url": "http://127.0.0.1:9/", "event_types": ["no.such"]}, "event_types"),
        ({"url": "http://127.0.0.1:9/", "secret": "whsec_x"}, "secret"),
    ],
)
async def test_bad_webhooks_are_refused(house: House, body: dict[str, Any], field: str) -> None:
    admin = await house.admin()
    problem = await admin.refused(422, "POST", "/webhooks", json=body)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_a_resolver_that_does_not_answer_blames_no_address(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over, look_up, admin = threading.Event(), ssrf._look_up, await house.admin()

    def hang(host: str, port: int) -> Any:
        if host.startswith("slow"):
            is_over.wait()
            return [(2, 1, 6, "", ("8.8.8.8", port))]
        return look_up(host, port)

    monkeypatch.setattr(ssrf, "_look_up", hang)
    slow = {"url": "https://slow.example.org/", "event_types": ["enrollment.created"]}
    try:
        async with webhook(house, receiver, "enrollment.created") as made:
            monkeypatch.setattr(ssrf, "RESOLVE_SECONDS", 0.1)
            there = [one["id"] for one in (await admin.ok("GET", "/webhooks"))["items"]]
            others = [{**slow, "url": f"https://slow{number}.example.org/"} for number in range(ssrf.LOOK_UPS_AT_ONCE)]
            sent = [
                admin.call("POST", "/webhooks", json=body) for body in (slow, *others)
            ]  # more than can be asked for
            sent.append(admin.call("PATCH", f"/webhooks/{made['id']}", json={"url": slow["url"]}))
            for reply in await asyncio.gather(*sent):
                assert (reply.status_code, reply.json()["code"]) == (503, "unavailable")
                assert reply.headers["Retry-After"] == "5"
            assert [one["id"] for one in (await admin.ok("GET", "/webhooks"))["items"]] == there
    finally:
        is_over.set()
    monkeypatch.setattr(ssrf, "RESOLVE_SECONDS", 5.0)
    created = await admin.ok("POST", "/webhooks", json=slow)
    await admin.ok("DELETE", f"/webhooks/{created['id']}")


async def test_a_change_keeps_to_the_version_and_to_the_rules(house: House, receiver: Receiver) -> None:
    admin = await house.admin()
    async with webhook(house, receiver) as made:
        path = f"/webhooks/{made['id']}"
        await admin.refused(422, "PATCH", path, json={"url": "https://192.168.0.1/"})
        changed = await admin.ok("PATCH", path, json={**made, "description": "ours", "secret": None})
        assert (changed["description"], changed["version"]) == ("ours", 2)
        problem = await admin.refused(412, "PATCH", path, json={"description": "x"}, headers={"If-Match": '"1"'})
        assert problem["current_version"] == 2
        await admin.refused(412, "DELETE", path, headers={"If-Match": '"1"'})
        await admin.refused(422, "PATCH", path, json={"created_by": "usr_me"})


async def test_webhooks_are_for_administrators(house: House) -> None:
    teacher: Visitor = await house.teacher()
    for method, path in (("GET", "/webhooks"), ("POST", "/webhooks"), ("GET", "/webhooks/whk_x/deliveries")):
        await teacher.refused(403, method, path, json={"url": "https://example.org/"} if method == "POST" else None)
    admin = await house.admin()
    await admin.refused(404, "POST", "/webhooks/deliveries/dlv_x/redeliver")
