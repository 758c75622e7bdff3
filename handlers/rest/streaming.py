"""The handler of operations whose bodies are never held: they run while the body comes, and take it piece by piece.

Who may do it at all is settled before the first byte is read; whoever only sends the head and waits (`Expect`) hears it then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from tornado.web import stream_request_body

from handlers.edge import MAX_DRAINED_BYTES
from handlers.rest.answers import Answer
from handlers.rest.base import RestHandler, Spine
from handlers.rest.calls import Call
from handlers.rest.dispatch import Match
from handlers.rest.incoming import BodyCut, BodyStalled, Incoming
from lms_rt.errors import Code, Refused
from lms_rt.storage.faults import faults_translated

BODY_SECONDS = 6 * 3600.0
"""A body ends by then, however steadily it comes; `incoming.py` sees to those that do not come steadily."""
REFUSED_SECONDS = 15.0
"""Whoever was refused has so long to end a small body; then they are told, and cut off."""
GONE = 499
"""What the log says of a client that left in the middle of its body; nobody is answered with it."""

_log = logging.getLogger("lms_rt.rest")
_working: set[asyncio.Task[Answer | None]] = set()
"""What is still at work: it cleans up after a client that went away."""


async def drained(*, patience_seconds: float) -> None:
    """What is still at work comes to its end; what does not by then is told to stop, and cleans up."""
    if not _working:
        return
    _, late = await asyncio.wait(set(_working), timeout=patience_seconds)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=patience_seconds)


@stream_request_body
class StreamedHandler(RestHandler):
    """Answers one request of an operation that `is_streamed`."""

    def initialize(self, spine: Spine, match: Match | None = None, refused: Refused | None = None) -> None:
        """Take what the application found out."""
        super().initialize(spine, match, refused)
        self._incoming = Incoming()
        self._work_task: asyncio.Task[Answer | None] | None = None
        self._outcome: Answer | None = None
        self._is_whole = False
        self._ending: asyncio.TimerHandle | None = None

    async def prepare(self) -> None:
        """Settle who asks; then work, beside the body that comes."""
        connection: Any = self.request.connection
        connection.set_body_timeout(BODY_SECONDS)
        try:
            with faults_translated():
                await self._admitted()
                self._refuse_too_long()
                call = await self._read(self._operation, self._match)  # type: ignore[arg-type]  # `_admitted` has looked
        except Refused as refused:
            self._outcome = self._refusal(refused)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, answered as 500
            self._outcome = self._fault(error)
        else:
            self._work_task = task = asyncio.create_task(self._worked(call), name=f"body of {self._exchange.route}")
            _working.add(task)
            task.add_done_callback(_ended)
            return
        self._drop_the_rest()
        if self._announced_bytes > MAX_DRAINED_BYTES or "Expect" in self.request.headers:
            self._write(self._outcome)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Hand it on; the client waits meanwhile."""
        if self._incoming.dropped_bytes > MAX_DRAINED_BYTES:
            self._cut_short()
        return self._incoming.give(chunk)

    def on_connection_close(self) -> None:
        """The client went away in the middle, or was sent away."""
        super().on_connection_close()
        self._drop_no_more()
        self._incoming.cut()
        if not self._finished:
            self.set_status(GONE, "Client Closed Request")
            self._finished = True
            self._log()

    async def _answer(self) -> None:
        """The body is whole: say what came of it."""
        self._drop_no_more()
        await self._incoming.end()
        if self._work_task is not None:
            await asyncio.wait({self._work_task})
            self._outcome = _outcome_of(self._work_task)
        if self._finished:  # they left while it was worked on
            return
        if self._outcome is None:
            self._cut()
        else:
            self._write(self._outcome)

    get = post = put = patch = delete = head = options = _answer

    # --- the work ---

    async def _worked(self, call: Call) -> Answer | None:
        """What came of it; None when there is nobody to tell."""
        try:
            with faults_translated():
                answer: Answer | None = await self._run(call)
        except (BodyStalled, BodyCut):
            self._hang_up()
            answer = None
        except Refused as refused:
            answer = self._refusal(refused)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, answered as 500
            answer = self._fault(error)
        finally:
            self._drop_the_rest()
        return answer

    def _drop_the_rest(self) -> None:
        """Nothing more is wanted; a body that goes on nevertheless does so for a short while only."""
        self._incoming.refuse()
        if not self._is_whole:
            self._ending = asyncio.get_running_loop().call_later(REFUSED_SECONDS, self._cut_short)

    def _drop_no_more(self) -> None:
        self._is_whole = True
        if self._ending is not None:
            self._ending.cancel()

    def _placed(self, body: Any) -> dict[str, Any]:  # noqa: ARG002 - there is none yet
        return {"incoming": self._incoming}

    def _refuse_too_long(self) -> None:
        limit = self._operation.streamed_bytes(self._spine.settings)
        if self._announced_bytes > limit:
            raise Refused(Code.TOO_LARGE, f"The body is larger than {limit} bytes.", limit_bytes=limit)

    @property
    def _announced_bytes(self) -> int:
        announced = self.request.headers.get("Content-Length", "")
        return int(announced) if announced.isdecimal() and len(announced) < 20 else 0

    def _cut_short(self) -> None:
        """It was refused long ago, and the body does not end: say so, and close."""
        if self._finished:
            return
        task = self._work_task
        outcome = _outcome_of(task) if task is not None and task.done() else self._outcome
        if outcome is not None:
            self._write(outcome)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        connection: Any = self.request.connection
        connection.close()


def _ended(task: asyncio.Task[Answer | None]) -> None:
    """It is at work no more. What it could not answer itself is logged here: after a cut nobody asks how it ended."""
    _working.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("what became of a body is not known", exc_info=error)


def _outcome_of(task: asyncio.Task[Answer | None]) -> Answer | None:
    """What came of it; None when it was told to stop, or broke."""
    return None if task.cancelled() or task.exception() is not None else task.result()
