"""Followers of events: each is told, none keeps another from it, and what failed is told again. And the outbox of accounts."""

from __future__ import annotations

from typing import Any

import pytest

from documents.event_record import EventRecord
from documents.job import Job
from documents.user import User
from lms_rt.bus.memory import SilentWakeUps
from lms_rt.clock import FakeClock
from lms_rt.contracts.accounts import ProfileChange
from lms_rt.contracts.event_records import Follower, RecordedEvent
from lms_rt.contracts.outbox import Write, event
from lms_rt.errors import Code, Refused
from lms_rt.services.event_log import EventLog
from lms_rt.services.following import Following
from lms_rt.services.jobs import Jobs
from lms_rt.storage.mongo import OpenDatabase
from tests.services.people import People
from tests.services.relaying import relay_over

pytestmark = pytest.mark.usefixtures("database")


class Told:
    """A follower that notes what it is told, after it failed so many times."""

    def __init__(self, *, failures: int = 0) -> None:
        self.events: list[RecordedEvent] = []
        self.failures = failures

    async def follow(self, event: RecordedEvent) -> None:
        if self.failures:
            self.failures -= 1
            raise Refused(Code.UNAVAILABLE)
        self.events.append(event)


def following(*followers: Follower) -> Following:
    made = Following()
    for follower in followers:
        made.add(follower)
    return made


async def recorded() -> str:
    """The id of an event that has been recorded."""
    clock = FakeClock()
    intent = event(Write(1, clock.now()), "told", n=0, channels=[], data={"user_id": "usr_gone"}, record="user.updated")
    await EventLog(jobs=Jobs(clock=clock, wake_ups=SilentWakeUps()), clock=clock).record(intent)
    return str(intent["id"])


async def test_every_follower_is_told_what_happened_when(database: OpenDatabase) -> None:
    one, other, event_id = Told(), Told(), await recorded()
    await following(one.follow, other.follow).follow(event_id)
    assert one.events == other.events
    (event,) = one.events
    assert (event.event_id, event.type, event.data) == (event_id, "user.updated", {"user_id": "usr_gone"})
    assert event.at == FakeClock().now()


async def test_one_that_fails_keeps_no_other_from_being_told_and_is_told_again() -> None:
    broken, other, event_id = Told(failures=1), Told(), await recorded()
    told = following(broken.follow, other.follow)
    with pytest.raises(Refused):
        await told.follow(event_id)
    assert (len(broken.events), len(other.events)) == (0, 1)
    await told.follow(event_id)
    assert (len(broken.events), len(other.events)) == (1, 2)


async def test_when_several_fail_the_first_is_told_of_and_the_others_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def odd(_: RecordedEvent) -> None:
        raise ValueError("odd")

    with pytest.raises(Refused):
        await following(Told(failures=1).follow, odd).follow(await recorded())
    assert "odd" in caplog.text


async def test_of_an_event_that_is_no_longer_kept_nobody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    await following(told.follow).follow("evt_gone")
    assert told.events == []
    assert "evt_gone" in caplog.text


# --- accounts ---


class Recorder:
    """Keeps the types of events and the versions that they tell of, or is away."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.versions: list[int] = []
        self.is_away = False

    async def __call__(self, intent: dict[str, Any]) -> None:
        if self.is_away:
            raise ConnectionError("the log is away")
        self.types.append(intent["type"])
        self.versions.append(intent["version"])


@pytest.fixture
def recorder(people: People) -> Recorder:
    """What the accounts' relay keeps."""
    made = Recorder()
    people.accounts._relay = relay_over(people.bus.fan_out, people.clock, [User], record=made)
    return made


async def waiting(user_id: str) -> list[str]:
    """What waits in the outbox of an account."""
    row = await User.find_outbox(user_id)
    assert row is not None
    return [intent.get("type") or intent["task"] for intent in row["outbox"]]


async def test_a_registration_and_what_follows_it_are_one_write(people: People, recorder: Recorder) -> None:
    """Nothing but the account could be stored: the event waits there, and the sweeper finishes."""
    recorder.is_away = True
    user_id = (await people.join()).user.id
    assert await waiting(user_id) == ["user.registered"]
    recorder.is_away = False
    await people.accounts._relay.sweep(minimum_age_ms=0)
    assert (await waiting(user_id), recorder.types) == ([], ["user.registered"])
    mails = [row async for row in Job.rows().find({})]
    assert {(mail["task"], mail["queue"], mail["state"]) for mail in mails} == {("mail.send", "emails", "waiting")}
    asked = sorted((mail["args"] for mail in mails), key=lambda args: args["template"])
    assert asked == [{"template": name, "user_id": user_id} for name in ("email_verification", "welcome")]
    assert await EventRecord.find_highest() == 0


async def test_a_change_of_a_profile_is_told_once_and_one_that_changes_nothing_is_not(
    people: People, recorder: Recorder
) -> None:
    me = await people.sessions.authenticate((await people.join()).access_token)
    for name in ("Mona", "Mona", "Nour"):
        await people.accounts.update_me(me, ProfileChange(full_name=name))
    assert recorder.types == ["user.registered", "user.updated", "user.updated"]
    assert await waiting(me.user_id) == []


async def test_a_change_that_another_one_overtook_tells_of_the_version_that_it_made(
    people: People, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = await people.sessions.authenticate((await people.join()).access_token)
    others = [{"locale": "ar"}]
    change = User.change

    async def overtaken(user_id: str, *args: Any, **kwargs: Any) -> bool:
        if others:
            await change(user_id, others.pop(), people.clock.now())
        return await change(user_id, *args, **kwargs)

    monkeypatch.setattr(User, "change", overtaken)
    view = await people.accounts.update_me(me, ProfileChange(full_name="Nour"))
    assert (view.version, view.full_name, view.locale) == (3, "Nour", "ar")
    assert recorder.versions == [1, 3]


async def test_an_account_that_could_not_be_made_tells_nothing(people: People, recorder: Recorder) -> None:
    await people.join()
    with pytest.raises(Refused):
        await people.join("MONA@example.org")
    assert recorder.types == ["user.registered"]
    assert await Job.rows().count_documents({}) == 2, "the two mails of who was first"
