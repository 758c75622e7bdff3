"""Every live command and every kind of channel, as each of the nine persons: what they are told is what the table says.

On the whole product, on both lanes. What is hidden is told as what is not there, frame for frame.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect

from handlers.live.table import COMMANDS
from handlers.rest.access import SIGNED_IN
from lms_rt.contracts.channels import (
    SYSTEM,
    ChannelKind,
    attempt_channel,
    course_channel,
    course_chat_channel,
    course_staff_channel,
    quiz_live_channel,
    user_channel,
)
from lms_rt.ids import new_id
from lms_rt.realtime.close_codes import Close
from lms_rt.security.rights import Person, Reach, Verdict, verdict
from lms_rt.services.subscriptions import CHANNEL_RIGHTS
from tests import factories
from tests.house import House
from tests.live.node_school import Watcher, live_url, watching
from tests.rest.rights.house import ENGINES, rights_house
from tests.rest.rights.school import Ids, Place, RightsSchool, opened

Frame = dict[str, Any]
FIELDS: Mapping[str, Frame] = {
    "subscribe": {"channel": SYSTEM},
    "unsubscribe": {"channel": SYSTEM},
    "history": {"channel": "user:{own_id}"},
    "presence": {"channel": "user:{own_id}"},
    "ping": {},
    "time.sync": {"t0": 1},
    "auth.refresh": {"token": "{token}"},
    "lesson.progress": {"enrollment_id": "{enrollment_id}", "lesson_id": "{lesson_id}", "position_seconds": 1},
    "lesson.complete": {"enrollment_id": "{enrollment_id}", "lesson_id": "{lesson_id}"},
    "attempt.start": {"quiz_id": "{quiz_id}", "device_id": "laptop"},
    "attempt.resume": {"attempt_id": "{attempt_id}", "device_id": "laptop"},
    "attempt.take_over": {"attempt_id": "{attempt_id}", "device_id": "laptop"},
    "attempt.look": {"attempt_id": "{attempt_id}", "question_id": "{question_id}"},
    "attempt.page": {"attempt_id": "{attempt_id}", "state": "shown"},
    "attempt.seen": {"attempt_id": "{attempt_id}", "event_id": "evt_1"},
    "answer.save": {
        "attempt_id": "{attempt_id}", "question_id": "{question_id}", "value": True, "op_id": "o", "seq": 1,
        "base_revision": 0, "device_id": "laptop", "lease": "nobody's",
    },
    "attempt.sync": {"attempt_id": "{attempt_id}", "have": []},
    "live.pause": {"quiz_id": "{quiz_id}", "group": "nobody"},
    "live.resume": {"quiz_id": "{quiz_id}"},
    "live.extend": {"quiz_id": "{quiz_id}", "seconds": 1},
    "live.end": {"quiz_id": "{quiz_id}", "group": "nobody"},
    "live.announce": {"quiz_id": "{quiz_id}", "text": "Hello"},
    "attempt.submit": {"attempt_id": "{attempt_id}", "revision": 999},
    "notification.read": {"notification_id": "{notification_id}"},
    "chat.send": {"course_id": "{course_id}", "text": "Hello", "op_id": "{own_id}"},
    "chat.edit": {"message_id": "{message_id}", "text": "Hello again"},
    "chat.delete": {"message_id": "{said_id}"},
    "chat.typing": {"course_id": "{course_id}"},
    "chat.read": {"course_id": "{course_id}", "number": 1},
}  # fmt: skip
"""What each command is sent with: what its model takes, and that harms nobody when it is done."""
HEARD = frozenset({"history", "presence"})
"""Asked of a channel that one listens to."""
ENDS: Mapping[str, str] = {
    "answer.save": "not_writer",
    "attempt.submit": "conflict",
    "live.pause": "validation_failed",
    "live.end": "validation_failed",
}
"""What those are told who may: with another's lease, a revision that is not the stored one, a group that nobody is in."""
CHANNELS: Mapping[ChannelKind, Callable[[Ids], str]] = {
    ChannelKind.USER: lambda ids: user_channel(ids["user_id"]),
    ChannelKind.COURSE: lambda ids: course_channel(ids["course_id"]),
    ChannelKind.COURSE_CHAT: lambda ids: course_chat_channel(ids["course_id"]),
    ChannelKind.COURSE_STAFF: lambda ids: course_staff_channel(ids["course_id"]),
    ChannelKind.ATTEMPT: lambda ids: attempt_channel(ids["attempt_id"]),
    ChannelKind.QUIZ_LIVE: lambda ids: quiz_live_channel(ids["quiz_id"]),
    ChannelKind.SYSTEM: lambda _: SYSTEM,
}
SIGNED: list[Person] = [person for person in Person if person != Person.STRANGER]
PLACES = (Place.SHOWN, Place.HIDDEN)
_PREFIXES = {"course_id": "crs", "quiz_id": "quz", "attempt_id": "att", "user_id": "usr"}
_WORDS = {"forbidden": Verdict.OTHER_HAND, "not_enrolled": Verdict.NOT_ENROLLED, "not_found": Verdict.HIDDEN}


