"""The mailbox of development: what would have been sent, for whoever sits at the machine. Elsewhere there is none."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from documents.enums import JobState
from documents.job import Job
from documents.sent_mail import SentMail
from lms_rt.contracts.letters import Letter
from lms_rt.gateways.mail import MAX_KEPT, KeepingPostman
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD, House, open_house
from tests.unit.mail_samples import SAMPLES
from tests.working import idle, working

FAR_AWAY = {"X-Forwarded-For": "203.0.113.7"}


@pytest.fixture(scope="module", params=["embedded"])
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school without a mail server that believes its proxy, or knows of none."""
    lane, _, is_alone = str(request.param).partition(" ")
    changes = {"trusted_proxies": () if is_alone else ("127.0.0.0/8",), "allowed_hosts": ("*",)}
    async with open_house(settings_on(lane, request, tmp_path_factory.mktemp("mailbox"), **changes)) as opened:
        yield opened


async def asked(school: House, template: str = "quiz_results", **profile: Any) -> Visitor:
    """Somebody new for whom a mail was asked, and the work is done."""
    reader = await school.student()
    if profile:
        await reader.ok("PATCH", "/users/me", json=profile)
    args = {"template": template, "user_id": reader.user_id, "data": SAMPLES[template]}
    await school.services.jobs.put(f"job_{reader.user_id}", "mail.send", args)
    async with working(school):
        await idle(school.services)
    return reader


async def page(school: House, path: str, **headers: str) -> httpx.Response:
    visitor = await school.visitor()
    return await visitor.http.get(f"{school.address}{path}", headers=headers)


async def test_a_kept_mail_is_listed_and_read_as_text_and_as_html(school: House) -> None:
    reader = await asked(school)
    listed = await page(school, "/dev/mailbox")
    assert listed.status_code == 200
    assert str(reader.user["email"]) in listed.text
    path = re.findall(r'href="(/dev/mailbox/[^"]+)"[^<]*>Your results in Matrices', listed.text)[0]
    text = await page(school, path)
    assert "Your attempt at the quiz Matrices" in text.text
    html = await page(school, f"{path}/html")
    assert html.text.startswith("<!doctype html>")
    assert "Your attempt at the quiz <bdi>Matrices</bdi>" in html.text


async def test_the_html_of_a_mail_is_shut_in(school: House) -> None:
    await asked(school)
    path = re.findall(r'href="(/dev/mailbox/[^"]+)"', (await page(school, "/dev/mailbox")).text)[0]
    policy = (await page(school, f"{path}/html")).headers["Content-Security-Policy"]
    assert policy.startswith("sandbox")
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy


async def test_the_same_mail_again_is_kept_once(school: House) -> None:
    reader = await asked(school)
    again = {"state": JobState.WAITING.value, "args.data": SAMPLES["quiz_results"]}
    await Job.rows().update_one({"_id": f"job_{reader.user_id}"}, {"$set": again})
    async with working(school):
        await idle(school.services)
    job = await Job.find_row(f"job_{reader.user_id}")
    assert job is not None
    assert job["state"] == JobState.DONE
    kept = await SentMail.rows().count_documents({"recipient": reader.user["email"], "template": "quiz_results"})
    assert kept == 1


async def test_the_mailbox_is_for_this_machine_and_for_administrators(school: House) -> None:
    await asked(school, "password_reset")
    path = re.findall(r'href="(/dev/mailbox/[^"]+)"', (await page(school, "/dev/mailbox")).text)[0]
    for address in ("/dev/mailbox", path, f"{path}/html"):
        assert (await page(school, address)).status_code == 200
        assert (await page(school, address, **FAR_AWAY)).status_code == 404
    admin = await school.admin()
    browser = await school.visitor()
    sign_in = {"email": admin.user["email"], "password": PASSWORD}
    signed_in = await browser.http.post("/auth/login-cookie", json=sign_in)
    assert signed_in.status_code == 200
    assert (await browser.http.get(f"{school.address}/dev/mailbox", headers=FAR_AWAY)).status_code == 200


@pytest.mark.parametrize("school", ["embedded without a proxy"], indirect=True)
async def test_whoever_comes_through_a_proxy_that_nobody_told_us_of_sees_nothing(school: House) -> None:
    port = school.address.rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", "localhost", f"LOCALHOST.:{port}", f"mails.localhost:{port}"):
        assert (await page(school, "/dev/mailbox", Host=host)).status_code == 200, host
    passed_on = ("X-Forwarded-For", "X-Forwarded-Proto", "x-forwarded-host", "Forwarded", "X-Real-IP", "Via")
    for header in passed_on:
        assert (await page(school, "/dev/mailbox", **{header: "127.0.0.1"})).status_code == 404, header
    for host in ("lms.example", "localhost.lms.example", f"notlocalhost.example:{port}"):
        assert (await page(school, "/dev/mailbox", Host=host)).status_code == 404, host
    admin, browser = await school.admin(), await school.visitor()
    await browser.http.post("/auth/login-cookie", json={"email": admin.user["email"], "password": PASSWORD})
    assert (await browser.http.get(f"{school.address}/dev/mailbox", headers=FAR_AWAY)).status_code == 200


async def test_a_mail_that_is_not_there_is_not_found(school: House) -> None:
    for path in ("/dev/mailbox/msg_1@localhost", "/dev/mailbox/msg_1@localhost/html", "/dev/mailbox/%2e%2e"):
        assert (await page(school, path)).status_code == 404


async def test_the_newest_mails_are_kept_and_no_more(school: House) -> None:
    postman, now = KeepingPostman(), school.services.clock.now()
    for n in range(MAX_KEPT + 3):
        name = f"msg_{n:04d}@localhost"
        await postman.deliver(Letter(name, "welcome", "a@example.org", "A", f"Mail {n}", "text", "html", "en", now))
    left = {row["_id"] async for row in SentMail.rows().find({}, {"_id": 1})}
    assert len(left) == MAX_KEPT
    assert f"msg_{MAX_KEPT + 2:04d}@localhost" in left
    assert "msg_0000@localhost" not in left


@pytest.mark.parametrize("school", [pytest.param("real", marks=pytest.mark.real)], indirect=True)
async def test_a_server_without_a_mail_server_says_so_and_keeps_the_job(school: House) -> None:
    reader = await asked(school)
    job = await Job.find_row(f"job_{reader.user_id}")
    assert job is not None
    assert (job["state"], job["error"]) == (JobState.WAITING, "no mail server is set (SMTP_HOST)")
    assert job["tries"] == 0
    assert (await page(school, "/dev/mailbox")).status_code == 404
