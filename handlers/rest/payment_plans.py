"""Plans and subscriptions over HTTP."""

from __future__ import annotations

from handlers.exchange import this_exchange
from handlers.rest.access import PUBLIC, SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.base import Page
from lms_rt.contracts.plans import (
    OwnSubscriptionQuery,
    PlanChange,
    PlanDraft,
    PlanQuery,
    PlanView,
    SubscriptionDraft,
    SubscriptionMove,
    SubscriptionQuery,
    SubscriptionResume,
    SubscriptionStartedView,
    SubscriptionView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_plans(call: Call) -> Reply:
    """What can be subscribed to."""
    return Reply(await call.services.plans.list(call.actor, call.query))


async def show_plan(call: Call) -> Reply:
    """One plan."""
    return Reply(await call.services.plans.show(call.actor, call.path["plan_id"]))


async def create_plan(call: Call) -> Reply:
    """A new plan."""
    plan = await call.services.plans.create(call.actor, call.body, request_seed=call.idempotency_seed)
    return Reply(plan, made={"plan_id": plan.id})


async def change_plan(call: Call) -> Reply:
    """Change a plan."""
    plans, plan_id = call.services.plans, call.path["plan_id"]
    return Reply(await plans.change(call.actor, plan_id, call.body, expected_version=call.expected_version))


async def subscribe(call: Call) -> Reply:
    """Begin to subscribe."""
    started = await call.services.subscription_checkouts.start(
        call.actor, call.body, seen_country=this_exchange().country
    )
    made = {"subscription_id": started.view.subscription_id} if started.is_new else None
    return Reply(started.view, status=201 if started.is_new else 200, made=made)


async def list_own(call: Call) -> Reply:
    """The caller's subscriptions."""
    return Reply(await call.services.plan_subscriptions.list_own(call.actor, call.query))


async def list_all(call: Call) -> Reply:
    """Everybody's subscriptions."""
    return Reply(await call.services.plan_subscriptions.list(call.actor, call.query))


async def show(call: Call) -> Reply:
    """One subscription."""
    return Reply(await call.services.plan_subscriptions.show(call.actor, call.path["subscription_id"]))


async def cancel(call: Call) -> Reply:
    """Let a subscription end."""
    return Reply(await call.services.subscription_changes.cancel(call.actor, call.path["subscription_id"]))


async def resume(call: Call) -> Reply:
    """Take back that a subscription ends."""
    changes, subscription_id = call.services.subscription_changes, call.path["subscription_id"]
    return Reply(await changes.resume(call.actor, subscription_id, call.body))


async def change(call: Call) -> Reply:
    """Go over to another plan."""
    changes, subscription_id = call.services.subscription_changes, call.path["subscription_id"]
    return Reply(await changes.change(call.actor, subscription_id, call.body))


_MONEY = needs("payments:manage")
_PLANS, _PLAN = "/payments/plans", "/payments/plans/{plan_id}"
_ONE = "/payments/subscriptions/{subscription_id}"

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        _PLANS,
        list_plans,
        PUBLIC,
        query=PlanQuery,
        reply=Page[PlanView],
        summary="Plans to subscribe to",
        description="By currency and price. Who sees to payments is shown those too that nobody can subscribe to any more.",
    ),
    Operation(
        "POST",
        _PLANS,
        create_plan,
        _MONEY,
        reach=Reach.ALL,
        body=PlanDraft,
        reply=PlanView,
        status=201,
        location=_PLAN,
        is_idempotent=True,
        audit="plan.create",
        summary="Make a plan",
        description='`course_ids` is a list, or `"all"`: every course, those too that are made later.',
    ),
    Operation("GET", _PLAN, show_plan, PUBLIC, reply=PlanView, summary="One plan"),
    Operation(
        ("PATCH", "PUT"),
        _PLAN,
        change_plan,
        _MONEY,
        reach=Reach.ALL,
        body=PlanChange,
        reply=PlanView,
        codes=(Code.VERSION_MISMATCH,),
        audit="plan.change",
        summary="Change a plan",
        description="Its price is for who subscribes from now on. Who has subscribed keeps price and courses, and gets those "
        "that are added.",
    ),
    Operation(
        "POST",
        "/payments/create-subscription",
        subscribe,
        SIGNED_IN,
        reach=Reach.SELF,
        body=SubscriptionDraft,
        reply=SubscriptionStartedView,
        status=201,
        more_statuses=(200,),
        location=_ONE,
        is_idempotent=True,
        is_secret=True,
        is_own_alone=True,
        codes=(Code.CONFLICT, Code.BUSY),
        summary="Subscribe to a plan",
        description="`plan_id` (or `plan`) and `gateway`. The reply holds what the client needs to pay; nothing is granted by it. "
        "Again (200) gives the same checkout, with another gateway a new one. 409 with `subscription_id` when there is one "
        "already.",
    ),
    Operation(
        "GET",
        "/payments/my-subscriptions",
        list_own,
        SIGNED_IN,
        reach=Reach.OWN,
        query=OwnSubscriptionQuery,
        reply=Page[SubscriptionView],
        summary="The caller's subscriptions, newest first",
        description="Those that were never paid for only with `?status=pending` (or `expired`).",
    ),
    Operation(
        "GET",
        "/payments/subscriptions",
        list_all,
        _MONEY,
        reach=Reach.ALL,
        query=SubscriptionQuery,
        reply=Page[SubscriptionView],
        summary="The subscriptions of everybody, newest first",
    ),
    Operation("GET", _ONE, show, SIGNED_IN, reach=Reach.LEARNING, reply=SubscriptionView, summary="One subscription"),
    Operation(
        "POST",
        f"{_ONE}/cancel",
        cancel,
        SIGNED_IN,
        reach=Reach.LEARNING,
        reply=SubscriptionView,
        is_own_alone=True,
        codes=(Code.CONFLICT, Code.BUSY),
        audit="subscription.cancel",
        summary="Let a subscription end with what is paid for",
        description="One whose renewal failed, and one that was never paid, ends at once. Again changes nothing.",
    ),
    Operation(
        "POST",
        f"{_ONE}/resume",
        resume,
        SIGNED_IN,
        reach=Reach.LEARNING,
        body=SubscriptionResume,
        reply=SubscriptionView,
        is_own_alone=True,
        codes=(Code.CONFLICT, Code.BUSY),
        audit="subscription.resume",
        summary="Let a subscription go on that was to end",
        description="While what is paid for lasts: it is renewed after all, at its price. 409 for one that has ended, whose money "
        "went back, or whose gateway cannot take it back. Again changes nothing. Who sees to payments gives a `reason` for "
        "somebody else's; its owner gets a mail of what is drawn next, and when.",
    ),
    Operation(
        "POST",
        f"{_ONE}/change",
        change,
        SIGNED_IN,
        reach=Reach.LEARNING,
        body=SubscriptionMove,
        reply=SubscriptionView,
        is_idempotent=True,
        is_own_alone=True,
        codes=(Code.CONFLICT, Code.BUSY),
        audit="subscription.change",
        summary="Go over to another plan",
        description="Of the same currency, at its present price. How the rest of the period is counted is the gateway's. "
        "`changing_to_plan_id` until the gateway has confirmed it.",
    ),
)
