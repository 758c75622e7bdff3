"""Every day: findings that are so no longer. What was let go, paid back, recognised or put right waits for nobody any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from documents.base import Row
from documents.enums import RefundStatus
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from documents.refund import Refund
from lms_rt.contracts.payment_findings import FindingKind
from lms_rt.services.payments.access import Access
from lms_rt.services.payments.findings import Findings
from lms_rt.services.payments.journal import Journal
from lms_rt.services.payments.payment_alarms import is_over
from lms_rt.services.payments.reconcile_unnamed import NOT_NAMED, is_named
from lms_rt.services.payments.walking import Page, tried

PAGE = 200
_WENT_THROUGH = frozenset({RefundStatus.PENDING, RefundStatus.COMPLETED})


class Mending:
    """Looks through what is open. The rest is mended where it is found."""

    def __init__(self, *, access: Access, journal: Journal, findings: Findings) -> None:
        self._access, self._journal, self._findings = access, journal, findings
        self._rules: Mapping[FindingKind, Callable[[Row], Awaitable[bool]]] = {
            "held_payment": _waits_no_longer,
            "duplicate_payment": _waits_no_longer,
            "unknown_payment": _is_known,
            "refund_failed": _went_through,
            "journal_unbalanced": self._agrees,
            "paid_no_access": self._is_in_line,
            "access_not_paid": self._is_in_line,
        }

    async def mend_some(self, state: Row) -> Page:
        """A page of what is open, one kind after the other: `kind` counts them, `after` is the last one's id."""
        number, kinds = state.get("kind", 0), list(self._rules.items())
        kind, is_mended = kinds[number]
        rows = await PaymentFinding.page_open(kind, after=state.get("after") or "", limit=PAGE)
        page = Page(state | {"kind": number, "after": rows[-1]["_id"] if rows else None})
        if len(rows) < PAGE:
            page.state = state | {"kind": number + 1, "after": None} if number + 1 < len(kinds) else None
        for row in rows:
            done = await tried(row["_id"], self._mend(kind, row, is_mended))
            page.seen, page.failed = page.seen + done, page.failed + (not done)
        return page

    async def _mend(self, kind: FindingKind, row: Row, is_mended: Callable[[Row], Awaitable[bool]]) -> None:
        if await is_mended(row):
            await self._findings.mended(kind, row["_id"].partition(":")[2])

    async def _agrees(self, row: Row) -> bool:
        payment_id = row["refs"].get("payment_id")
        return payment_id is not None and await self._journal.imbalance(payment_id) is None

    async def _is_in_line(self, row: Row) -> bool:
        refs = row["refs"]
        if row["facts"].get("reason") == NOT_NAMED:
            return await is_named(row, self._access)
        return (await self._access.due(refs["user_id"], refs["course_id"])).is_in_line


async def _waits_no_longer(row: Row) -> bool:
    payment = await Payment.find_row(row["refs"].get("payment_id", ""))
    return payment is not None and is_over(payment)


async def _is_known(row: Row) -> bool:
    refs = row["refs"]
    return await Payment.find_by_intent(refs.get("gateway", ""), refs.get("intent_id", "")) is not None


async def _went_through(row: Row) -> bool:
    """One of which nothing had been heard."""
    refund = await Refund.find_row(row["refs"].get("refund_id", ""))
    if refund is None or row["facts"].get("was_called_off"):
        return False  # it was made though it was called off: somebody is to know
    is_known_to_wait = row["facts"].get("status") == RefundStatus.PENDING
    return refund["status"] in ({RefundStatus.COMPLETED} if is_known_to_wait else _WENT_THROUGH)
