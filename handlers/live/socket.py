"""The routes of the live socket: who asks is settled in HTTP, where refusals are problems; then the line is a `Dialogue`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any

from tornado.web import RequestHandler

from config.logging import current_request_id, own_request_id
from handlers.exchange import this_exchange
from handlers.live.commands import Command
from handlers.live.credentials import SocketCredentials
from handlers.live.dialogue import Dialogue, Reception
from handlers.live.handshake import VERSION, accepted_headers, check_handshake, take_socket
from handlers.live.lines import Lines
from handlers.live.table import COMMANDS
from handlers.origins import Origins
from handlers.rest.errors import problem_of
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Refused
from lms_rt.storage.faults import faults_translated

if TYPE_CHECKING:
    from lms_rt.bootstrap import Services

AUTH_SECONDS = 5

_log = logging.getLogger(__name__)


class LiveSocket(RequestHandler):
    """The handshake of one socket. Nothing of it is left when the line is up."""

    def initialize(self, reception: Reception) -> None:
        """Take what the route brings."""
        self._reception = reception
        self._actor: Actor | None = None

    async def prepare(self) -> None:
        """Handshake, origin and credentials; a refusal is an HTTP problem."""
        this_exchange().route = self.request.path.rstrip("/")
        origins: Origins = self.application.settings["origins"]
        try:
            check_handshake(self.request)
            with faults_translated():
                self._actor = await SocketCredentials(self._reception.services, origins).identify(self.request)
                if self._actor is not None and self._actor.is_impersonated:
                    await self._reception.services.audit.note_use(self._actor, "socket", f"GET {self.request.path}")
            this_exchange().user_id = self._actor.user_id if self._actor else ""
        except Refused as refused:
            self._answer_problem(refused)

    async def get(self) -> None:
        """Answer the handshake, and take the socket out of Tornado's hands."""
        self.set_status(101)
        for name, value in accepted_headers(self.request).items():
            self.set_header(name, value)
        self.finish()
        taken = await take_socket(self.detach())
        if taken is None:
            return
        context = Context()  # of its own, so that the line does not hold on to this request
        context.run(current_request_id.set, this_exchange().request_id)
        context.run(own_request_id.set, own_request_id.get())
        context.run(self._hand_over, *taken)

    def log_exception(self, *error: Any) -> None:
        """Without the URL, which may hold a ticket or a token."""
        _log.error("fault in the handshake of a live socket", exc_info=error)

    def _hand_over(self, line: Any, data: bytes) -> None:
        Dialogue(self._reception, line).begin(self._actor, data=data, auth_seconds=AUTH_SECONDS)

    def _answer_problem(self, refused: Refused) -> None:
        problem = problem_of(refused, this_exchange().request_id)
        media_type, body = problem.encoded(has_envelope=False)
        self.set_status(problem.status)
        headers = {**problem.headers, "Content-Type": media_type, "Cache-Control": "no-store"}
        for name, value in {**headers, "Sec-WebSocket-Version": VERSION}.items():
            self.set_header(name, value)
        self.finish(body)


def live_rules(
    services: Services, commands: Mapping[str, Command] = COMMANDS, *, lines: Lines | None = None
) -> list[Any]:
    """The routes of the live socket, and of the same with the caller's own channel subscribed to from the start."""
    lines = lines if lines is not None else Lines()
    return [
        (r"/ws/?", LiveSocket, {"reception": Reception(services, commands, lines)}),
        (
            r"/ws/notifications/?",
            LiveSocket,
            {"reception": Reception(services, commands, lines, hears_own_channel=True)},
        ),
    ]
