"""The table of scenarios that every client of the live protocol is run against: `client_scenarios.json`, and who plays it.

A scenario is a list of steps, each of the server's (accept, expect, reply, send, close …) or of the client's (do …). `hear` says
what the client's caller has heard since the last `hear`, in order.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from lms_rt.realtime.close_codes import Close
from tests.live.scripted_server import PATIENCE_SECONDS, WELCOME, Frame, ScriptedLine, ScriptedServer

Steps = list[dict[str, Any]]


class ClientDriver(ABC):
    """A client in whatever language, and what its caller does and hears. Words of `heard`:

    `event CHANNEL OFFSET`, `state CHANNEL NAME`, `reset CHANNEL`, `refused CHANNEL CODE`, `notice TYPE`, `NAME is RESULT`,
    `NAME failed CODE` (`offline` when it was not answered), `ended CODE`, `refreshed`.
    """

    @abstractmethod
    def do(self, action: str, fields: Mapping[str, Any]) -> None:
        """Let the caller do something, `times` over; what comes of it is heard."""

    @abstractmethod
    def heard(self) -> list[str]:
        """All that was heard by now."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """`is_up`, `is_degraded`, `clock_error_ms`, `connections`, `rows_ended` (how often a row of failures ended)."""


def _load() -> dict[str, Steps]:
    text = Path(__file__).with_name("client_scenarios.json").read_text(encoding="utf-8")
    loaded: dict[str, Steps] = json.loads(text)
    return loaded


def _closing(close: Close) -> Steps:
    """What a client does after a close with this number."""
    after: dict[str, Any] = {"accept": {}} if close.may_reconnect else {"hear": [f"ended {close.code}"]}
    return [{"do": "start"}, {"accept": {}}, {"close": close.code}, after]


SCENARIOS: Mapping[str, Steps] = {
    **_load(),
    **{f"a close with {close.code} ({close.reason})": _closing(close) for close in Close},
}


@dataclass(slots=True)
class _Play:
    server: ScriptedServer
    client: ClientDriver
    line: ScriptedLine | None = None
    command_id: Any = None
    place: int = 0

    @property
    def on(self) -> ScriptedLine:
        assert self.line is not None
        return self.line

    # --- steps, each a method by its name ---

    def do(self, action: str, step: Frame) -> None:
        self.client.do(action, step)

    def accept(self, wanted: Frame, step: Frame) -> None:
        self.line = self.server.accept()
        if "ticket" in wanted:
            assert self.line.query.get("ticket") == wanted["ticket"]
        if step.get("welcome", True):
            self.line.send({**WELCOME, **step.get("with", {})})

    def accept_and_be_slow(self, heartbeat_ms: int, _: Frame) -> None:
        """Asked whether anybody is there, say something else: then it is asked again, on the same line.

        Where this machine was too busy to say so in time, the next line is given more of it.
        """
        for patience in (1, 4, 16):
            self.accept({}, {"with": {"heartbeat_ms": patience * heartbeat_ms}})
            try:
                self.expect({"type": "ping"}, {})
                self.on.send({"type": "restored"})
                self.expect({"type": "ping"}, {})
            except ConnectionClosed:
                self.on.is_done.set()
                continue
            assert self.client.heard()[-1:] == ["notice restored"]
            return
        raise AssertionError("it is taken for dead")

    def welcome(self, fields: Frame, _: Frame) -> None:
        self.on.send({**WELCOME, **fields})

    def expect(self, wanted: Frame, _: Frame) -> None:
        command = self.on.command()
        self.command_id = command.pop("id")
        given = {name: value for name, value in command.items() if value is not None}
        assert given == wanted

    def expect_times(self, count: int, step: Frame) -> None:
        for _ in range(count):
            self.command_id = self.on.command()["id"]
        if step.get("and_no_more"):
            try:
                more = self.on.command(timeout=0.1)
            except TimeoutError:
                return
            raise AssertionError(f"one more: {more}")

    def sync(self, reply: Frame, _: Frame) -> None:
        command = self.on.command()
        assert command["type"] == "time.sync"
        self.command_id = command["id"]
        self.reply({"t0": command["t0"], **reply}, {})

    def reply(self, result: Frame, _: Frame) -> None:
        self.on.send({"id": self.command_id, "ok": True, "result": result})

    def refuse(self, error: Frame, _: Frame) -> None:
        error = {"message": "No.", "fields": [], "data": {}, **error}
        self.on.send({"id": self.command_id, "ok": False, "error": error})

    def send(self, frame: Frame, _: Frame) -> None:
        self.on.send(frame)

    def events(self, offsets: list[int], step: Frame) -> None:
        for offset in range(offsets[0], offsets[-1] + 1):
            self.on.send(event(offset, epoch=step.get("epoch", "e1"), data=step.get("data")))

    def close(self, code: int, _: Frame) -> None:
        self.on.close(code)

    def cut(self, _: Any, __: Frame) -> None:
        self.on.cut()

    def await_end(self, _: Any, __: Frame) -> None:
        self.on.await_end()

    def hear(self, wanted: list[str], _: Frame) -> None:
        """All of it and nothing else, now or soon."""
        self._await(
            lambda: self.client.heard()[self.place :] == wanted, lambda: self.client.heard()[self.place :], wanted
        )
        self.place += len(wanted)

    def hear_events(self, offsets: list[int], _: Frame) -> None:
        self.hear([f"event course:1 {offset}" for offset in range(offsets[0], offsets[-1] + 1)], {})

    def state(self, wanted: Frame, _: Frame) -> None:
        self._await(lambda: self.client.state().items() >= wanted.items(), self.client.state, wanted)

    def clock_error(self, bounds: list[float], _: Frame) -> None:
        low, high = bounds
        self._await(lambda: low <= self.client.state()["clock_error_ms"] < high, self.client.state, bounds)

    def _await(self, is_so: Any, what: Any, wanted: Any) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what()} instead of {wanted}")
            time.sleep(0.002)


def event(offset: int, *, epoch: str = "e1", data: Frame | None = None) -> Frame:
    """An event on `course:1`."""
    place = {"channel": "course:1", "event": "announcement", "epoch": epoch, "offset": offset, "id": f"evt_{offset}"}
    return {"type": "event", **place, "at": "2025-03-01T10:00:00.000Z", "data": data or {}}


def play(steps: Steps, server: ScriptedServer, client: ClientDriver) -> None:
    """Play a scenario to its end."""
    running = _Play(server, client)
    for number, step in enumerate(steps, start=1):
        name = next(iter(step))
        try:
            getattr(running, name)(step[name], step)
        except Exception as error:
            raise AssertionError(
                f"step {number}, {step}: {error or type(error).__name__}; heard {client.heard()}"
            ) from error
