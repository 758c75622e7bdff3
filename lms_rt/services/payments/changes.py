"""What one settling changed in a payment, and who hears of it: each part of the house adds what must follow, in the same write.

A follower is given the payment before and after, and makes intents (effects, jobs, events, mails) that are put into the
payment's outbox by the very write that changes it. It decides from these rows alone: the write may be tried several times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from documents.base import Row
from documents.enums import PaymentStatus
from documents.payment import PAID
from lms_rt.contracts.outbox import Intent, Write


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """A payment before and after; `order` is the one that it is for, if there is one."""

    before: Row
    after: Row
    order: Row | None

    @property
    def is_newly_paid(self) -> bool:
        """Did the money come, held or not?"""
        return self.before["status"] not in PAID and self.after["status"] in PAID

    @property
    def is_newly_completed(self) -> bool:
        """Did the money come, and open what it is for? A held one does when somebody lets it go."""
        return _counts(self.after) and not _counts(self.before)

    @property
    def is_newly_held(self) -> bool:
        """Does it wait for a person from now on?"""
        return self.before.get("held") is None and self.after.get("held") is not None

    @property
    def is_newly_failed(self) -> bool:
        """Is it clear now that the money will not come?"""
        return self._moved_to(PaymentStatus.FAILED)

    @property
    def newly_refunded(self) -> int:
        """So much more is paid back than before; less than nothing when money came back to us."""
        return int(self.after.get("refunded_amount", 0)) - int(self.before.get("refunded_amount", 0))

    @property
    def is_dispute_moved(self) -> bool:
        """Did a dispute open, or end, or is it about another sum?"""
        return any(self.before.get(name) != self.after.get(name) for name in ("dispute", "dispute_amount"))

    @property
    def is_about_access(self) -> bool:
        """May what the payment opens be another thing than before?"""
        names = ("status", "held", "dispute", "disputes", "refunded_amount")
        return any(self.before.get(name) != self.after.get(name) for name in names)

    def _moved_to(self, status: PaymentStatus) -> bool:
        return bool(self.before["status"] != status.value and self.after["status"] == status.value)


def _counts(row: Row) -> bool:
    return bool(row["status"] in PAID and row.get("held") is None)


PaymentFollower = Callable[[Write, PaymentChange], Sequence[Intent]]
"""What must follow a change of a payment."""
