"""A class that sits a quiz on live lines while something else happens, as long as the block lasts."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from lms_rt.client.live import LiveClient
from lms_rt.console.simulate.answers import answer, can_be_answered
from lms_rt.services.demo import DEMO_PASSWORD
from tests.browser.window import DemoSchool

_SECONDS = 60


class SittingClass:
    """Each student answers so many questions as are drawn for them and looks at the next; some have handed in, one left."""

    def __init__(self, school: DemoSchool, emails: Sequence[str], *, seed: int) -> None:
        self._school, self._emails, self._draw = school, emails, random.Random(seed)  # noqa: S311
        self._quiz_id = school.quiz["id"]
        self._settled, self._left = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._fault: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._settled.wait(_SECONDS) or self._fault is not None:
            raise RuntimeError("the class did not come to sit") from self._fault
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._left.set)
        self._thread.join(_SECONDS)
        self._loop.close()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._sit())
        except BaseException as error:  # noqa: BLE001 - told to who waits for the class
            self._fault = error
            self._settled.set()

    async def _sit(self) -> None:
        sitting = asyncio.Barrier(len(self._emails) + 1)
        async with asyncio.TaskGroup() as students:
            for place, email in enumerate(self._emails):
                students.create_task(self._student(email, place, sitting))
            await sitting.wait()
            self._settled.set()

    async def _student(self, email: str, place: int, sitting: asyncio.Barrier) -> None:
        async with httpx.AsyncClient(base_url=f"{self._school.address}/api/v1", timeout=_SECONDS) as http:
            signed_in = await http.post("/auth/login", json={"email": email, "password": DEMO_PASSWORD})
            http.headers["Authorization"] = f"Bearer {signed_in.raise_for_status().json()['access_token']}"

            async def ticket() -> str:
                return str((await http.post("/auth/ws-ticket")).raise_for_status().json()["ticket"])

            async with LiveClient(f"ws{self._school.address.removeprefix('http')}/ws", ticket=ticket) as live:
                await self._answer(live, place)
                if place == 1:
                    await live.close()
                await sitting.wait()
                await self._left.wait()

    async def _answer(self, live: LiveClient, place: int) -> None:
        device = f"seat-{place}"
        attempt = await live.insist("attempt.start", quiz_id=self._quiz_id, device_id=device)
        asked = [question for question in attempt["questions"] if can_be_answered(question)]
        last = self._draw.randint(1, len(asked) - 1)
        for seq, question in enumerate(asked[:last], 1):
            fields = {"value": answer(question, self._draw), "op_id": f"{device}-{seq}", "seq": seq, "base_revision": 0}
            common: dict[str, Any] = {"attempt_id": attempt["id"], "question_id": question["id"]}
            await live.insist("answer.save", **common, **fields, device_id=device, lease=attempt["lease"])
        await live.insist("attempt.look", attempt_id=attempt["id"], question_id=asked[last]["id"])
        if place % 6 == 5:
            await live.insist("attempt.submit", attempt_id=attempt["id"])
