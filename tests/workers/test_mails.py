"""What becomes of a mail that was asked for: it comes once, in its reader's words, or somebody is told why it did not."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from documents.enums import JobState
from documents.user import User
from lms_rt.contracts.jobs import Retries
from lms_rt.contracts.letters import Sender
from lms_rt.contracts.mails import MASK
from lms_rt.gateways.smtp import MailServer, SmtpPostman
from tests.conftest import _ENGINES, settings_on
from tests.servers.ports import free_port
from tests.servers.smtp_server import BREAK
from tests.unit.mail_samples import SAMPLES
from tests.workers.mail_school import MailSchool, Reader, open_mail_school

COURSE = SAMPLES["course_completion"]
RESULTS = SAMPLES["quiz_results"]


@pytest.fixture(scope="module", params=_ENGINES)
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailSchool]:
    """A school with a mail server, one for the module and lane."""
    async with open_mail_school(settings_on(str(request.param), request, tmp_path_factory.mktemp("mails"))) as opened:
        yield opened


@pytest.fixture
async def reader(school: MailSchool) -> Reader:
    return await school.reader()


@pytest.fixture(autouse=True)
def whole_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait is drawn so short that it is over before a test has looked."""

    def whole(retries: Retries, failures: int) -> float | None:
        return retries.waits_seconds[failures - 1] if failures <= len(retries.waits_seconds) else None

    monkeypatch.setattr(Retries, "wait_seconds", whole)


# --- mails that come ---


async def test_whoever_registers_is_welcomed_once(school: MailSchool) -> None:
    somebody = await school.house.student("Sara Saleh")
    await school.work()
    came = {str(mail.message["Subject"]): mail for mail in school.place.to(str(somebody.user["email"]))}
    assert sorted(came) == ["Confirm your address", "Welcome to Night School"]
    mail = came["Welcome to Night School"]
    assert mail.message["From"] == "Night School <school@lms.example>"
    assert "Hello Sara Saleh," in mail.body("plain")
    assert "List-Unsubscribe" not in mail.message


async def test_a_mail_is_in_its_readers_language_and_timezone(school: MailSchool) -> None:
    reader = await school.reader(locale="ar-EG", timezone="Africa/Cairo", full_name="علي حسن")
    await reader.ask("password_changed", at="2026-01-05T22:30:00Z")
    await school.work()
    (mail,) = reader.mails
    assert mail.message["Subject"] == "تغيّرت كلمة مرورك"
    assert mail.message["Content-Language"] == "ar"
    assert mail.message["To"].addresses[0].display_name == "علي حسن"
    assert "6 يناير 2026، 00:30 (UTC+2)" in mail.body("plain")
    assert '<html lang="ar" dir="rtl">' in mail.body("html")


async def test_a_job_that_is_asked_for_twice_is_one_mail(school: MailSchool, reader: Reader) -> None:
    for _ in range(2):
        await reader.ask("quiz_results", f"quiz:{reader.user_id}:2026-01-05", **RESULTS)
        await school.work()
    assert len(reader.mails) == 1


async def test_the_message_id_comes_from_the_job_and_is_of_this_site(school: MailSchool, reader: Reader) -> None:
    for job_id in (f"weekly:{reader.user_id}:1", f"weekly:{reader.user_id}:2"):
        await reader.ask("course_completion", job_id, **COURSE)
    await school.work()
    ids = [str(mail.message["Message-ID"]) for mail in reader.mails]
    assert len(set(ids)) == 2
    assert all(one.startswith("<msg_") and one.endswith("@lms.example>") and ":" not in one for one in ids)


async def test_what_became_of_mails_is_counted(school: MailSchool, reader: Reader) -> None:
    before = await school.figure("export_ready", "sent")
    await reader.ask("export_ready", **SAMPLES["export_ready"])
    await school.work()
    assert await school.figure("export_ready", "sent") == before + 1


# --- mails that nobody wants ---


