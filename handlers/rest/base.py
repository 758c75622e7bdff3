"""The one Tornado handler of the REST API: it reads a request into a `Call`, runs its operation, writes the answer.

What an operation does is in its domain's file; what may go wrong becomes a response in `errors.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from config.settings import Settings
from handlers.exchange import this_exchange
from handlers.origins import Origins
from handlers.rest.answers import Answer, answer_of, answer_of_problem, compressed
from handlers.rest.bodies import read_body, read_query
from handlers.rest.calls import Call
from handlers.rest.conditions import expected_version, refuse_unacceptable
from handlers.rest.credentials import Credentials
from handlers.rest.dispatch import Match
from handlers.rest.errors import phrase_of, problem_of, problem_of_fault
from handlers.rest.limits import Limits, limit_headers, refuse_too_many
from handlers.rest.operations import Operation
from handlers.rest.replays import run_once
from lms_rt.contracts.actor import STRANGER, Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.rate_limits import LimitClass
from lms_rt.storage.faults import faults_translated

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

STALL_SECONDS = 30.0
"""Who takes nothing of a long answer for so long has gone."""
VARY = "Accept, Accept-Encoding, Authorization, Cookie, Origin"


@dataclass(frozen=True, slots=True)
class Spine:
    """What every REST request needs; made once by `handlers/app.py`."""

    services: Services
    settings: Settings
    credentials: Credentials
    origins: Origins
    limits: Limits


class RestHandler(RequestHandler):
    """Answers one request: its match in the route table, or a refusal that was settled at the edge."""

    def initialize(self, spine: Spine, match: Match | None = None, refused: Refused | None = None) -> None:
        """Take what the application found out."""
        self._spine, self._match, self._refused = spine, match, refused
        self._has_envelope = spine.settings.api_response_envelope_enabled
        self._exchange = this_exchange()
        self._limit_headers: Mapping[str, str] = {}
        self._exchange.route = match.route if match else "unmatched"

    async def _answer(self) -> None:
        """Work, and write what came of it: the border where every exception becomes a response."""
        try:
            with faults_translated():
                answer = await _begun(await self._work())
        except Refused as refused:
            answer = self._refusal(refused)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, answered as 500
            answer = self._fault(error)
        if answer.stream is not None:
            await self._write_stream(answer, answer.stream)
        else:
            self._write(await compressed(answer, self.request.headers.get("Accept-Encoding", "")))

    get = post = put = patch = delete = head = options = _answer

    async def _work(self) -> Answer:
        match = await self._admitted()
        if self.request.method == "OPTIONS":
            told = match.tells(self._spine.settings) if match.tells else {}
            return Answer(204, headers={"Allow": ", ".join(match.allowed), **told})
        call = await self._read(self._operation, match)
        operation = self._operation
        self._exchange.mark("read")
        answer = await run_once(operation, call, self._run)
        self._exchange.mark("work")
        return answer

    async def _admitted(self) -> Match:
        """The match of a request that can be answered. One that cannot counts as well: asking for nonsense is asking."""
        match = self._match
        try:
            if self._refused is not None:
                raise self._refused
            if match is None:
                raise Refused(Code.ROUTE_NOT_FOUND)
            if self.request.method == "OPTIONS":
                return match
            if match.operation is None:
                raise _not_allowed(match)
            refuse_unacceptable(self.request.headers.get("Accept"), match.operation.gives)
        except Refused:
            await self._charge(STRANGER)
            raise
        return match

    async def _identified(self, operation: Operation) -> Actor:
        try:
            actor = await self._spine.credentials.identify(self.request, operation.access)
        except Refused:
            await self._charge(STRANGER)
            raise
        self._exchange.user_id = actor.user_id
        await self._charge(actor)
        if actor.is_impersonated:
            what = f"{self.request.method} {self.request.path}"
            await self._spine.services.audit.note_use(actor, "request", what)
        return actor

    async def _charge(self, actor: Actor) -> None:
        """Count the request; refused when it is one too many."""
        operation = self._match.operation if self._match else None
        name = operation.counts_as if operation else LimitClass.GENERAL.value
        if operation and operation.access.is_public and name == LimitClass.AUTH.value:
            actor = STRANGER  # who has ten accounts shall not have ten times the limit at the entrance
        charge = await self._spine.limits.charge(self.request, name, actor)
        self._limit_headers = limit_headers(charge)
        refuse_too_many(charge)

    async def _read(self, operation: Operation, match: Match) -> Call:
        request, spine = self.request, self._spine
        actor = await self._identified(operation)
        operation.admit(actor)
        self._exchange.mark("auth")
        return Call(
            services=spine.services,
            actor=actor,
            request=request,
            path=_parameters(match),
            query=read_query(operation.query, request) if operation.query else None,
            expected_version=expected_version(request.headers.get("If-Match")),
            **self._placed(await read_body(operation, request)),
        )

    def _placed(self, body: Any) -> dict[str, Any]:
        return {"upload": body} if self._operation.is_upload else {"body": body}

    async def _run(self, call: Call) -> Answer:
        operation = self._operation
        return answer_of(await operation.endpoint(call), operation, has_envelope=self._has_envelope)

    @property
    def _operation(self) -> Operation:
        assert self._match is not None and self._match.operation is not None  # noqa: S101, PT018 - `_work` has looked
        return self._match.operation

    # --- what went wrong ---

    def _refusal(self, refused: Refused) -> Answer:
        problem = problem_of(refused, self._exchange.request_id)
        return answer_of_problem(problem, has_envelope=self._has_envelope)

    def _fault(self, error: BaseException) -> Answer:
        problem = problem_of_fault(error, self._exchange.request_id, self._exchange.route)
        return answer_of_problem(problem, has_envelope=self._has_envelope)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Tornado itself refuses (a verb nobody knows, a form that is none), in our words."""
        if status_code >= 500:
            _, error, _ = kwargs.get("exc_info", (None, HTTPError(status_code), None))
            self._write(self._fault(error))
            return
        refused = self._refused or Refused(Code.ROUTE_NOT_FOUND)
        if self._refused is None and self._match is not None:
            is_verb = status_code == 405
            refused = _not_allowed(self._match) if is_verb else Refused(Code.MALFORMED_REQUEST, "The form is broken.")
        self._write(self._refusal(refused))

    def log_exception(self, *_: Any) -> None:
        """Nothing: `problem_of_fault` logs what is ours, and Tornado's words would repeat the whole URL."""

    # --- writing ---

    def compute_etag(self) -> None:
        """No hash of the body: the version is the tag."""

    def _write(self, answer: Answer) -> None:
        self._write_head(answer)
        if answer.body:
            self.finish(answer.body)
        else:
            self.finish()

    async def _write_stream(self, answer: Answer, chunks: AsyncGenerator[bytes, None]) -> None:
        """A long body as it comes. Where it breaks midway the line is cut, lest what came be taken for the whole."""
        self._write_head(answer)
        try:
            async with aclosing(chunks):
                await self._put(answer.body)
                if self.request.method != "HEAD":
                    async for chunk in chunks:
                        await self._put(chunk)
            self.finish()
        except (StreamClosedError, TimeoutError):
            self._cut()
        except Exception as error:  # noqa: BLE001 - logged with its traceback; the status has long been sent
            self._fault(error)
            self._cut()

    async def _put(self, chunk: bytes) -> None:
        self.write(chunk)
        async with asyncio.timeout(STALL_SECONDS):
            await self.flush()

    def _cut(self) -> None:
        connection: Any = self.request.connection
        connection.close()
        self.finish()  # says nothing more; counts and logs it

    def _write_head(self, answer: Answer) -> None:
        self.set_status(answer.status, phrase_of(answer.status))
        self.clear_header("Content-Type")
        self.set_header("Vary", VARY)
        is_private = answer.is_secret or bool(self._exchange.user_id)
        self.set_header("Cache-Control", "no-store" if is_private else "no-cache")
        operation = self._match.operation if self._match else None
        always = operation.always if operation else {}
        headers = {**self._spine.origins.cors_headers(self.request), **self._limit_headers, **always, **answer.headers}
        for name, value in headers.items():
            self.set_header(name, value)
        for cookie in answer.cookies:
            self.set_cookie(**cookie.arguments())
        if answer.content_type:
            self.set_header("Content-Type", answer.content_type)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Never called: bodies arrive whole, within the bounds of `handlers/edge.py`."""
        raise AssertionError(f"{len(chunk)} bytes came as a stream")


async def _begun(answer: Answer) -> Answer:
    """What goes wrong before the first piece of a long answer is a refusal like any other."""
    return answer if answer.stream is None else replace(answer, body=await anext(answer.stream, b""))


def _not_allowed(match: Match) -> Refused:
    return Refused(Code.METHOD_NOT_ALLOWED, allow=list(match.allowed))


def _parameters(match: Match) -> dict[str, str]:
    parameters = match.find_parameters()
    if parameters is None:
        raise Refused(Code.NOT_FOUND)
    return dict(parameters)
