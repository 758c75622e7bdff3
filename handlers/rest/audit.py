"""REST: the audit log. Reading alone; nothing here writes it."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.audit import AuditPage, AuditQuery
from lms_rt.security.rights import Reach


async def list_audit_records(call: Call) -> Reply:
    """Newest first."""
    return Reply(await call.services.audit_log.list(call.actor, call.query))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/admin/audit-logs",
        list_audit_records,
        needs("audit:view"),
        reach=Reach.ALL,
        query=AuditQuery,
        reply=AuditPage,
        summary="The audit log",
        description=(
            "What administrators changed, and everything that was done in somebody else's place; newest first. Nothing can"
            " be changed here. `fields` names what changed; of each value there is a keyed hash, equal for equal values."
            " `hash` chains each record to the one before it: `python3 run.py verify-audit` follows the chain. Filters:"
            " `actor_id`, `impersonator_id`, `action`, `kind`, `target_id`, `request_id`, `from`, `to`."
        ),
    ),
)