async def test_a_kind_that_was_switched_off_does_not_come(school: MailSchool, reader: Reader) -> None:
    await reader.wish(kinds={"attempt.graded": {"email": False}})
    unwanted = await reader.ask("quiz_results", **RESULTS)
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert [mail.message["Subject"] for mail in reader.mails] == ["You completed Linear Algebra"]
    assert (await school.job(unwanted))["state"] == JobState.DONE


async def test_mails_about_the_account_itself_come_in_any_case(school: MailSchool, reader: Reader) -> None:
    await reader.wish(channels={"email": False}, quiet_hours={"from": "00:00", "to": "23:59"})
    await reader.ask("password_changed", **SAMPLES["password_changed"])
    await school.work()
    assert [mail.message["Subject"] for mail in reader.mails] == ["Your password was changed"]


async def test_in_quiet_hours_a_mail_waits_and_that_is_no_failure(school: MailSchool, reader: Reader) -> None:
    now = school.house.services.clock.now()
    begin, end = now - timedelta(hours=1), now + timedelta(hours=1)
    await reader.wish(quiet_hours={"from": f"{begin:%H:%M}", "to": f"{end:%H:%M}"})
    job_id = await reader.ask("quiz_results", **RESULTS)
    await school.work()
    job = await school.job(job_id)
    assert (job["state"], job["tries"]) == (JobState.WAITING, 0)
    assert now + timedelta(minutes=58) < job["due_at"] <= now + timedelta(minutes=61)
    await reader.wish(quiet_hours=None)
    await school.wait_out(job_id)
    await school.work()
    assert len(reader.mails) == 1


@pytest.mark.parametrize("gone", [True, False])
async def test_a_closed_account_gets_no_mail(school: MailSchool, reader: Reader, gone: bool) -> None:
    job_id = await (school.ask("usr_nobody", "welcome") if gone else reader.ask("welcome"))
    if not gone:
        await User.change(reader.user_id, {"is_active": False}, school.house.services.clock.now())
    await school.work()
    assert (await school.job(job_id))["state"] == JobState.DONE
    assert school.place.received == []


async def test_nothing_is_sent_to_the_made_up_people_of_the_demo_school(school: MailSchool, reader: Reader) -> None:
    await User.change(reader.user_id, {"email": "student1@demo.school"}, school.house.services.clock.now())
    job_id = await reader.ask("welcome")
    await school.work()
    assert (await school.job(job_id))["state"] == JobState.DONE
    assert school.place.received == []


# --- one click ---


def unsubscribe_address(reader: Reader, school: MailSchool) -> str:
    """Where the header of the last mail leads, at this test's server."""
    header = str(reader.mails[-1].message["List-Unsubscribe"])
    return header.strip("<>").replace("https://lms.example", school.house.address)


async def test_one_click_stops_mails_of_a_kind_without_a_sign_in(school: MailSchool, reader: Reader) -> None:
    await reader.ask("quiz_results", **RESULTS)
    await school.work()
    assert reader.mails[0].message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address, stranger = unsubscribe_address(reader, school), await school.house.visitor()
    asked = await stranger.http.get(address)
    assert asked.status_code == 200
    assert "A graded quiz" in asked.text
    await reader.ask("quiz_results", **RESULTS)
    await school.work()
    assert len(reader.mails) == 2  # to look at the page has stopped nothing
    for _ in range(2):
        clicked = await stranger.http.post(address, data={"List-Unsubscribe": "One-Click"})
        assert clicked.status_code == 200
    await reader.ask("quiz_results", **RESULTS)
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert [mail.message["Subject"] for mail in reader.mails[2:]] == ["You completed Linear Algebra"]


async def test_the_link_of_a_mixed_digest_stops_all_that_can_be_stopped(school: MailSchool, reader: Reader) -> None:
    await reader.ask("digest", **SAMPLES["digest"] | {"kind": None})
    await school.work()
    stranger = await school.house.visitor()
    assert (await stranger.http.post(unsubscribe_address(reader, school))).status_code == 200
    preferences = await reader.visitor.ok("GET", "/notifications/preferences")
    assert preferences["channels"]["email"] is False


