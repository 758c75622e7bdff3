"""Commands about the session of a connection: `auth.refresh` prolongs it in place."""

from __future__ import annotations

from typing import Any

from handlers.live.commands import Command, LiveSession
from lms_rt.clock import rfc3339_of_ms
from lms_rt.contracts.live import AuthRefreshCommand, SessionView
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.rights import Reach


async def refresh(session: LiveSession, command: AuthRefreshCommand) -> dict[str, Any]:
    """Take a newer token of the same session."""
    sessions = session.services.sessions
    if command.token is not None and command.ticket is None:
        actor = await sessions.authenticate(command.token)
    elif command.ticket is not None and command.token is None:
        actor = await sessions.consume_ticket(command.ticket)
    else:
        fault = FieldError("token", "Send either a token or a ticket.", "required")
        raise Refused(Code.INVALID_COMMAND, fields=(fault,))
    if (actor.user_id, actor.session_id) != (session.actor.user_id, session.actor.session_id):
        raise Refused(Code.INVALID_TOKEN, "The token is of another session; open a new connection with it.")
    session.services.node.renew(session.connection, actor)
    return {"session_expires_at": rfc3339_of_ms(actor.expires_at_ms)}


COMMANDS: tuple[Command, ...] = (Command("auth.refresh", AuthRefreshCommand, refresh, SessionView, reach=Reach.SELF),)
