"""Every day: each payment against the journal and against the course that it opened, each bought course against its payment.

What differs is derived anew, which mends it; what differs still is shown to people. It is one walk, of four parts, page by page.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from documents.base import Row
from documents.enrollment import BOUGHT, Enrollment
from documents.journal_entry import JournalEntry
from documents.order import Order
from documents.payment import PAID, Payment
from lms_rt.clock import Clock
from lms_rt.contracts.payment_findings import FindingKind
from lms_rt.services import figures
from lms_rt.services.payments.access import Access, Change
from lms_rt.services.payments.finding_mending import Mending
from lms_rt.services.payments.findings import Findings, refs_of
from lms_rt.services.payments.journal import Journal
from lms_rt.services.payments.reconcile_unnamed import UnnamedSubscriptions
from lms_rt.services.payments.walking import Page, Run, tried, walk

PAGE = 100
WALK = "books"
PARTS = ("payments", *BOUGHT, "entries", "findings")
"""In this order."""
_KINDS: Mapping[Change, FindingKind] = {
    Change.ENROLLED: "paid_no_access",
    Change.RETURNED: "paid_no_access",
    Change.MOVED: "paid_no_access",
    Change.EXPIRED: "access_not_paid",
}

_log = logging.getLogger(__name__)


class Books:
    """Holds payments, journal and enrolments against each other."""

    def __init__(self, *, clock: Clock, access: Access, journal: Journal, findings: Findings) -> None:
        self._clock, self._access, self._journal, self._findings = clock, access, journal, findings
        self._unnamed = UnnamedSubscriptions(clock=clock, access=access, findings=findings)
        self._mending = Mending(access=access, journal=journal, findings=findings)

    async def check_all(self, run: Run | None = None) -> int:
        """All there is; how much was looked at."""
        return await walk(WALK, self._step, run or Run(self._clock))

    async def _step(self, state: Row) -> Page:
        """A page of the part that it is at. A part that is over leaves nothing behind but which is next."""
        part = state.get("part", PARTS[0])
        page = await self._do(part, state)
        if page.state is None and part != PARTS[-1]:
            page.state = {"began": state["began"], "part": PARTS[PARTS.index(part) + 1]}
        elif page.state is None:
            await self._findings.count()
        return page

    async def _do(self, part: str, state: Row) -> Page:
        if part == "payments":
            return await self._check_payments(state)
        if part in BOUGHT:
            return await self._check_bought(part, state)
        return await (self._check_entries(state) if part == "entries" else self._mending.mend_some(state))

    # --- what payments open ---

    async def _check_payments(self, state: Row) -> Page:
        """Against the journal, and against what they opened."""
        rows = await Payment.walk(PAID, after=state.get("after", ""), limit=PAGE)
        page = _page(rows, state | {"part": "payments"})
        await self._check_together([row for row in rows if not row.get("outbox")], page)
        pairs = {(row["user_id"], row["course_id"]) for row in rows if row.get("course_id")}
        await self._check_each(pairs, page)
        await self._unnamed.check(rows, page)
        return page

    async def _check_bought(self, access: str, state: Row) -> Page:
        """Courses that somebody is in by a payment or a subscription."""
        rows = await Enrollment.page_of_bought(access, after=state.get("after", ""), limit=PAGE)
        page = _page(rows, state)
        await self._check_each({(row["student_id"], row["course_id"]) for row in rows}, page)
        return page

    async def _check_each(self, pairs: Iterable[tuple[str, str]], page: Page) -> None:
        for user_id, course_id in sorted(pairs):
            done = await tried(f"{user_id} in {course_id}", self._check_access(user_id, course_id))
            page.failed += not done

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

    async def _check_together(self, rows: Sequence[Row], page: Page) -> None:
        """All at once; where one of them cannot be read, one by one, so that it holds up no other."""
        if not await tried("a page of payments in the book", self._check_journal(rows)):
            for row in rows:
                page.failed += not await tried(f"payment {row['_id']} in the book", self._check_journal([row]))

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

    async def _check_entries(self, state: Row) -> Page:
        """Each entry of the book sums to zero, and so do all of them in each currency."""
        rows = await JournalEntry.page(after=state.get("after", ""), limit=PAGE)
        sums, page = dict(state.get("sums", {})), _page(rows, state)
        for row in rows:
            page.failed += not await tried(f"entry {row['_id']}", self._check_entry(row, sums))
        if page.state is None:
            await self._tell_totals(sums)
        else:
            page.state["sums"] = sums
        return page

    async def _check_entry(self, row: Row, sums: dict[str, int]) -> None:
        amount = sum(line["amount"] for line in row["lines"])
        sums[row["currency"]] = sums.get(row["currency"], 0) + amount
        if amount:
            refs = {"entry_id": row["_id"]}
            await self._findings.found("journal_unbalanced", f"entry:{row['_id']}", refs=refs, facts={})

    async def _tell_totals(self, sums: Mapping[str, int]) -> None:
        for currency, amount in sums.items():
            ref = f"total:{currency}"
            if amount:
                facts = {"currency": currency, "amount": amount}
                await self._findings.found("journal_unbalanced", ref, refs={}, facts=facts)
            else:
                await self._findings.mended("journal_unbalanced", ref)


def _page(rows: Sequence[Row], state: Row) -> Page:
    """Where to go on after these, the whole of a page or the last of all."""
    return Page(state | {"after": rows[-1]["_id"]} if len(rows) == PAGE else None, seen=len(rows))
