"""The Python client in every scenario of the table that all clients share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lms_rt.client.ear import Ear
from lms_rt.client.faults import ClosedError, CommandRefusedError, LiveError
from lms_rt.client.live import LiveClient
from lms_rt.client.pacing import Backoff
from tests.browser.exam import Background
from tests.live.scenarios import SCENARIOS, ClientDriver, play
from tests.live.scripted_server import scripted_server


class CountingBackoff(Backoff):
    """Counts how often a row of failures ended."""

    rows_ended = 0

    def reset(self) -> None:
        super().reset()
        self.rows_ended += 1


class PythonDriver(ClientDriver):
    """The Python client on a loop of its own."""

    def __init__(self, background: Background, url: str) -> None:
        self._background, self._url = background, url
        self._words: list[str] = []
        self._tickets, self._tokens = iter(range(1, 100)), iter(range(1, 100))
        self._ears: dict[str, Ear] = {}
        self._snapshots: dict[str, asyncio.Queue[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._live: LiveClient | None = None
        self._backoff = CountingBackoff()

    def do(self, action: str, fields: Mapping[str, Any]) -> None:
        self._background.run(self._do(action, fields))

    def heard(self) -> list[str]:
        return list(self._words)

    def state(self) -> dict[str, Any]:
        live = self.live
        place = {"is_up": live.is_up, "is_degraded": live.is_degraded, "connections": live.connections}
        return {**place, "clock_error_ms": live.clock.error_ms, "rows_ended": self._backoff.rows_ended}

    def end(self) -> None:
        if self._live is not None:
            self._background.run(self._live.close())

    @property
    def live(self) -> LiveClient:
        assert self._live is not None
        return self._live

    async def _do(self, action: str, fields: Mapping[str, Any]) -> None:
        for _ in range(fields.get("times", 1)):
            task = asyncio.create_task(getattr(self, f"_{action}")(fields))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)

    async def _start(self, fields: Mapping[str, Any]) -> None:
        async def ticket() -> str:
            return f"t{next(self._tickets)}"

        async def token() -> str:
            return f"token{next(self._tokens)}"

        async def refresh() -> None:
            self._words.append("refreshed")

        self._backoff = CountingBackoff(*(each / 1000 for each in fields.get("backoff_ms", [1, 5])))
        self._live = LiveClient(
            self._url,
            ticket=None if fields.get("by") == "token" else ticket,
            token=token if fields.get("by") == "token" else None,
            refresh=refresh if fields.get("refreshes") else None,
            on_notice=lambda frame: self._words.append(f"notice {frame['type']}"),
            backoff=self._backoff,
        )
        self._live.start()
        ended = await self._live.ended()
        if ended.code is not None:
            self._words.append(f"ended {ended.code}")

    async def _subscribe(self, fields: Mapping[str, Any]) -> None:
        try:
            await self.live.subscribe(self._ear(fields))
        except LiveError:
            return  # heard by `on_refused`

    async def _adopt(self, fields: Mapping[str, Any]) -> None:
        self.live.adopt(self._ear(fields), dict(fields["subscription"]))

    async def _begin_at(self, fields: Mapping[str, Any]) -> None:
        ear = self._ear(fields)
        ear.begin_at(**fields["position"])
        await self.live.subscribe(ear)

    def _ear(self, fields: Mapping[str, Any]) -> Ear:
        channel = fields["channel"]
        snapshots = self._snapshots.setdefault(channel, asyncio.Queue())

        async def reset() -> Any:
            self._words.append(f"reset {channel}")
            snapshot = await snapshots.get()
            if snapshot == "failed":
                raise OSError(snapshot)
            return snapshot

        return Ear(
            channel,
            on_event=lambda frame: self._words.append(f"event {channel} {frame['offset']}"),
            on_state=lambda frame: self._words.append(f"state {channel} {frame['event']}"),
            on_reset=reset,
            on_refused=lambda refused: self._words.append(f"refused {channel} {refused.code}"),
        )

    async def _snapshot(self, fields: Mapping[str, Any]) -> None:
        self._snapshots[fields["channel"]].put_nowait(fields.get("versions", fields.get("outcome")))

    async def _unsubscribe(self, fields: Mapping[str, Any]) -> None:
        await self.live.unsubscribe(fields["channel"])

    async def _forget(self, fields: Mapping[str, Any]) -> None:
        self.live.forget(fields["channel"])

    async def _command(self, fields: Mapping[str, Any]) -> None:
        await self._tell(fields, self.live.command, is_patient=fields.get("is_patient", True))

    async def _insist(self, fields: Mapping[str, Any]) -> None:
        await self._tell(fields, self.live.insist)

    async def _tell(self, fields: Mapping[str, Any], send: Any, **options: Any) -> None:
        if "timeout_ms" in fields:
            options["timeout_seconds"] = fields["timeout_ms"] / 1000
        more = {"text": "x" * fields["size"]} if "size" in fields else {}
        try:
            result = await send(fields["type"], **options, **fields.get("fields", {}), **more)
        except CommandRefusedError as refused:
            self._words.append(f"{fields['name']} failed {refused.code}")
        except LiveError:
            self._words.append(f"{fields['name']} failed offline")
        else:
            self._words.append(f"{fields['name']} is {json.dumps(result, separators=(',', ':'))}")

    async def _measure_clock(self, _: Mapping[str, Any]) -> None:
        await self.live.measure_clock(rounds=3)

    async def _drop(self, _: Mapping[str, Any]) -> None:
        self.live.drop()

    async def _hurry(self, _: Mapping[str, Any]) -> None:
        self.live.hurry()

    async def _close(self, _: Mapping[str, Any]) -> None:
        await self.live.close()


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.stop()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, background: Background) -> None:
    with scripted_server() as server:
        driver = PythonDriver(background, server.url)
        try:
            play(SCENARIOS[name], server, driver)
        finally:
            driver.end()


def test_a_refusal_that_ends_a_client_is_told_to_whoever_waits(background: Background) -> None:
    async def refused() -> str:
        raise ValueError("no such account")

    async def connect() -> None:
        async with LiveClient("ws://127.0.0.1:1/ws", ticket=refused):
            pass

    with pytest.raises(ClosedError, match="no such account"):
        background.run(connect())
