"""REST: what those do who look after payments: find them, pay back, and look into what was found wrong."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.payment_desk import DisputeDraft, PaymentQuery
from lms_rt.contracts.payment_findings import ComparisonsView, FindingQuery, FindingResolution, FindingView
from lms_rt.contracts.payments import PaymentView
from lms_rt.contracts.refunds import RefundCancelDraft, RefundDraft, RefundsQuery, RefundsView, RefundView, ReleaseDraft
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_payments(call: Call) -> Reply:
    """The payments of everybody."""
    return Reply(await call.services.payment_desk.list(call.actor, call.query))


async def refund(call: Call) -> Reply:
    """Pay back."""
    payment_id = call.path["payment_id"]
    view = await call.services.refunds.request(call.actor, payment_id, call.body, seed=call.idempotency_seed)
    return Reply(view, made={"payment_id": payment_id})


async def cancel_refund(call: Call) -> Reply:
    """Call a refund off."""
    payment_id, refund_id = call.path["payment_id"], call.path["refund_id"]
    return Reply(await call.services.refund_cancelling.cancel(call.actor, payment_id, refund_id, call.body))


async def release(call: Call) -> Reply:
    """Let a held payment go."""
    return Reply(await call.services.releasing.release(call.actor, call.path["payment_id"], call.body))


async def note_dispute(call: Call) -> Reply:
    """Note a dispute."""
    return Reply(await call.services.disputing.note(call.actor, call.path["payment_id"], call.body))


async def list_refunds(call: Call) -> Reply:
    """What was paid back of a payment."""
    return Reply(await call.services.refunds.list_of(call.actor, call.path["payment_id"], call.query))


async def list_findings(call: Call) -> Reply:
    """What is not as it should be."""
    return Reply(await call.services.findings.list(call.actor, call.query))


async def list_comparisons(call: Call) -> Reply:
    """How the comparisons with gateways stand."""
    return Reply(await call.services.comparison_state.list(call.actor))


async def show_finding(call: Call) -> Reply:
    """One finding."""
    return Reply(await call.services.findings.show(call.actor, call.path["finding_id"]))


async def resolve_finding(call: Call) -> Reply:
    """Say what came of looking into it."""
    findings, finding_id = call.services.findings, call.path["finding_id"]
    return Reply(await findings.resolve(call.actor, finding_id, call.body, expected_version=call.expected_version))


_MONEY = needs("payments:manage")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/payments",
        list_payments,
        _MONEY,
        reach=Reach.ALL,
        query=PaymentQuery,
        reply=Page[PaymentView],
        summary="The payments of everybody",
        description="The newest first. Filters: `status`, `gateway`, `user_id`, `course_id`, `plan_id`, `order_id`, `is_held`, "
        "`dispute`, `from`, `to`.",
    ),
    Operation(
        "POST",
        "/payments/{payment_id}/refund",
        refund,
        _MONEY,
        reach=Reach.ALL,
        body=RefundDraft,
        reply=RefundView,
        status=201,
        location="/payments/{payment_id}/refunds",
        is_idempotent=True,
        is_own_alone=True,
        audit="payment.refund",
        codes=(Code.CONFLICT, Code.BUSY),
        summary="Pay back",
        description="`amount` minor units, or all that is left. The amount is held at once, so that all refunds together never "
        "come to more than was paid; a worker asks the gateway. 409 when nothing is left, or its bank has the money.",
    ),
    Operation(
        "POST",
        "/payments/{payment_id}/refunds/{refund_id}/cancel",
        cancel_refund,
        _MONEY,
        reach=Reach.ALL,
        body=RefundCancelDraft,
        reply=RefundView,
        is_own_alone=True,
        audit="payment.refund_cancel",
        codes=(Code.REFUND_UNDER_WAY, Code.BUSY),
        summary="Call off a refund that still waits",
        description="As long as its gateway was not asked for it (`is_cancellable`): then it never is. What it held can be paid "
        "back otherwise, and access stays. 409 once the gateway was asked, or may have been. Again changes nothing.",
    ),
    Operation(
        "POST",
        "/payments/{payment_id}/release",
        release,
        _MONEY,
        reach=Reach.ALL,
        body=ReleaseDraft,
        reply=PaymentView,
        is_own_alone=True,
        audit="payment.release",
        codes=(Code.CONFLICT, Code.BUSY),
        summary="Let a held payment count",
        description="As it came, and open what it is for. 409 for one of which nothing came, and for a second payment of the same, "
        "which is paid back instead. Again changes nothing.",
    ),
    Operation(
        "POST",
        "/payments/{payment_id}/dispute",
        note_dispute,
        _MONEY,
        reach=Reach.ALL,
        body=DisputeDraft,
        reply=PaymentView,
        is_own_alone=True,
        audit="payment.dispute",
        codes=(Code.CONFLICT, Code.BUSY),
        summary="Note a dispute of which its gateway tells nobody",
        description="A bank took money back, or gave it again: the journal and access follow as `docs/refunds.md` says. 409 for "
        "gateways that tell of disputes themselves (Stripe), and where nothing was paid. Again changes nothing.",
    ),
    Operation(
        "GET",
        "/payments/{payment_id}/refunds",
        list_refunds,
        SIGNED_IN,
        reach=Reach.LEARNING,
        query=RefundsQuery,
        reply=RefundsView,
        summary="What was paid back of a payment",
        description="For who paid it, and who looks after payments; these are also told by whom and why.",
    ),
    Operation(
        "GET",
        "/payments/findings",
        list_findings,
        _MONEY,
        reach=Reach.ALL,
        query=FindingQuery,
        reply=Page[FindingView],
        summary="What was found wrong about money",
        description="What was seen last comes first. What each kind means: `docs/refunds.md`.",
    ),
    Operation(
        "GET",
        "/payments/comparisons",
        list_comparisons,
        _MONEY,
        reach=Reach.ALL,
        reply=ComparisonsView,
        summary="How the comparison with each gateway stands",
        description="When it was last whole, and whether the last one left something out.",
    ),
    Operation(
        "GET",
        "/payments/findings/{finding_id}",
        show_finding,
        _MONEY,
        reach=Reach.ALL,
        reply=FindingView,
        summary="One finding",
    ),
    Operation(
        "POST",
        "/payments/findings/{finding_id}/resolve",
        resolve_finding,
        _MONEY,
        reach=Reach.ALL,
        body=FindingResolution,
        reply=FindingView,
        is_own_alone=True,
        audit="finding.resolve",
        codes=(Code.VERSION_MISMATCH,),
        summary="Say what came of looking into a finding",
        description="Again changes nothing.",
    ),
)
