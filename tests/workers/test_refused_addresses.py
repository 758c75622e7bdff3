"""An address that a mail server has refused for good rests: until it is proved, or written to again by somebody's wish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from documents.enums import JobState, Role
from documents.job import Job
from documents.user import User
from lms_rt.ids import new_id
from lms_rt.services import jobs
from lms_rt.services.jobs import LeaseLost, Taken
from lms_rt.services.unreachable import FIRST_REST, MAX_IN_A_ROW, NEXT_REST, WARNINGS
from tests.clients import Visitor
from tests.conftest import _ENGINES, settings_on
from tests.unit.mail_samples import SAMPLES
from tests.workers.mail_school import MailSchool, Reader, open_mail_school
from workers.tasks.mails import send

COURSE = SAMPLES["course_completion"]
NO_SUCH = "550 5.1.1 No such mailbox"
ANSWER = f"the mail server refused: {NO_SUCH}"


@pytest.fixture(scope="module", params=_ENGINES)
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailSchool]:
    """A school with a mail server, one for the module and lane."""
    async with open_mail_school(settings_on(str(request.param), request, tmp_path_factory.mktemp("mails"))) as opened:
        yield opened


@pytest.fixture
async def admin(school: MailSchool) -> Visitor:
    return await school.house.admin()


@pytest.fixture
async def reader(school: MailSchool) -> Reader:
    """Whose address was refused."""
    somebody = await school.reader()
    school.place.at_recipient.append(NO_SUCH)
    await somebody.ask("course_completion", f"refused_{somebody.user_id}", **COURSE)
    await school.work()
    return somebody


async def shown(admin: Visitor, reader: Reader) -> dict[str, Any]:
    account: dict[str, Any] = await admin.ok("GET", f"/users/{reader.user_id}")
    return account


async def test_an_address_that_was_refused_for_good_is_not_written_to_again(
    school: MailSchool, reader: Reader, admin: Visitor
) -> None:
    refusal = (await shown(admin, reader))["mail_refusal"]
    assert refusal["answer"] == ANSWER
    assert refusal["at"].endswith("Z")
    before = await school.figure("course_completion", "resting")
    later = [await reader.ask("course_completion", **COURSE), await reader.ask("welcome")]
    await school.work()
    assert reader.mails == []
    assert [(await school.job(one))["state"] for one in later] == [JobState.DONE] * 2
    assert await school.figure("course_completion", "resting") == before + 1
    assert (await school.job(f"refused_{reader.user_id}"))["state"] == JobState.DEAD


@pytest.mark.parametrize("answer", ["550 5.7.1 Relaying denied", "451 4.7.1 Greylisted", "554 5.3.4 Too big"])
async def test_any_other_no_says_nothing_of_the_address(school: MailSchool, admin: Visitor, answer: str) -> None:
    reader = await school.reader()
    school.place.at_recipient.append(answer)
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert (await shown(admin, reader))["mail_refusal"] is None
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert len(reader.mails) == 1


async def test_what_somebody_asks_for_goes_there_and_once_taken_all_does(
    school: MailSchool, reader: Reader, admin: Visitor
) -> None:
    school.place.at_recipient.append(NO_SUCH)
    await reader.ask("password_reset")
    await school.work()
    assert reader.mails == []  # it was tried, and refused again
    assert school.place.at_recipient == type(school.place.at_recipient)()
    await reader.ask("password_reset")
    await reader.ask("course_completion", f"before_{reader.user_id}", **COURSE)
    await school.work()
    assert "Choose a new password" in [mail.message["Subject"] for mail in reader.mails]
    assert (await shown(admin, reader))["mail_refusal"] is None
    school.place.received.clear()
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert len(reader.mails) == 1


async def test_what_warns_of_a_stranger_in_the_account_goes_there(school: MailSchool, reader: Reader) -> None:
    for template in sorted(WARNINGS):
        school.place.at_recipient.append(NO_SUCH)
        await reader.ask(template, **SAMPLES[template])
        await school.work()
        assert not school.place.at_recipient, f"{template} was tried"


async def test_a_dead_letter_that_is_sent_again_goes_there(school: MailSchool, reader: Reader, admin: Visitor) -> None:
    job_id = f"refused_{reader.user_id}"
    assert (await admin.ok("GET", f"/admin/dead-letters/{job_id}"))["error"] == ANSWER
    school.place.at_recipient.append(NO_SUCH)
    await admin.ok("POST", f"/admin/dead-letters/{job_id}/retry")
    await school.work()
    assert (await school.job(job_id))["state"] == JobState.DEAD  # refused again: it rests on
    assert (await shown(admin, reader))["mail_refusal"] is not None
    await admin.ok("POST", f"/admin/dead-letters/{job_id}/retry")
    await school.work()
    assert len(reader.mails) == 1
    assert (await shown(admin, reader))["mail_refusal"] is None


async def test_an_administrator_has_it_written_to_again(school: MailSchool, reader: Reader, admin: Visitor) -> None:
    changed = await admin.ok("PATCH", f"/admin/users/{reader.user_id}", json={"write_again": True})
    assert changed["mail_refusal"] is None
    again = await admin.ok("PATCH", f"/admin/users/{reader.user_id}", json={"write_again": True})
    assert again["version"] == changed["version"]  # there was nothing to change
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert len(reader.mails) == 1
    listed = await admin.ok("GET", "/admin/audit-logs", params={"target_id": reader.user_id})
    assert "user.change" in [record["action"] for record in listed["items"]]


async def test_nobody_else_has_it_written_to_again(school: MailSchool, reader: Reader, admin: Visitor) -> None:
    teacher = await school.house.teacher()
    for somebody in (teacher, reader.visitor):
        reply = await somebody.call("PATCH", f"/admin/users/{reader.user_id}", json={"write_again": True})
        assert reply.status_code == 403
    assert (await shown(admin, reader))["mail_refusal"] is not None


async def test_an_address_that_is_proved_afterwards_does_not_rest(
    school: MailSchool, reader: Reader, admin: Visitor
) -> None:
    now = school.house.services.clock.now()
    await User.change(reader.user_id, {"email_verified_at": now - timedelta(days=1)}, now)
    assert (await shown(admin, reader))["mail_refusal"] is not None
    await User.change(reader.user_id, {"email_verified_at": now}, now)
    assert (await shown(admin, reader))["mail_refusal"] is None
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert len(reader.mails) == 1


async def let_rest(reader: Reader, since: timedelta) -> None:
    """Put the refusal so far back."""
    user = await User.find_by_id(reader.user_id)
    assert user is not None
    assert user.mail_refusal is not None
    back = {**user.mail_refusal, "at": user.mail_refusal["at"] - since}
    assert await User.note_mail_refusal(reader.user_id, reader.email, back)


async def test_a_rest_is_a_time_and_a_longer_one_when_it_was_of_no_use(school: MailSchool, reader: Reader) -> None:
    await let_rest(reader, FIRST_REST)
    school.place.at_recipient.append(NO_SUCH)
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert not school.place.at_recipient  # it was tried, and refused again
    await let_rest(reader, FIRST_REST)
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert reader.mails == []
    await let_rest(reader, NEXT_REST)
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert len(reader.mails) == 1


async def test_a_server_that_refuses_everybody_lets_nobody_rest(
    school: MailSchool, caplog: pytest.LogCaptureFixture
) -> None:
    witness = await school.reader()
    await witness.ask("course_completion", **COURSE)
    await school.work()  # so that what was refused before does not count
    now = school.house.services.clock.now()
    people = [new_id("usr") for _ in range(MAX_IN_A_ROW + 2)]
    for user_id in people:
        email = f"{user_id.lower()}@example.org"
        words: dict[str, Any] = {"email": email, "email_key": email, "full_name": "Ali", "password_hash": "-"}
        assert await User.add(User(id=user_id, role=Role.STUDENT, created_at=now, updated_at=now, **words))
        school.place.at_recipient.append(NO_SUCH)
        await school.ask(user_id, "course_completion", **COURSE)
    await school.work()
    assert not school.place.at_recipient
    users = [await User.find_by_id(user_id) for user_id in people]
    assert [user.mail_refusal for user in users if user is not None] == [None] * len(people)
    assert [line.levelname for line in caplog.records if "refuses address after address" in line.message] == ["ERROR"]
    await witness.ask("course_completion", **COURSE)
    await school.work()
    school.place.at_recipient.append(NO_SUCH)  # it takes mails again, and is believed again
    await school.ask(people[0], "course_completion", **COURSE)
    await school.work()
    user = await User.find_by_id(people[0])
    assert user is not None
    assert user.mail_refusal is not None


async def test_another_address_does_not_rest(school: MailSchool, reader: Reader, admin: Visitor) -> None:
    other = f"new_{reader.email}"
    await User.change(reader.user_id, {"email": other, "email_key": other}, school.house.services.clock.now())
    assert (await shown(admin, reader))["mail_refusal"] is None
    await reader.ask("course_completion", **COURSE)
    await school.work()
    assert len(school.place.to(other)) == 1


async def test_a_mail_that_was_sent_is_noted_though_the_database_is_away_for_a_moment(
    school: MailSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, leave, calls = await school.reader(), Job.leave, 0

    async def away(*args: Any, **options: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise ConnectionError("no answer")
        return await leave(*args, **options)

    monkeypatch.setattr(Job, "leave", away)
    job_id = await reader.ask("course_completion", **COURSE)
    await school.work()
    assert (await school.job(job_id))["state"] == JobState.DONE
    assert (len(reader.mails), calls) == (1, 3)


# --- what is not this worker's any more ---


async def taken_by_us(school: MailSchool, reader: Reader) -> Taken:
    """A mail to them that a worker has in hand."""
    job_id = await reader.ask("course_completion", **COURSE)
    due = await school.house.services.jobs.find_one_due(job_id)
    assert due is not None
    taken = await school.house.services.jobs.take(due, "wrk_1")
    assert taken is not None
    return taken


async def test_a_mail_that_another_worker_has_by_now_is_not_handed_over(
    school: MailSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = await school.reader()
    taken = await taken_by_us(school, reader)
    await Job.rows().update_one({"_id": taken.job_id}, {"$set": {"lease_by": "somebody_else"}})
    monkeypatch.setattr(jobs, "LEASE_SECONDS", 0.0)  # nothing is known of it for sure
    with pytest.raises(LeaseLost):
        await send(school.house.services, taken)
    assert reader.mails == []
    assert await Job.renew(taken.job_id, "somebody_else", school.house.services.clock.now())
    await Job.leave(taken.job_id, "somebody_else", {"state": JobState.DONE.value})


async def test_nothing_is_handed_over_while_the_database_is_away_however_long(
    school: MailSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, tries = await school.reader(), asyncio.Event()
    taken = await taken_by_us(school, reader)

    async def away(*_: Any) -> bool:
        tries.set()
        raise ConnectionError("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "LEASE_SECONDS", 0.0)
        patched.setattr(Job, "renew", away)
        sending = asyncio.create_task(send(school.house.services, taken))
        await tries.wait()
        sending.cancel()  # as its time limit does
        with pytest.raises(asyncio.CancelledError):
            await sending
    await school.house.services.jobs.hand_back(taken)
    await school.work()
    assert len(reader.mails) == 1