@dataclass
class LiveSchool:
    """The school of the nine, each of them with a line of their own."""

    school: RightsSchool
    lines: dict[Person, Watcher]

    async def ask(self, person: Person, command: str, place: Place, **ids: str) -> Frame:
        """The reply to a command with its fields filled."""
        who = self.school.people[person]
        facts = self.school.places[place] | {"own_id": who.user_id, "token": who.tokens["access_token"]} | ids
        fields = {
            name: value.format_map(facts) if isinstance(value, str) else value
            for name, value in FIELDS[command].items()
        }
        if command in HEARD:
            await self.lines[person].ok("subscribe", channel=fields["channel"])
        return await self.lines[person].ask(command, **fields)

    async def subscribe(self, person: Person, channel: str) -> Frame:
        """The reply to a wish to listen; who may does so no longer afterwards."""
        reply = await self.lines[person].ask("subscribe", channel=channel)
        if reply["ok"]:
            await self.lines[person].ok("unsubscribe", channel=channel)
        return reply


@pytest.fixture(scope="module", params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with rights_house(request, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
async def school(house: House) -> RightsSchool:
    return await opened(house)


@pytest.fixture
async def live(school: RightsSchool) -> AsyncIterator[LiveSchool]:
    """Lines of this test's own: who asks for everything over one of them is told to slow down."""
    async with AsyncExitStack() as stack:
        lines: dict[Person, Watcher] = {
            person: await stack.enter_async_context(watching(school.people[person])) for person in SIGNED
        }
        yield LiveSchool(school, lines)


def test_every_command_and_every_kind_of_channel_is_asked_for() -> None:
    assert set(FIELDS) == set(COMMANDS), "say in FIELDS what the new command is sent with"
    assert set(CHANNELS) == set(CHANNEL_RIGHTS) == set(ChannelKind)


@pytest.mark.parametrize("command", COMMANDS)
async def test_everybody_is_told_what_the_table_says(live: LiveSchool, command: str) -> None:
    row, faults = COMMANDS[command], []
    assert row.reach is not None
    for place in PLACES:
        for person in SIGNED:
            said = verdict(
                person,
                door=SIGNED_IN,
                reach=row.reach,
                is_own_alone=row.is_own_alone,
                is_shown=place == Place.SHOWN,
            )
            told = _told(command, await live.ask(person, command, place))
            if told != said:
                faults.append(f"{person}, {place}: {told}, the table says {said}")
    assert faults == []


def _told(command: str, reply: Frame) -> Verdict | str:
    if reply["ok"] or reply["error"]["code"] == ENDS.get(command):
        return Verdict.ALLOWED
    return _WORDS.get(reply["error"]["code"], orjson.dumps(reply["error"]).decode())


@pytest.mark.parametrize("kind", ChannelKind)
async def test_everybody_hears_what_the_table_says_and_the_rest_is_not_there(
    live: LiveSchool, kind: ChannelKind
) -> None:
    right, faults = CHANNEL_RIGHTS[kind], []
    for place in PLACES:
        ids = live.school.places[place]
        unknown = ids | {name: new_id(prefix) for name, prefix in _PREFIXES.items()}
        for person in SIGNED:
            said = verdict(person, door=SIGNED_IN, reach=right.reach, is_shown=place == Place.SHOWN)
            reply = await live.subscribe(person, CHANNELS[kind](ids))
            if reply["ok"] != (said == Verdict.ALLOWED):
                faults.append(f"{person}, {place}: {reply}, the table says {said}")
            if not reply["ok"]:
                absent = await live.subscribe(person, CHANNELS[kind](unknown))
                assert absent["error"] == reply["error"], "what is hidden is told as what is not there"
    assert faults == []


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_stranger_says_nothing_before_their_name(live: LiveSchool, command: str) -> None:
    async with connect(live_url(live.school.house.address), compression=None, proxy=None) as socket:
        await socket.send(orjson.dumps({"id": 1, "type": command, **FIELDS[command]}).decode())
        reply = orjson.loads(await socket.recv())
        assert (reply["ok"], reply["error"]["code"]) == (False, "unauthenticated")
        await socket.wait_closed()
        assert socket.close_code == Close.NOT_SIGNED_IN.code


async def test_an_order_for_what_is_hidden_is_refused_like_one_for_nothing(live: LiveSchool) -> None:
    ids = live.school.places[Place.HIDDEN]
    nothing = {"quiz_id": new_id("quz"), "attempt_id": new_id("att"), "notification_id": new_id("ntf")}
    nothing["enrollment_id"] = f"{new_id('usr')}:{new_id('crs')}"
    named = {command: fields for command, fields in FIELDS.items() if set(nothing) & set(fields)}
    assert len(named) >= 12
    for command in named:
        for person in (Person.OTHER, Person.OTHER_TEACHER):
            hidden, absent = (
                await live.ask(person, command, Place.HIDDEN),
                await live.ask(person, command, Place.HIDDEN, **nothing),
            )
            assert hidden["error"] == absent["error"], command
            assert ids["quiz_id"] not in orjson.dumps(hidden).decode()


async def test_who_is_there_is_known_by_name_to_who_teaches_and_in_a_chat_to_all(live: LiveSchool) -> None:
    ids = live.school.places[Place.SHOWN]
    for kind, persons in (
        (ChannelKind.COURSE, (Person.OWNER, Person.ENROLLED, Person.TEACHER, Person.ADMIN)),
        (ChannelKind.COURSE_CHAT, (Person.OWNER, Person.ENROLLED, Person.TEACHER)),
        (ChannelKind.ATTEMPT, (Person.OWNER, Person.TEACHER)),
        (ChannelKind.SYSTEM, (Person.OTHER, Person.OTHER_TEACHER, Person.ADMIN)),
    ):
        channel = CHANNELS[kind](ids)
        for person in persons:
            await live.lines[person].ok("subscribe", channel=channel)
        for person in persons:
            shown = await live.lines[person].ok("presence", channel=channel)
            sees_names = person == Person.ADMIN or (person == Person.TEACHER and kind != ChannelKind.SYSTEM)
            sees_names = sees_names or kind == ChannelKind.COURSE_CHAT
            assert (shown["count"] >= len(persons), bool(shown["users"])) == (True, sees_names), (kind, person)
        for person in persons:
            await live.lines[person].ok("unsubscribe", channel=channel)


async def test_what_happens_where_one_may_not_listen_is_heard_by_nobody_else(live: LiveSchool) -> None:
    """An enrolment names its student: to the course's teachers. To whose it is, their own channel tells the rest."""
    ids, newcomer = live.school.places[Place.SHOWN], await live.school.house.student("Nadia Newcomer")
    course, staff = CHANNELS[ChannelKind.COURSE](ids), CHANNELS[ChannelKind.COURSE_STAFF](ids)
    listening = dict.fromkeys(SIGNED, (course, staff))
    for person, channels in listening.items():
        for channel in channels:
            await live.lines[person].ask("subscribe", channel=channel)
    await factories.enrolled(newcomer, ids["course_id"])
    for person in (Person.TEACHER, Person.ADMIN):
        (told,) = [frame for frame in await live.lines[person].hears(staff, 1) if frame["event"] == "new_enrollment"]
        assert told["data"]["student_name"] == "Nadia Newcomer"
    for person in SIGNED:
        await live.lines[person].ok("ping")  # what was on its way before has come
        if person not in {Person.TEACHER, Person.ADMIN}:
            assert "Nadia" not in orjson.dumps(live.lines[person].frames).decode(), person
    for person, channels in listening.items():
        for channel in channels:
            await live.lines[person].ok("unsubscribe", channel=channel)


async def test_a_token_of_somebody_else_prolongs_no_line(live: LiveSchool) -> None:
    other = live.school.people[Person.OTHER]
    reply = await live.lines[Person.OWNER].ask("auth.refresh", token=other.tokens["access_token"])
    assert (reply["ok"], reply["error"]["code"]) == (False, "invalid_token")


async def test_history_is_for_who_listens_now(live: LiveSchool) -> None:
    for kind in (ChannelKind.COURSE_STAFF, ChannelKind.QUIZ_LIVE, ChannelKind.ATTEMPT):
        channel = CHANNELS[kind](live.school.places[Place.SHOWN])
        for command in HEARD:
            reply = await live.lines[Person.OTHER].ask(command, channel=channel)
            assert (reply["ok"], reply["error"]["code"]) == (False, "not_subscribed")


def test_no_kind_of_channel_is_open_to_all_but_the_one_for_all() -> None:
    open_to_all = {kind for kind, right in CHANNEL_RIGHTS.items() if right.reach in {Reach.ALL, Reach.SELF}}
    assert open_to_all == {ChannelKind.SYSTEM}
