"""What a 202 promises is done, though the process that gave it ends right after; and is not given while nobody could keep it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from config.settings import Settings
from documents.job import Job
from documents.user import User
from lms_rt.bus.memory import SilentWakeUps
from lms_rt.clock import FakeClock
from lms_rt.contracts.accounts import RegistrationDraft
from lms_rt.contracts.jobs import task_kind
from lms_rt.security.keyring import Keyring
from lms_rt.services.jobs import Hopeless, Jobs
from lms_rt.services.later import Later
from lms_rt.services.promises import PATIENCE, TASK, Promises
from lms_rt.storage.mongo import OpenDatabase
from tests.services.people import PASSWORD, open_people

MAIL = "mona.the.owner@example.org"


class Gone(Later):
    """A process that ends before it comes to what was to be done later."""

    def put(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Nothing comes of it."""


@dataclass
class Giver:
    """Who gives promises, and what was kept of them."""

    later: Later
    clock: FakeClock = field(default_factory=FakeClock)
    kept: list[Mapping[str, Any]] = field(default_factory=list)
    rows_then: list[int] = field(default_factory=list)
    """How many promises were in the database when each was kept."""

    def __post_init__(self) -> None:
        jobs = Jobs(clock=self.clock, wake_ups=SilentWakeUps())
        self.promises = Promises(clock=self.clock, jobs=jobs, later=self.later, keyring=Keyring("k" * 32))
        self.promises.add("a mail", self._keep)

    async def _keep(self, facts: Mapping[str, Any]) -> None:
        self.kept.append(facts)
        self.rows_then.append(len(await rows()))

    async def give(self) -> None:
        await self.promises.give("a mail", {"to": MAIL})


async def rows() -> list[dict[str, Any]]:
    return [row async for row in Job.rows().find({"task": TASK})]


@pytest.fixture
async def giver(database: OpenDatabase) -> AsyncIterator[Giver]:
    """One whose process goes on."""
    giver = Giver(Later())
    yield giver
    await giver.later.close()


async def test_it_is_kept_after_the_answer_and_leaves_nothing(giver: Giver) -> None:
    await giver.give()
    await giver.later.settled()
    assert (giver.kept, giver.rows_then) == ([{"to": MAIL}], [1]), "it is in the database before anybody does anything"
    assert await rows() == []


async def test_a_worker_keeps_it_for_a_process_that_ended(giver: Giver) -> None:
    await Giver(Gone()).give()
    (row,) = await rows()
    assert row["due_at"] - row["created_at"] == PATIENCE, "its own process comes first"
    assert MAIL not in str(row), "and nobody reads whom it is about"
    args = task_kind(TASK).args.model_validate(row["args"])
    await giver.promises.keep(row["_id"], **args.model_dump())
    assert giver.kept == [{"to": MAIL}]


async def test_it_is_kept_by_nobody_who_has_not_the_key(giver: Giver) -> None:
    await Giver(Gone()).give()
    (row,) = await rows()
    for job_id, facts in (("job_other", row["args"]["facts"]), (row["_id"], {})):
        with pytest.raises(Hopeless):
            await giver.promises.keep(job_id, "a mail", facts)
    assert giver.kept == []
    (row,) = await rows()
    assert row["args"]["facts"] == {}, "nor does it lie there for who has"


async def test_what_cannot_be_kept_is_not_promised(giver: Giver, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any) -> None:
        raise ServerSelectionTimeoutError("away")

    monkeypatch.setattr(Job, "put", away)
    with pytest.raises(ServerSelectionTimeoutError):
        await giver.give()
    await giver.later.settled()
    assert giver.kept == []


async def test_a_fault_on_the_way_is_made_good_by_a_worker(giver: Giver) -> None:
    giver.promises.add("a mail", _broken)
    await giver.give()
    await giver.later.settled()
    assert len(await rows()) == 1


async def _broken(_: Mapping[str, Any]) -> None:
    raise ServerSelectionTimeoutError("away")


async def test_a_registration_that_is_kept_twice_makes_one_account(settings: Settings, database: OpenDatabase) -> None:
    hidden = settings.model_copy(update={"registration_hides_existing": True})
    async with open_people(hidden) as people:
        people.registration._links.promises._later = Gone()
        draft = RegistrationDraft(email=MAIL, password=PASSWORD, full_name="Mona Farouk")
        assert await people.registration.register(draft) is None
        (row,) = await rows()
        for _ in range(2):
            await people.registration._links.promises.keep(row["_id"], **row["args"])
        assert await User.rows().count_documents({"email": MAIL}) == 1
        templates = [job["args"]["template"] async for job in Job.rows().find({"task": "mail.send"})]
        assert "registration_existing" not in templates, "they met themselves, and nobody else"
