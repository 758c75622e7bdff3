"""The gateway to Stripe, against a Stripe that keeps what it is asked, and fails as the real one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import cast

import httpx
import pytest

from lms_rt.contracts.gateways import (
    BadSignature,
    Charged,
    Disputed,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    PaidBack,
    RecurringPrice,
    Renewing,
    Subject,
)
from lms_rt.gateways.payments.stripe import StripeGateway
from tests.contracts.stripe_samples import (
    PAYER,
    checkout,
    gateway_to,
    walk_through,
    wish_to_refund,
    wish_to_subscribe,
)
from tests.servers.stripe_fake import Fault, StripeFake, stripe_running
from tests.servers.stripe_mock import running_mock


@pytest.fixture(scope="module")
async def stripe() -> AsyncIterator[StripeFake]:
    async with stripe_running() as fake:
        yield fake


@pytest.fixture(scope="module")
async def gateway(stripe: StripeFake) -> AsyncIterator[StripeGateway]:
    opened = gateway_to(stripe.address)
    yield opened
    await opened.close()


def order(request: pytest.FixtureRequest) -> str:
    return f"ord_{abs(hash(request.node.name))}"


@pytest.mark.parametrize("method", [None, "hosted"])
async def test_a_payment_is_read_as_it_stands(
    gateway: StripeGateway, stripe: StripeFake, request: pytest.FixtureRequest, method: str | None
) -> None:
    key = f"{order(request)}-1"
    begun = await gateway.start_checkout(checkout(order(request), method=method))
    assert set(begun.client) == ({"redirect_url"} if method else {"client_secret", "publishable_key"})
    assert (await gateway.read_payment(begun.intent_id)).state is Charged.PENDING
    stripe.decline(begun.intent_id)
    declined = await gateway.read_payment(begun.intent_id)
    assert (declined.state, declined.failure) == (Charged.PENDING, "insufficient_funds")
    paid_intent = stripe.pay(begun.intent_id)
    read = await gateway.read_payment(begun.intent_id)
    assert (read.intent_id, read.state, read.money, read.key) == (
        begun.intent_id,
        Charged.COMPLETED,
        Money(1999, "USD"),
        key,
    )
    assert (read.method, read.failure, read.subscription_id) == ("card", None, None)
    assert read.transaction_id is not None
    assert read.transaction_id.startswith("ch_")
    # whichever of its names it is asked by, it goes by the one that was given out
    assert await gateway.read_payment(paid_intent) == read
    assert await gateway.find_payment(key) == read


async def test_a_double_click_makes_one_payment_and_another_order_under_its_key_none(
    gateway: StripeGateway, stripe: StripeFake
) -> None:
    asked = checkout("ord_twice")
    first = await gateway.start_checkout(asked)
    assert await gateway.start_checkout(asked) == first
    with pytest.raises(GatewayRefused) as refused:
        await gateway.start_checkout(replace(asked, money=Money(1, "USD")))
    assert refused.value.code == "idempotency"
    assert len([one for one in stripe.all("payment_intent") if one["metadata"]["order_id"] == "ord_twice"]) == 1


async def test_stripe_is_told_nothing_personal(gateway: StripeGateway, stripe: StripeFake) -> None:
    await gateway.start_subscription(wish_to_subscribe("sub_quiet-1"))
    for method in ("card", "hosted"):
        begun = await gateway.start_checkout(checkout(f"ord_quiet_{method}", method=method))
        stripe.pay(begun.intent_id)
        await gateway.refund(wish_to_refund(begun.intent_id, 1, f"rfd_quiet_{method}"))
    sent = repr([one.form for one in stripe.asked])
    assert not any(word in sent for word in (PAYER.email, PAYER.full_name, cast("str", PAYER.phone), "Salma"))


async def test_refunds_add_up_fail_later_and_are_made_once(gateway: StripeGateway, stripe: StripeFake) -> None:
    begun = await gateway.start_checkout(checkout("ord_back", method="hosted"))
    with pytest.raises(GatewayRefused):
        await gateway.refund(wish_to_refund(begun.intent_id, 100))
    stripe.pay(begun.intent_id)
    wish = wish_to_refund(begun.intent_id, 500, "rfd_a")
    made = await gateway.refund(wish)
    assert (made.amount, made.state, made.reference) == (500, PaidBack.COMPLETED, "rfd_a")
    assert stripe.asked[-1].headers["idempotency-key"] == "refund:rfd_a"
    stripe.forget_keys()  # a day later
    assert await gateway.refund(wish) == made
    outside = stripe.refund_outside(begun.intent_id, amount=300)
    read = await gateway.read_payment(begun.intent_id)
    assert read.refunded == 800
    assert {(one.refund_id, one.reference) for one in read.refunds} == {
        (made.refund_id, "rfd_a"),
        (outside["id"], None),
    }
    stripe.fail_refund(made.refund_id)
    read = await gateway.read_payment(begun.intent_id)
    assert read.refunded == 300
    assert {one.state for one in read.refunds} == {PaidBack.COMPLETED, PaidBack.FAILED}
    with pytest.raises(GatewayRefused):
        await gateway.refund(wish_to_refund(begun.intent_id, 1999, "rfd_b"))
    for _ in range(10):  # more than come along with their charge
        stripe.refund_outside(begun.intent_id, amount=1)
    assert (await gateway.read_payment(begun.intent_id)).refunded == 310


async def test_a_dispute_is_seen_and_a_banks_question_is_none(gateway: StripeGateway, stripe: StripeFake) -> None:
    begun = await gateway.start_checkout(checkout("ord_dispute"))
    stripe.pay(begun.intent_id)
    stripe.dispute(begun.intent_id, status="warning_needs_response")
    assert (await gateway.read_payment(begun.intent_id)).disputes == ()
    for is_won in (True, False):
        dispute_id = stripe.dispute(begun.intent_id)
        states = {one.dispute_id: one.state for one in (await gateway.read_payment(begun.intent_id)).disputes}
        assert states[dispute_id] is Disputed.OPEN
        stripe.close_dispute(dispute_id, is_won=is_won)
    states_now = [one.state for one in (await gateway.read_payment(begun.intent_id)).disputes]
    assert sorted(states_now) == [Disputed.LOST, Disputed.WON]


@pytest.mark.parametrize("method", ["card", "hosted"])
async def test_a_checkout_is_cancelled_unless_it_was_paid(
    gateway: StripeGateway, stripe: StripeFake, method: str
) -> None:
    open_one, paid = [
        await gateway.start_checkout(checkout(f"ord_cancel_{method}_{n}", method=method)) for n in range(2)
    ]
    stripe.pay(paid.intent_id)
    for begun in (open_one, paid, open_one):
        await gateway.cancel_checkout(begun.intent_id)
    ended = Charged.EXPIRED if method == "hosted" else Charged.CANCELLED
    assert (await gateway.read_payment(open_one.intent_id)).state is ended
    assert (await gateway.read_payment(paid.intent_id)).state is Charged.COMPLETED


async def test_a_subscription_begins_renews_falls_behind_changes_and_ends(
    gateway: StripeGateway, stripe: StripeFake
) -> None:
    wish = wish_to_subscribe("sub_life-1")
    begun = await gateway.start_subscription(wish)
    assert await gateway.find_subscription(wish.key, begun.intent_id) is None
    stripe.pay(begun.intent_id)
    await gateway.cancel_checkout(begun.intent_id)  # too late: it was gone through with
    first = await gateway.find_subscription(wish.key, begun.intent_id)
    assert first is not None
    assert (first.state, first.key, first.money) == (Renewing.ACTIVE, wish.key, Money(9900, "EGP"))
    assert (await gateway.read_payment(first.intent_ids[0])).subscription_id == first.subscription_id
    renewal = stripe.renew(first.subscription_id)
    renewed = await gateway.read_subscription(first.subscription_id)
    assert renewed.period_start == first.period_end
    assert renewed.intent_ids == (renewal, *first.intent_ids)
    stripe.renew(first.subscription_id, is_paid=False)
    behind = await gateway.read_subscription(first.subscription_id)
    assert (behind.state, behind.period_end) == (Renewing.PAST_DUE, renewed.period_end)
    stripe.renew(first.subscription_id)
    yearly = RecurringPrice("pln_year", "A year", Money(99_000, "EGP"), "year")
    stripe.is_card_empty = True
    with pytest.raises(GatewayRefused) as declined:
        await gateway.change_subscription(first.subscription_id, yearly, key="sub_life-c0")
    stripe.is_card_empty = False
    as_it_was = await gateway.read_subscription(first.subscription_id)
    assert (declined.value.code, as_it_was.state) == ("card_declined", Renewing.ACTIVE)
    assert as_it_was.money == first.money
    for key in ("c1", "c1", "c2"):  # the product of a plan is made once
        changed = await gateway.change_subscription(first.subscription_id, yearly, key=f"sub_life-{key}")
    assert (changed.money, changed.is_at_once) == (yearly.money, True)
    stripe.begin_period(first.subscription_id)
    not_yet = await gateway.read_subscription(first.subscription_id)
    assert (not_yet.state, not_yet.period_end) == (Renewing.ACTIVE, changed.period_end), (
        "it is not paid before it is paid"
    )
    assert (await gateway.cancel_subscription(first.subscription_id, at_period_end=True, key="e1")).cancel_at_period_end
    for _ in range(2):
        ended = await gateway.cancel_subscription(first.subscription_id, at_period_end=False, key="e2")
    assert (ended.state, ended.period_end) == (Renewing.CANCELLED, changed.period_end), "its last period was not paid"


@pytest.mark.parametrize("status", ["draft", "open", "void", "uncollectible", "paid", None])
async def test_what_has_ended_is_paid_as_far_as_its_invoices_were(
    gateway: StripeGateway, stripe: StripeFake, status: str | None
) -> None:
    wish = wish_to_subscribe(f"sub_end{status}-1")
    stripe.pay((begun := await gateway.start_subscription(wish)).intent_id)
    first = await gateway.find_subscription(wish.key, begun.intent_id)
    assert first is not None
    stripe.begin_period(first.subscription_id)
    stripe.end(first.subscription_id)
    invoice = stripe.all("invoice", billing_reason="subscription_cycle")[0]
    invoice["status"] = status or "void"
    if status is None:  # a change of plan has begun another period since
        invoice["created"] -= int(timedelta(days=20).total_seconds())
    ended = await gateway.read_subscription(first.subscription_id)
    assert (ended.period_end == ended.period_start) is (status not in ("paid", None))


async def test_all_payments_of_a_time_are_told_page_by_page(gateway: StripeGateway, stripe: StripeFake) -> None:
    before = {one["id"] for one in stripe.all("payment_intent")}
    for n in range(101):
        stripe.make_intent({"amount": 100 + n, "currency": "usd", "metadata": {"key": f"ord_many-{n}"}})
    hosted = await gateway.start_checkout(checkout("ord_listed", method="hosted"))
    stripe.pay(hosted.intent_id)
    session = await gateway.start_subscription(wish_to_subscribe("sub_listed-1"))
    intent_of_subscription = stripe.pay(session.intent_id)
    now = datetime.now(UTC)
    told = [one async for one in gateway.payments_between(now - timedelta(hours=1), now + timedelta(hours=1))]
    new = {one.intent_id: one for one in told if one.intent_id not in before}
    assert len(told) == len(stripe.all("payment_intent"))
    assert hosted.intent_id in new
    assert new[intent_of_subscription].subscription_id == stripe.thing(session.intent_id)["subscription"]
    earlier = gateway.payments_between(now - timedelta(days=9), now - timedelta(days=8))
    assert [one async for one in earlier] == []


@pytest.mark.parametrize("method", ["card", "hosted"])
async def test_a_customer_that_stripe_no_longer_knows_keeps_nobody_from_paying(
    gateway: StripeGateway, stripe: StripeFake, method: str
) -> None:
    asked = checkout(f"ord_stale_{method}", method=method)
    stale = replace(asked, payer=replace(asked.payer, customer_id="cus_of_test_mode"))
    first, again = [await gateway.start_checkout(stale) for _ in range(2)]
    assert first.intent_id == again.intent_id
    stripe.pay(first.intent_id)
    assert (await gateway.read_payment(first.intent_id)).key == asked.key


async def test_an_intent_that_cannot_be_read_hides_no_other(gateway: StripeGateway, stripe: StripeFake) -> None:
    older = stripe.make_intent({"amount": 100, "currency": "usd", "metadata": {"key": "ord_hidden-1"}})
    odd = stripe.make_intent({"amount": 5, "currency": "xts", "metadata": {"key": "ord_odd-1"}})
    now = datetime.now(UTC)
    listed = gateway.payments_between(now - timedelta(hours=1), now + timedelta(hours=1))
    told = {one.intent_id: (one.key, one.is_whole) async for one in listed}
    stripe.things.pop(odd["id"])
    assert told[older["id"]] == ("ord_hidden-1", True)
    assert told[odd["id"]] == ("ord_odd-1", False)


@pytest.mark.parametrize(
    ("fault", "may_have_happened"),
    [("html", True), ("html200", True), ("error200", True), ("busy", False), ("keys", False)],
)
async def test_an_answer_that_is_none_is_never_taken_for_one(
    gateway: StripeGateway, stripe: StripeFake, fault: Fault, may_have_happened: bool
) -> None:
    stripe.fail_next(fault)
    with pytest.raises(GatewayUnavailable) as away:
        await gateway.start_checkout(checkout(f"ord_fault_{fault}"))
    assert away.value.may_have_happened is may_have_happened
    assert away.value.retry_after_seconds == (7 if fault == "busy" else None)
    told = [repr(one) + str(one.__context__) + str(one.__cause__) for one in (away.value,)]
    assert "private.example" not in repr(told)
    stripe.fail_next(fault)
    with pytest.raises(GatewayUnavailable) as not_read:
        await gateway.read_payment("pi_fake1")
    assert not not_read.value.may_have_happened
    stripe.fail_next(fault)
    with pytest.raises(GatewayUnavailable):  # also where nothing of the answer is needed
        await gateway.cancel_checkout("pi_fake1")


async def test_a_lost_answer_is_asked_for_again_under_the_same_key(gateway: StripeGateway, stripe: StripeFake) -> None:
    stripe.fail_next("lost")
    begun = await gateway.start_checkout(checkout("ord_lost"))
    keys = [
        one.headers["idempotency-key"]
        for one in stripe.asked
        if one.form.get("metadata", {}).get("order_id") == "ord_lost"
    ]
    assert keys == ["pi:ord_lost-1"] * 2
    assert [one["id"] for one in stripe.all("payment_intent") if one["metadata"].get("order_id") == "ord_lost"] == [
        begun.intent_id
    ]


async def test_a_stripe_that_is_slow_or_away_is_waited_for_no_longer_than_allowed(stripe: StripeFake) -> None:
    hasty = gateway_to(stripe.address, one_try_seconds=0.05)
    stripe.fail_next("slow", "slow", "slow")
    with pytest.raises(GatewayUnavailable) as slow:
        await hasty.start_checkout(checkout("ord_slow"))
    assert slow.value.may_have_happened
    await hasty.close()
    nobody = gateway_to("http://127.0.0.1:9", one_try_seconds=0.5)
    with pytest.raises(GatewayUnavailable) as away:
        await nobody.start_checkout(checkout("ord_away"))
    assert not away.value.may_have_happened
    await nobody.close()


@pytest.mark.parametrize("faults", [*product(["lost", "down", "500", "409"], ["busy", "keys", "unreachable"])])
async def test_what_an_earlier_try_may_have_done_is_remembered_whatever_came_last(
    gateway: StripeGateway, stripe: StripeFake, monkeypatch: pytest.MonkeyPatch, faults: tuple[str, str]
) -> None:
    first, last = faults
    order_id = f"ord_{first}_{last}"
    wish = checkout(order_id)
    transport, tries = httpx.AsyncHTTPTransport.handle_async_request, list[str]()

    async def reaches(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        if tries and last == "unreachable":
            raise httpx.ConnectError("refused")
        if not tries and first.isdecimal():
            tries.append(first)
            return httpx.Response(int(first), json={"error": {"type": "api_error"}})
        stripe.fail_next(cast("Fault", last if tries else first))
        tries.append(request.method)
        return await transport(self, request)

    with monkeypatch.context() as patched:
        patched.setattr(httpx.AsyncHTTPTransport, "handle_async_request", reaches)
        with pytest.raises(GatewayUnavailable) as away:
            await gateway.start_checkout(wish)
        assert away.value.may_have_happened
        tries.append("POST")
        with pytest.raises(GatewayUnavailable) as never:
            await gateway.start_checkout(checkout(f"{order_id}_never"))
    assert not never.value.may_have_happened, "each request has tries of its own"
    assert (await gateway.start_checkout(wish)).intent_id


@pytest.mark.parametrize("intent_id", ["pi_unknown", "cs_unknown", "../v1/customers", "pi_1?expand=x", "", "cs_/../x"])
async def test_what_is_not_there_is_refused_and_no_id_reaches_another_path(
    gateway: StripeGateway, stripe: StripeFake, intent_id: str
) -> None:
    asked = len(stripe.asked)
    with pytest.raises(GatewayRefused) as refused:
        await gateway.read_payment(intent_id)
    assert refused.value.code == "not_found"
    assert len(stripe.asked) - asked == ("unknown" in intent_id)


async def test_words_are_heard_by_any_secret_and_not_by_another(gateway: StripeGateway, stripe: StripeFake) -> None:
    stripe.words()
    begun = await gateway.start_checkout(checkout("ord_words"))
    stripe.pay(begun.intent_id)
    words = stripe.words(secret="whsec_new")
    hints = [hint for word in words for hint in await gateway.read_hints(**word._asdict())]
    about = [(hint.object_id, hint.key) for hint in hints if hint.subject is Subject.PAYMENT]
    assert about == [(begun.intent_id, "ord_words-1")]
    stripe.refund_outside(begun.intent_id)
    for word in stripe.words(secret="whsec_forged"):
        with pytest.raises(BadSignature):
            await gateway.read_hints(**word._asdict())


async def test_what_can_be_paid_here_depends_on_the_amount(gateway: StripeGateway) -> None:
    assert [one.method for one in await gateway.methods(Money(1999, "USD"))] == ["card", "hosted"]
    assert await gateway.methods(Money(1, "KWD")) == ()
    with pytest.raises(GatewayRefused):
        await gateway.start_checkout(checkout("ord_odd", money=Money(1, "KWD")))
    with pytest.raises(GatewayRefused):
        await gateway.start_checkout(checkout("ord_cash", method="cash"))


async def test_stripes_own_mock_accepts_every_kind_of_request_that_is_sent() -> None:
    async with stripe_running() as fake, httpx.AsyncClient() as client:
        gateway = gateway_to(fake.address)
        await walk_through(gateway, fake)
        await gateway.close()
        with running_mock() as judge:
            faults = []
            for one in fake.asked:
                url = f"{judge}{one.path}" + (f"?{one.sent}" if one.method != "POST" else "")
                content = one.sent.encode() if one.method == "POST" else None
                headers: dict[str, str] = {
                    name: one.headers[name]
                    for name in ("authorization", "stripe-version", "content-type")
                    if name in one.headers
                }
                answer = await client.request(one.method, url, content=content, headers=headers)
                if answer.status_code != 200:
                    faults.append((one.method, one.path, one.sent, answer.text))
        assert faults == []
    asked, known = fake.kinds()
    assert asked == known
