"""What is not as it should be about money, as those meet it who look after payments. No rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, StringConstraints

from lms_rt.contracts.base import Draft, IdFilter, Instant, PageQuery, View, check_line, check_shown

FindingKind = Literal[
    "held_payment",
    "duplicate_payment",
    "paid_no_access",
    "access_not_paid",
    "unknown_payment",
    "amount_differs",
    "state_differs",
    "refund_failed",
    "dispute",
    "journal_unbalanced",
    "country_differs",
]
"""What there is to find; what each means, and what mends it, stands in `docs/refunds.md`."""
FindingStatus = Literal["open", "mended", "resolved"]
Note = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]


class ComparisonView(View):
    """How the daily comparison with a gateway stands. `is_complete`: the last one that came to its end left nothing out.

    `complete_at` is when the last such one ended. The counts are of the round that is under way, or was last: `seen` were compared,
    `partly` of them but for whether they were paid again, which nobody could look up; `failed` could not be compared.
    """

    gateway: str
    is_complete: bool
    is_under_way: bool
    ended_at: Instant | None
    complete_at: Instant | None
    seen: int
    failed: int
    partly: int


class ComparisonsView(View):
    """All gateways that are set up."""

    items: list[ComparisonView]


class FindingQuery(PageQuery):
    """Which findings: what was seen last comes first."""

    kind: FindingKind | None = None
    status: FindingStatus | None = None
    payment_id: IdFilter | None = None
    sort: Literal["-last_seen"] = "-last_seen"


class FindingResolution(Draft):
    """What came of looking into it."""

    note: Note


class FindingView(View):
    """One finding. `refs` are ids of what it is about, by what they are; `facts` amounts and states.

    `mended`: it was put right by rule, or is no longer so; `resolved`: somebody looked into it.
    """

    id: str
    kind: FindingKind
    status: FindingStatus
    refs: dict[str, str]
    facts: dict[str, Any]
    first_seen: Instant
    last_seen: Instant
    resolved_by: str | None
    resolved_at: Instant | None
    note: str
    version: int
    created_at: Instant
    updated_at: Instant
