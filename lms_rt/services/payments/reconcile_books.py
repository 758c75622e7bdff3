"""Every day: each payment against the journal and against the course that it opened, each bought course against its payment.

What differs is derived anew, which mends it; what differs still is shown to people.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from documents.base import Row
from documents.enrollment import BOUGHT, Enrollment
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import PAID, Payment
from lms_rt.contracts.payment_findings import FindingKind
from lms_rt.services import figures
from lms_rt.services.payments.access import Access, Change
from lms_rt.services.payments.finding_mending import Mending
from lms_rt.services.payments.findings import Findings, refs_of
from lms_rt.services.payments.journal import Journal

PAGE = 200
_KINDS: Mapping[Change, FindingKind] = {
    Change.ENROLLED: "paid_no_access",
    Change.RETURNED: "paid_no_access",
    Change.MOVED: "paid_no_access",
    Change.EXPIRED: "access_not_paid",
}

_log = logging.getLogger(__name__)


class Books:
    """Holds payments, journal and enrolments against each other."""

    def __init__(self, *, access: Access, journal: Journal, findings: Findings) -> None:
        self._access, self._journal, self._findings = access, journal, findings
        self._mending = Mending(access=access, journal=journal, findings=findings)

    async def check_all(self) -> int:
        """All there is; how many payments that were."""
        seen, after = 0, ""
        while rows := await Payment.walk(PAID, after=after, limit=PAGE):
            await self._check_journal([row for row in rows if not row.get("outbox")])
            pairs = {(row["user_id"], row["course_id"]) for row in rows if row.get("course_id")}
            for user_id, course_id in sorted(pairs):
                await self._check_access(user_id, course_id)
            seen, after = seen + len(rows), rows[-1]["_id"]
        await self._check_bought()
        await self._check_book()
        await self._mending.mend_all()
        await self._findings.count()
        return seen

    # --- what payments open ---

    async def _check_bought(self) -> None:
        """Courses that somebody is in by a payment or a subscription."""
        for access in BOUGHT:
            after = ""
            while rows := await Enrollment.page_of_bought(access, after=after, limit=PAGE):
                for row in rows:
                    await self._check_access(row["student_id"], row["course_id"])
                after = rows[-1]["_id"]

    async def _check_access(self, user_id: str, course_id: str) -> None:
        ref, due = f"{user_id}:{course_id}", await self._access.due(user_id, course_id)
        if due.is_in_line:
            return
        kind = _KINDS[due.change]
        await self._access.derive(user_id, course_id)
        left = await self._access.due(user_id, course_id)
        if left.is_in_line:
            figures.PAYMENTS_MENDED.labels(kind).inc()
            await self._findings.mended(kind, ref)
            _log.warning("money: %s of %s was mended", kind, ref)
            return
        refs = {"user_id": user_id, "course_id": course_id}
        if left.by is not None and left.by.payment_id is not None:
            refs["payment_id"] = left.by.payment_id
        await self._findings.found(_KINDS[left.change], ref, refs=refs, facts={"due": left.change.value})

    # --- the journal ---

    async def _check_journal(self, rows: Sequence[Row]) -> None:
        """What still has something to tell is not in the book yet, and is left for tomorrow."""
        orders = await Order.find_these({row["order_id"] for row in rows})
        wrong = {one.payment_id: one for one in await self._journal.imbalances(rows, orders)}
        for row in rows:
            if (one := wrong.get(row["_id"])) is None:
                continue
            if await self._is_overtaken(row):
                continue
            facts = {f"{currency} {account}": amount for (currency, account), amount in one.by.items()}
            await self._findings.found(
                "journal_unbalanced",
                row["_id"],
                refs={name: value for name, value in refs_of(row).items() if value},
                facts={"differs_by": facts},
            )

    @staticmethod
    async def _is_overtaken(row: Row) -> bool:
        """Was it written since it was read? Then the book may be ahead of what was read."""
        now = await Payment.find_row(row["_id"])
        return now is None or now["revision"] != row["revision"]

    async def _check_book(self) -> None:
        """The whole book sums to zero in each currency, and so does each entry."""
        for currency, amount in (await self._journal.totals()).items():
            ref = f"total:{currency}"
            if amount:
                facts = {"currency": currency, "amount": amount}
                await self._findings.found("journal_unbalanced", ref, refs={}, facts=facts)
            else:
                await self._findings.mended("journal_unbalanced", ref)
        after: str | None = ""
        while after is not None:
            wrong, after = await JournalEntry.find_unbalanced(after=after, limit=PAGE)
            for entry_id in wrong:
                await self._findings.found(
                    "journal_unbalanced", f"entry:{entry_id}", refs={"entry_id": entry_id}, facts={}
                )