async def test_a_link_that_was_not_made_here_stops_nothing(school: MailSchool, reader: Reader) -> None:
    await reader.ask("quiz_results", **RESULTS)
    await school.work()
    address, stranger = unsubscribe_address(reader, school).partition("?")[0], await school.house.visitor()
    token = address.rpartition("/")[2]
    forged = [token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), "A" + token[1:], "x", "a" * 400, token[:20]]
    for bad in (one for one in forged if one != token):
        path = address.replace(token, bad)
        assert (await stranger.http.post(path)).status_code == 404, bad
        assert (await stranger.http.get(path)).status_code == 404, bad
    assert (await reader.visitor.ok("GET", "/notifications/preferences"))["kinds"]["attempt.graded"]["email"] is True


# --- mails that do not come at once ---


async def test_a_greylisted_mail_comes_when_the_server_takes_it(school: MailSchool, reader: Reader) -> None:
    before = school.house.services.clock.now()
    school.place.at_recipient.append("451 4.7.1 Greylisted, try again later")
    job_id = await reader.ask("course_completion", **COURSE)
    await school.work()
    job = await school.job(job_id)
    assert (job["state"], job["tries"], reader.mails) == (JobState.WAITING, 1, [])
    assert "Greylisted" in job["error"]
    assert job["due_at"] >= before + timedelta(minutes=5)
    for minutes in (10, 15, 15):  # ever more seldom, but never less than that
        school.place.at_recipient.append("451 4.7.1 Greylisted, try again later")
        await school.wait_out(job_id)
        await school.work()
        due_in = (await school.job(job_id))["due_at"] - before
        assert timedelta(minutes=minutes) <= due_in < timedelta(minutes=minutes + 2)
    await school.wait_out(job_id)
    await school.work()
    assert len(reader.mails) == 1
    assert (await school.job(job_id))["state"] == JobState.DONE


async def test_a_refused_mail_is_a_dead_letter_at_once_and_can_be_sent_again(
    school: MailSchool, reader: Reader
) -> None:
    school.place.at_recipient.append("550 5.1.1 No such mailbox")
    job_id = await reader.ask("course_completion", **COURSE)
    await school.work()
    job = await school.job(job_id)
    assert (job["state"], reader.mails) == (JobState.DEAD, [])
    admin = await school.house.admin()
    letter = await admin.ok("GET", f"/admin/dead-letters/{job_id}")
    assert letter["error"] == "the mail server refused: 550 5.1.1 No such mailbox"
    await admin.ok("POST", f"/admin/dead-letters/{job_id}/retry")
    await school.work()
    assert len(reader.mails) == 1


async def test_a_connection_that_breaks_behind_data_gives_the_same_mail_again(
    school: MailSchool, reader: Reader
) -> None:
    school.place.at_end.append(BREAK)
    job_id = await reader.ask("course_completion", **COURSE)
    await school.work()
    assert (await school.job(job_id))["state"] == JobState.WAITING
    await school.wait_out(job_id)
    await school.work()
    assert len(reader.mails) == 2  # the server had it, and nobody can know
    assert len({mail.message["Message-ID"] for mail in reader.mails}) == 1


async def test_a_server_that_starts_again_costs_no_mail(school: MailSchool, reader: Reader) -> None:
    await reader.ask("course_completion", **COURSE)
    await school.work()
    school.place.hang_up()
    job_id = await reader.ask("course_completion", **COURSE)
    await school.work()
    assert len(reader.mails) == 2
    assert (await school.job(job_id))["tries"] == 0


@pytest.fixture
def cut_off(school: MailSchool, monkeypatch: pytest.MonkeyPatch) -> MailSchool:
    """The school, and nothing listens where its mail server should be."""
    server = MailServer(host="127.0.0.1", port=free_port(), tls="none")
    monkeypatch.setattr(school.house.services.mails, "_postman", SmtpPostman(server, Sender("school@lms.example", "")))
    return school


