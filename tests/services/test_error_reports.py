"""What Sentry is told of faults anywhere in the product, and what it is never told. On the whole product, over HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from websockets.asyncio.client import connect

from config.settings import Settings
from lms_rt.contracts.jobs import JobArgs, Retries, TaskKind
from lms_rt.gateways import error_reports
from lms_rt.gateways.error_events import allowed
from lms_rt.gateways.error_reports import ErrorReports, close_error_reports, open_error_reports
from lms_rt.ids import random_token
from lms_rt.services.background import running
from lms_rt.services.notifications import Notifications
from lms_rt.services.relay import Relay
from lms_rt.services.subscriptions import Subscriptions
from tests.house import House, open_house
from tests.live.live_node import ask, received
from tests.servers.lms_server import LmsServer
from tests.servers.receiver import Reply
from tests.servers.sentry_server import Event, SentryServer, sentry_running
from tests.servers.vault_server import VaultServer, vault_running
from tests.working import task, working

NEEDLES = {
    "token": random_token(),
    "password": f"needle-{random_token(9)}",
    "address": f"needle{random_token(3).lower()}@mail.example.org",
    "name": f"Needle {random_token(6)}",
    "answer": f"the needle is {random_token(6)}",
    "url": f"https://receiver.example/needle/{random_token(9)}",
    "code": "needle 493817",
}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    data = tmp_path_factory.mktemp("house") / "data"
    async with open_house(Settings(_env_file=None, lms_data_dir=data, http_port=0, password_hash_cost=4)) as opened:
        yield opened


@pytest.fixture
async def sentry() -> AsyncIterator[SentryServer]:
    async with sentry_running() as server:
        yield server


@asynccontextmanager
async def telling(sentry: SentryServer, **more: Any) -> AsyncIterator[ErrorReports]:
    """Faults of this process are told to the Sentry."""
    reports = open_error_reports(Settings(_env_file=None, sentry_dsn=sentry.dsn, **more), "serve")
    assert reports is not None
    try:
        yield reports
    finally:
        await asyncio.to_thread(close_error_reports, reports)


def fault(*_: Any, **__: Any) -> NoReturn:
    """A fault that holds everything in its words, its cause, its notes and its variables."""
    held = dict(NEEDLES)
    try:
        raise ValueError("cannot read " + " ".join(held.values()))
    except ValueError as error:
        error.add_note(held["answer"])
        raise RuntimeError(repr(held)) from error


async def async_fault(*_: Any, **__: Any) -> NoReturn:
    fault()


def assert_clean(sentry: SentryServer) -> None:
    text = sentry.text
    assert text
    for kind, needle in NEEDLES.items():
        assert needle not in text, kind
        assert needle.split()[-1] not in text, kind
    assert "eyJ" not in text
    assert "127.0.0.1" not in text.replace(f"127.0.0.1:{sentry.receiver.port}", "")
    assert "example.org" not in text


def raised(event: Event) -> list[str]:
    return [one["type"] for one in event.get("exception", {}).get("values", [])]


def dirty(visitor_headers: dict[str, str]) -> dict[str, Any]:
    """A request that carries secrets wherever a request can."""
    cookies = f"lms_refresh={NEEDLES['token']}; other={NEEDLES['password']}"
    headers = {
        "Cookie": cookies,
        "Referer": f"https://x.example/reset?token={NEEDLES['token']}",
        "X-Request-ID": NEEDLES["token"],
        "User-Agent": NEEDLES["password"],
        **visitor_headers,
    }
    return {"params": {"token": NEEDLES["token"], "q": NEEDLES["address"]}, "headers": headers}


async def test_rest(house: House, sentry: SentryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    student = await house.student(NEEDLES["name"])
    monkeypatch.setattr(Notifications, "read", async_fault)
    async with telling(sentry):
        path = f"/notifications/{NEEDLES['token']}/read"
        response = await student.call("POST", path, json={"a": NEEDLES["answer"]}, **dirty({}))
        assert response.status_code == 500
        event = await sentry.hear_of(lambda event: event.get("logger") == "lms_rt.rest")
    assert raised(event) == ["ValueError", "RuntimeError"]
    assert event["tags"] == {
        "process": "serve",
        "request_id": response.headers["X-Request-ID"],
        "route": "/api/v1/notifications/{notification_id}/read",
    }
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert frames[-1]["function"] == "fault"
    assert "raise RuntimeError" in frames[-1]["context_line"]
    assert not [frame for frame in frames if "vars" in frame or "abs_path" in frame]
    assert set(event) <= {
        "event_id", "timestamp", "level", "platform", "environment", "release", "server_name", "logger", "logentry",
        "tags", "exception",
    }  # fmt: skip
    assert_clean(sentry)


async def test_pages(house: House, sentry: SentryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    student = await house.student(NEEDLES["name"])
    monkeypatch.setattr(Notifications, "list", async_fault)
    monkeypatch.setattr(Notifications, "unread", async_fault)
    async with telling(sentry), httpx.AsyncClient(base_url=house.address, trust_env=False) as browser:
        signed_in = {"Cookie": f"lms_access={student.tokens['access_token']}"}
        response = await browser.get("/notifications", **dirty(signed_in))
        assert response.status_code == 500
        event = await sentry.hear_of(lambda event: event.get("logger") == "lms_rt.web")
    assert raised(event)[-1] == "RuntimeError"
    assert event["logentry"]["message"] == "unexpected fault in the page %s"
    assert_clean(sentry)


async def test_live_commands(house: House, sentry: SentryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    student = await house.student(NEEDLES["name"])
    monkeypatch.setattr(Subscriptions, "require_channel", async_fault)
    url = f"{house.address.replace('http', 'ws')}/ws?token={student.tokens['access_token']}"
    async with telling(sentry):
        async with connect(url, compression=None, proxy=None) as socket:
            await received(socket)
            reply = await ask(socket, "subscribe", channel=f"quiz:{NEEDLES['token']}", since=None)
        assert not reply["ok"]
        event = await sentry.hear_of(lambda event: event.get("tags", {}).get("command") == "subscribe")
    assert raised(event)[-1] == "RuntimeError"
    assert_clean(sentry)


class NeedleArgs(JobArgs):
    """What a job may know."""

    password: str


async def test_jobs_after_their_last_try(house: House, sentry: SentryServer) -> None:
    kind = TaskKind("test.fault", "payments", NeedleArgs, retries=Retries((0.0,)))
    async with telling(sentry):
        with task(kind, async_fault):
            async with working(house, "payments"):
                await house.services.jobs.put("job_fault", "test.fault", {"password": NEEDLES["password"]})
                event = await sentry.hear_of(lambda event: event.get("tags", {}).get("queue") == "payments")
    assert raised(event)[-1] == "RuntimeError"
    assert event["logentry"]["message"] == "job %s is a dead letter"
    assert len([one for one in sentry.events if one.get("tags", {}).get("queue")]) == 1
    assert_clean(sentry)


async def test_what_follows_a_write(house: House, sentry: SentryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    student = await house.student(NEEDLES["name"])
    monkeypatch.setattr(Relay, "_tell", async_fault)
    async with telling(sentry):
        await student.ok("PATCH", "/users/me", json={"full_name": NEEDLES["name"]})
        event = await sentry.hear_of(lambda event: event.get("logger") == "lms_rt.services.relay")
    assert raised(event)[-1] == "RuntimeError"
    assert_clean(sentry)


async def test_background_tasks(sentry: SentryServer) -> None:
    async with telling(sentry), running({"needles": async_fault}):
        event = await sentry.hear_of(lambda event: event.get("logger") == "lms_rt.services.background")
    assert (event["level"], raised(event)[-1]) == ("fatal", "RuntimeError")
    assert_clean(sentry)


async def test_the_words_of_libraries_stay_here(sentry: SentryServer) -> None:
    async with telling(sentry):
        logging.getLogger("asyncio").error(f"Task was destroyed: <Task {NEEDLES['answer']}>")  # noqa: G004 - as libraries do
        event = await sentry.hear_of(lambda event: event.get("logger") == "asyncio")
    assert event["logentry"]["message"] == "a fault told by asyncio"
    assert_clean(sentry)


async def test_a_sample_of_requests_is_traced_by_pattern(house: House, sentry: SentryServer) -> None:
    student = await house.student(NEEDLES["name"])
    async with telling(sentry, sentry_traces_sample_rate=1.0):
        await student.call("GET", "/health")
        await student.call("GET", f"/courses/{NEEDLES['token']}", **dirty({}))
        event = await sentry.hear_of(lambda event: event.get("type") == "transaction")
    assert event["transaction"] == "GET /api/v1/courses/{course_id}"
    assert event["tags"]["status"] in (404, "404")
    assert event["start_timestamp"] <= event["timestamp"]
    assert [one for one in sentry.events if "health" in one.get("transaction", "")] == []
    assert_clean(sentry)


async def test_a_silent_sentry_holds_nobody_up_and_nothing_piles_up(
    sentry: SentryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_reports, "MAX_PER_MINUTE", 10_000)
    monkeypatch.setattr(error_reports, "CLOSE_SECONDS", 0.1)
    sentry.receiver.standing = Reply(is_silent=True)
    async with telling(sentry) as reports:
        for _ in range(500):
            logging.getLogger("lms_rt.rest").error("unexpected fault in %s", "x", exc_info=ValueError("x"))
        worker: Any = reports._client.transport._worker  # type: ignore[union-attr]
        assert worker._queue.qsize() <= error_reports.MAX_QUEUED
    assert len(sentry.receiver.received) <= 1


async def test_a_storm_is_told_in_part() -> None:
    reports = ErrorReports(Settings(_env_file=None, sentry_dsn="http://key@127.0.0.1:1/1"), "serve")
    told = sum(reports._may_tell() for _ in range(1000))
    assert told <= 2 * error_reports.MAX_PER_MINUTE
    reports.close()


def test_without_a_dsn_nobody_is_told() -> None:
    assert open_error_reports(Settings(_env_file=None), "serve") is None


def test_what_the_library_may_add_one_day_does_not_leave() -> None:
    grown: Event = {
        "event_id": "1", "user": {"email": "a@b.example"}, "request": {"url": "x"}, "breadcrumbs": {"values": [1]},
        "extra": {"a": 1}, "modules": {"x": "1"}, "contexts": {"trace": {"op": "x", "data": {"url": "u"}}, "new": {}},
        "tags": {"route": "/a", "email": "a@b.example", "request_id": "ada@example.org"}, "logger": "two words",
        "logentry": {"message": "m", "params": ["p"], "formatted": "f"}, "spans": [{"description": "GET http://x"}],
        "exception": {"values": [{"type": "E", "value": "words", "mechanism": {"data": 1}, "stacktrace": {"frames": [
            {"function": "f", "vars": {"a": 1}, "abs_path": "/x"}]}}]},
    }  # fmt: skip
    assert allowed(grown) == {
        "event_id": "1",
        "logentry": {"message": "m"},
        "tags": {"route": "/a"},
        "contexts": {"trace": {"op": "x"}},
        "exception": {"values": [{"type": "E", "value": "", "stacktrace": {"frames": [{"function": "f"}]}}]},
    }


async def test_a_server_reads_its_secrets_from_vault_and_tells_of_its_requests(
    sentry: SentryServer, tmp_path: Path
) -> None:
    vault = VaultServer(values={"SECRET_KEY": random_token(), "SENTRY_DSN": sentry.dsn})
    vault.give_token()
    with vault_running(vault):
        settings = Settings(
            _env_file=None, lms_data_dir=tmp_path / "data", vault_addr=vault.address, vault_token="hvs.root",
            sentry_traces_sample_rate=1.0, log_level="INFO", vault_required=True,
        )  # fmt: skip
        server = LmsServer(settings, "--no-demo", log=tmp_path / "log")
        await asyncio.to_thread(server.start)
        try:
            async with httpx.AsyncClient(base_url=server.address, trust_env=False) as browser:
                assert (await browser.get("/signin")).status_code == 200
            await sentry.hear_of(lambda event: event.get("type") == "transaction")
        finally:
            assert await asyncio.to_thread(server.stop) == 0
    assert vault.count("/v1/secret/data/lms") >= 2  # at the start, and by the keeper
    log = (tmp_path / "log").read_text()
    for secret in (vault.values["SECRET_KEY"], sentry.dsn, "hvs.root"):
        assert secret not in log