async def test_an_outage_of_the_mail_server_is_no_failure_of_a_mail(cut_off: MailSchool, reader: Reader) -> None:
    before = cut_off.house.services.clock.now()
    job_id = await reader.ask("course_completion", **COURSE)
    await cut_off.work()
    job = await cut_off.job(job_id)
    assert (job["state"], job["tries"]) == (JobState.WAITING, 0)
    assert job["error"].startswith("the mail server cannot be reached: ")
    assert timedelta(minutes=1) < job["due_at"] - before < timedelta(minutes=3)
    for _ in range(8):
        await cut_off.wait_out(job_id, age=timedelta(days=2, hours=23))
        await cut_off.work()
    job = await cut_off.job(job_id)
    assert (job["state"], job["tries"]) == (JobState.WAITING, 0)
    assert timedelta(minutes=10) < job["due_at"] - before < timedelta(minutes=17)


async def test_an_outage_that_lasts_for_days_is_told_to_an_administrator(cut_off: MailSchool, reader: Reader) -> None:
    job_id = await reader.ask("course_completion", **COURSE)
    for _ in range(6):
        await cut_off.wait_out(job_id, age=timedelta(days=3, minutes=1))
        await cut_off.work()
    job = await cut_off.job(job_id)
    assert job["state"] == JobState.DEAD
    assert "cannot be reached" in job["error"]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (("of_a_newer_version", {}), "there is no mail 'of_a_newer_version'"),
        (("password_changed", {}), "the data of password_changed does not fit: at"),
        (
            ("password_changed", {"at": "2026-01-05T09:00:00Z", "more": "1"}),
            "the data of password_changed does not fit: more",
        ),
    ],
)
async def test_an_order_that_makes_no_sense_is_a_dead_letter_without_its_data(
    school: MailSchool, reader: Reader, order: tuple[str, dict[str, Any]], words: str
) -> None:
    template, data = order
    job_id = await reader.ask(template, **data)
    await school.work()
    job = await school.job(job_id)
    assert (job["state"], job["error"]) == (JobState.DEAD, words)


async def test_what_a_mail_said_is_kept_until_it_is_sent_and_no_longer(school: MailSchool, reader: Reader) -> None:
    school.place.at_recipient.append("550 no such mailbox")
    refused = await reader.ask("export_ready", **SAMPLES["export_ready"])
    await school.work()
    assert (await school.job(refused))["args"]["data"] == SAMPLES["export_ready"]  # it may be sent again
    sent = await reader.ask("export_ready", **SAMPLES["export_ready"])
    await school.work()
    job = await school.job(sent)
    assert job["state"] == JobState.DONE
    assert job["args"] == {"template": "export_ready", "user_id": reader.user_id, "data": {}}


async def test_an_administrator_sees_nothing_of_a_mail_that_this_version_does_not_know(
    school: MailSchool, reader: Reader
) -> None:
    job_id = await reader.ask("of_a_newer_version", greeting="open sesame", course_title="Algebra")
    known = await reader.ask("course_completion", **{**COURSE, "more": "words"})
    await school.work()
    admin = await school.house.admin()
    args = (await admin.ok("GET", f"/admin/dead-letters/{job_id}"))["args"]
    assert args == {
        "template": "of_a_newer_version",
        "user_id": reader.user_id,
        "data": dict.fromkeys(args["data"], MASK),
    }
    assert set(args["data"]) == {"greeting", "course_title"}
    shown = await admin.ok("GET", f"/admin/dead-letters/{known}")
    assert shown["args"]["data"]["course_title"] == COURSE["course_title"]


async def test_no_secret_of_a_mail_is_logged(
    school: MailSchool, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for answer in ("550 no", "451 later", BREAK, "250 ok"):
        school.place.at_end.append(answer)
        await reader.ask("password_reset")
        await school.work()
    token = reader.mails[-1].body("plain").partition("/reset?token=")[2].split()[0]
    assert len(token) == 43
    others = ("mail.log", "pymongo")  # aiosmtpd's own log; and the driver's, which config/logging.py keeps quiet
    logged = [record for record in caplog.records if not record.name.startswith(others)]
    assert not [record for record in logged if token in f"{record.getMessage()} {record.exc_info}"]
