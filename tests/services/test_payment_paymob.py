"""Paymob against a small one on a real socket: paying, declining, paying back once, subscriptions, and all that can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from lms_rt.contracts.gateways import (
    BadSignature,
    Charged,
    GatewayPayment,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    PaidBack,
    Payer,
    RecurringPrice,
    RefundWish,
    Renewing,
    Subject,
    SubscriptionWish,
)
from lms_rt.gateways.payments.paymob import Paymob
from lms_rt.gateways.payments.paymob_calls import PaymobAccount
from tests.servers import paymob_fake as small
from tests.servers.gateway_desk import PRIVATE
from tests.servers.paymob_fake import PaymobFake, paymob_running
from tests.services.paying_there import CLOCK, Purchase, heard, places_of, wish

PAYER = Payer("usr_1", "Mona Ali Hassan", PRIVATE, language="ar", phone="+201000000000", country="EG")
PLACES = places_of("paymob")
PRICE = Money(50_000, "EGP")
checkout = Purchase(PAYER, PLACES, PRICE, "Algebra, from the beginning: a course whose title is long indeed").checkout


def account(fake: PaymobFake) -> PaymobAccount:
    return PaymobAccount(
        base=fake.address,
        secret_key=SecretStr(small.SECRET_KEY),
        api_key=SecretStr(small.API_KEY),
        hmac_secret=SecretStr(small.HMAC_SECRET),
        public_key=small.PUBLIC_KEY,
        card=small.CARD,
        wallet=small.WALLET,
        subscription=small.THREE_D_SECURE,
        moto=small.MOTO,
    )


@pytest.fixture
async def fake() -> AsyncIterator[PaymobFake]:
    async with paymob_running() as running:
        yield running


@pytest.fixture
async def paymob(fake: PaymobFake) -> AsyncIterator[Paymob]:
    gateway = Paymob(account(fake), CLOCK)
    yield gateway
    await gateway.close()


async def paid(paymob: Paymob, fake: PaymobFake, **facts: Any) -> GatewayPayment:
    started = await paymob.start_checkout(checkout())
    fake.pay(started.intent_id, **facts)
    return await paymob.read_payment(started.intent_id)


class TestPaying:
    async def test_a_payer_is_sent_to_paymobs_page_and_the_payment_is_read_back(
        self, paymob: Paymob, fake: PaymobFake
    ) -> None:
        started = await paymob.start_checkout(checkout(method="card"))
        place = urlsplit(started.client["redirect_url"])
        secret = started.client["client_secret"]
        assert f"{place.scheme}://{place.netloc}{place.path}" == f"{fake.address}/unifiedcheckout/"
        assert parse_qs(place.query) == {"publicKey": [small.PUBLIC_KEY], "clientSecret": [secret]}
        (sent,) = fake.of("v1/intention")
        assert (sent.body["special_reference"], sent.body["payment_methods"]) == ("ord_1-1", [small.CARD])
        assert 1700 < sent.body["expiration"] <= 1800
        assert sent.body["billing_data"]["last_name"] == "Ali Hassan"
        assert (await paymob.read_payment(started.intent_id)).state is Charged.PENDING
        assert await paymob.find_payment("ord_1-1") is None  # nobody tried yet
        number = fake.pay(started.intent_id)
        read = await paymob.read_payment(started.intent_id)
        assert (read.state, read.money, read.key, read.transaction_id) == (Charged.COMPLETED, PRICE, "ord_1-1", number)
        assert (read.method, read.refunded) == ("card", 0)
        assert await paymob.find_payment("ord_1-1") == read
        hint = await heard(paymob, fake.words()[-1])
        assert (hint.subject, hint.object_id) == (Subject.PAYMENT, started.intent_id)
        (back,) = await paymob.read_hints(headers={}, query=fake.way_back(number), body=b"")
        assert back.object_id == started.intent_id

    async def test_a_declined_card_may_be_tried_again(self, paymob: Paymob, fake: PaymobFake) -> None:
        started = await paymob.start_checkout(checkout())
        fake.decline(started.intent_id)
        read = await paymob.read_payment(started.intent_id)
        assert (read.state, read.failure) == (Charged.PENDING, "declined:DECLINED")
        fake.pay(started.intent_id)
        fake.decline(started.intent_id)  # another tab, after it was paid: the order knows better than its last try
        read = await paymob.read_payment(started.intent_id)
        assert (read.state, read.money, read.key) == (Charged.COMPLETED, PRICE, "ord_1-1")

    async def test_a_wallet_is_paid_when_its_owner_agrees(self, paymob: Paymob, fake: PaymobFake) -> None:
        started = await paymob.start_checkout(checkout(method="wallet"))
        assert fake.of("v1/intention")[0].body["payment_methods"] == [small.WALLET]
        number = fake.pay(started.intent_id, pending=True, kind="wallet")
        read = await paymob.read_payment(started.intent_id)
        assert (read.state, read.failure) == (Charged.PENDING, None)
        fake.finish(number)
        before, after = [await heard(paymob, word) for word in fake.words()]
        assert before.event_id != after.event_id
        assert (await paymob.read_payment(started.intent_id)).state is Charged.COMPLETED

    async def test_another_amount_is_told_as_it_is(self, paymob: Paymob, fake: PaymobFake) -> None:
        assert (await paid(paymob, fake, amount=100)).money == Money(100, "EGP")

    async def test_a_reference_is_taken_once(self, paymob: Paymob) -> None:
        await paymob.start_checkout(checkout())
        with pytest.raises(GatewayRefused) as refused:
            await paymob.start_checkout(checkout())
        assert PRIVATE not in refused.value.reason

    async def test_what_it_does_not_take_is_not_asked_for(self, paymob: Paymob, fake: PaymobFake) -> None:
        assert [one.method for one in await paymob.methods(PRICE)] == ["card", "wallet"]
        assert await paymob.methods(Money(100, "KWD")) == ()
        for facts in ({"money": Money(100, "KWD")}, {"method": "gold"}):
            with pytest.raises(GatewayRefused):
                await paymob.start_checkout(checkout(**facts))
        assert fake.asked == []

    async def test_an_account_without_a_public_key_pays_in_an_iframe(self, fake: PaymobFake) -> None:
        gateway = Paymob(replace(account(fake), public_key="", iframe=42), CLOCK)
        started = await gateway.start_checkout(checkout())
        token = f"key-{started.intent_id}"
        assert started.client == {"iframe_url": f"{fake.address}/api/acceptance/iframes/42?payment_token={token}"}
        fake.pay(started.intent_id)
        assert (await gateway.read_payment(started.intent_id)).key == "ord_1-1"
        await gateway.close()
        bare = Paymob(replace(account(fake), public_key=""), CLOCK)
        with pytest.raises(GatewayRefused):
            await bare.start_checkout(checkout("ord_2-1"))
        await bare.close()

    async def test_an_order_of_somebody_else_is_not_found(self, paymob: Paymob, fake: PaymobFake) -> None:
        await paid(paymob, fake)
        assert await paymob.find_payment("ord_2-1") is None
        assert (await paymob.read_payment("123")).state is Charged.PENDING


class TestPayingBack:
    async def test_a_part_and_another_and_never_more(self, paymob: Paymob, fake: PaymobFake) -> None:
        payment = await paid(paymob, fake)
        first = await paymob.refund(wish(payment, 20_000, name="rfd_1"))
        assert (first.state, first.amount, first.reference) == (PaidBack.COMPLETED, 20_000, "rfd_1")
        second = await paymob.refund(wish(payment, 30_000, before=20_000, name="rfd_2"))
        assert second.refund_id != first.refund_id
        read = await paymob.read_payment(payment.intent_id)
        assert (read.state, read.refunded, read.transaction_id) == (Charged.COMPLETED, 50_000, payment.transaction_id)
        with pytest.raises(GatewayRefused) as refused:
            await paymob.refund(wish(payment, 1, before=50_000, name="rfd_3"))
        assert refused.value.code == "amount"

    async def test_a_lost_answer_doubles_nothing(self, paymob: Paymob, fake: PaymobFake) -> None:
        payment = await paid(paymob, fake)
        fake.lose("void_refund/refund")
        wanted = wish(payment, 20_000)
        with pytest.raises(GatewayUnavailable) as lost:
            await paymob.refund(wanted)
        assert lost.value.may_have_happened
        again = await paymob.refund(wanted)
        assert (again.state, again.amount) == (PaidBack.COMPLETED, 20_000)
        assert len(fake.of("void_refund/refund")) == 1
        assert (await paymob.read_payment(payment.intent_id)).refunded == 20_000

    async def test_all_of_a_card_that_no_bank_has_settled_is_undone(self, paymob: Paymob, fake: PaymobFake) -> None:
        payment = await paid(paymob, fake)
        fake.lose("void_refund/void")
        wanted = wish(payment, 50_000)
        with pytest.raises(GatewayUnavailable):
            await paymob.refund(wanted)
        assert (await paymob.refund(wanted)).state is PaidBack.COMPLETED
        assert len(fake.of("void_refund/void")) == 1
        assert not fake.of("void_refund/refund")
        assert (await paymob.read_payment(payment.intent_id)).refunded == 50_000

    async def test_too_late_for_that_it_is_paid_back(self, paymob: Paymob, fake: PaymobFake) -> None:
        payment = await paid(paymob, fake)
        fake.can_void = False
        assert (await paymob.refund(wish(payment, 50_000))).state is PaidBack.COMPLETED
        assert (len(fake.of("void_refund/void")), len(fake.of("void_refund/refund"))) == (1, 1)

    async def test_one_that_waits_and_fails_is_told_by_its_own_number_alone(
        self, paymob: Paymob, fake: PaymobFake
    ) -> None:
        payment = await paid(paymob, fake)
        made = await paymob.refund(wish(payment, 20_000))
        child = fake.tries[int(made.refund_id)]
        for facts, state in (
            ({"pending": True, "success": False}, PaidBack.PENDING),
            ({"pending": False, "success": False}, PaidBack.FAILED),
        ):
            child.update(facts)
            told = await paymob.read_refund(made.refund_id)
            assert told is not None
            assert (told.refund_id, told.amount, told.state) == (made.refund_id, 20_000, state)
        with pytest.raises(GatewayRefused):
            await paymob.read_refund(payment.transaction_id or "")

    @pytest.mark.parametrize("answer", [{"refund": {"id": 5}}, {"detail": "queued"}, [], {"success": False}])
    async def test_an_answer_that_nobody_understands_is_no_refusal(
        self, paymob: Paymob, fake: PaymobFake, answer: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = await paid(paymob, fake)
        carry_out = fake.carry_out
        monkeypatch.setattr(fake, "carry_out", lambda one: answer if "void_refund" in one.path else carry_out(one))
        for amount in (20_000, 50_000):
            with pytest.raises(GatewayUnavailable) as unclear:
                await paymob.refund(wish(payment, amount))
            assert unclear.value.may_have_happened

    async def test_what_was_paid_back_at_paymobs_own_desk(self, paymob: Paymob, fake: PaymobFake) -> None:
        payment = await paid(paymob, fake)
        fake.words()
        fake.refund_outside(payment.intent_id, amount=10_000)
        hint = await heard(paymob, fake.words()[-1])
        assert (hint.subject, hint.object_id) == (Subject.REFUND, payment.intent_id)
        assert (await paymob.read_payment(payment.intent_id)).refunded == 10_000
        with pytest.raises(GatewayRefused) as refused:  # it may be anybody's: look first
            await paymob.refund(wish(payment, 20_000))
        assert refused.value.code == "state_differs"
        assert not fake.of("void_refund/refund")

    async def test_nothing_is_paid_back_of_what_nobody_paid(self, paymob: Paymob, fake: PaymobFake) -> None:
        started = await paymob.start_checkout(checkout())
        fake.decline(started.intent_id)
        with pytest.raises(GatewayRefused) as refused:
            await paymob.refund(RefundWish("rfd_1", started.intent_id, None, Money(1, "EGP")))
        assert refused.value.code == "not_paid"


class TestSubscriptions:
    PRICE = RecurringPrice("pln_1", "All courses", Money(9_900, "EGP"), "month")

    def wish(self, key: str = "sub_1-1", price: RecurringPrice = PRICE) -> SubscriptionWish:
        return SubscriptionWish(key, "sub_1", price, PAYER, PLACES)

    async def test_from_the_first_payment_to_the_end(self, paymob: Paymob, fake: PaymobFake) -> None:
        started = await paymob.start_subscription(self.wish())
        assert await paymob.find_subscription("sub_1-1", started.intent_id) is None
        fake.pay(started.intent_id)
        assert await paymob.find_subscription("sub_2-1", started.intent_id) is None
        begun = await paymob.find_subscription("sub_1-1", started.intent_id)
        assert begun is not None
        assert (begun.state, begun.key, begun.money) == (Renewing.ACTIVE, "sub_1-1", self.PRICE.money)
        assert begun.intent_ids == (started.intent_id,)
        assert begun.period_end is not None
        assert begun.period_end > CLOCK.now()
        fake.words()
        renewal = fake.renew(begun.subscription_id)
        paid_word, poke = fake.words()
        assert (await heard(paymob, paid_word)).object_id == renewal
        assert (await heard(paymob, poke)).subject is Subject.SUBSCRIPTION
        read = await paymob.read_payment(renewal)
        assert (read.subscription_id, read.money) == (begun.subscription_id, self.PRICE.money)
        later = await paymob.read_subscription(begun.subscription_id)
        assert later.intent_ids == (renewal, started.intent_id)
        fake.renew(begun.subscription_id, is_paid=False)
        assert (await paymob.read_subscription(begun.subscription_id)).state is Renewing.PAST_DUE
        fake.renew(begun.subscription_id)
        for _ in "ab":
            ending = await paymob.cancel_subscription(begun.subscription_id, at_period_end=True, key="k")
            assert (ending.state, ending.cancel_at_period_end) == (Renewing.ACTIVE, True)
        for _ in "ab":
            resumed = await paymob.resume_subscription(begun.subscription_id, key="k")
            assert (resumed.state, resumed.cancel_at_period_end) == (Renewing.ACTIVE, False)
        assert len(fake.of("/resume")) == 1
        ended = await paymob.cancel_subscription(begun.subscription_id, at_period_end=False, key="k")
        assert ended.state is Renewing.CANCELLED
        assert (await paymob.resume_subscription(begun.subscription_id, key="k")).state is Renewing.CANCELLED
        assert len(fake.of("/suspend")) == len(fake.of("/resume")) == 1

    async def test_a_period_for_which_the_last_try_failed_is_not_paid(self, paymob: Paymob, fake: PaymobFake) -> None:
        started = await paymob.start_subscription(self.wish())
        fake.pay(started.intent_id)
        begun = await paymob.find_subscription("sub_1-1", started.intent_id)
        assert begun is not None
        fake.renew(begun.subscription_id)
        one = fake.subscriptions[int(begun.subscription_id)]
        paid = await paymob.read_subscription(begun.subscription_id)
        fake.renew(begun.subscription_id, is_paid=False)
        failed = list(fake.tries.values())[-1]
        for days, is_of_told in ((0, False), (-1, False), (-28, True)):
            failed["created_at"] = f"{paid.period_end + timedelta(days=days):%Y-%m-%dT12:00:00}"  # type: ignore[operator]
            one["state"] = "canceled"
            ended = await paymob.read_subscription(begun.subscription_id)
            expected = paid.period_start if is_of_told else paid.period_end
            assert (ended.state, ended.period_start, ended.period_end) == (
                Renewing.CANCELLED,
                paid.period_start,
                expected,
            )

    async def test_a_price_has_one_plan_and_may_change(self, paymob: Paymob, fake: PaymobFake) -> None:
        started = await paymob.start_subscription(self.wish())
        again = Paymob(account(fake), CLOCK)
        await again.start_subscription(self.wish("sub_2-1"))
        await again.close()
        assert len(fake.plans) == 1
        fake.pay(started.intent_id)
        begun = await paymob.find_subscription("sub_1-1", started.intent_id)
        assert begun is not None
        dearer = replace(self.PRICE, money=Money(19_900, "EGP"))
        changed = await paymob.change_subscription(begun.subscription_id, dearer, key="k")
        assert changed.money == dearer.money
        with pytest.raises(GatewayRefused) as refused:
            await paymob.change_subscription(begun.subscription_id, replace(dearer, interval="year"), key="k")
        assert refused.value.code == "interval"


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "may_have_happened"),
        [
            ("down", True),
            ("lost", True),
            ("html", True),
            ("html200", True),
            ("huge", True),
            ("moved", True),
            ("wall", False),
            ("busy", False),
            ("keys", False),
        ],
    )
    async def test_of_a_request_that_writes(
        self, paymob: Paymob, fake: PaymobFake, fault: Any, *, may_have_happened: bool
    ) -> None:
        fake.fail_next(fault)
        with pytest.raises(GatewayUnavailable) as told:
            await paymob.start_checkout(checkout())
        assert told.value.may_have_happened is may_have_happened
        assert told.value.retry_after_seconds == (7.0 if fault == "busy" else None)
        assert PRIVATE not in str(told.value)

    async def test_an_error_inside_a_200(self, paymob: Paymob, fake: PaymobFake) -> None:
        fake.fail_next("error200")
        with pytest.raises(GatewayUnavailable) as told:
            await paymob.start_checkout(checkout())
        assert told.value.may_have_happened

    async def test_nobody_there_or_nobody_who_answers(self, fake: PaymobFake) -> None:
        nobody = Paymob(replace(account(fake), base="http://127.0.0.1:9"), CLOCK)
        with pytest.raises(GatewayUnavailable) as told:
            await nobody.start_checkout(checkout())
        assert not told.value.may_have_happened
        await nobody.close()
        fake.fail_next("slow")
        slow = Paymob(account(fake), CLOCK, all_seconds=0.05)
        with pytest.raises(GatewayUnavailable):
            await slow.read_payment("700001")
        await slow.close()

    async def test_a_token_that_ended_is_made_again_once_for_all(self, paymob: Paymob, fake: PaymobFake) -> None:
        payment = await paid(paymob, fake)
        fake.tokens.clear()
        reads = await asyncio.gather(*(paymob.read_payment(payment.intent_id) for _ in range(3)))
        assert set(reads) == {payment}
        assert len(fake.of("auth/tokens")) == 2

    async def test_a_word_of_another_secret_is_none(self, paymob: Paymob, fake: PaymobFake) -> None:
        payment = await paid(paymob, fake)
        forged = fake.tell(fake.tries[int(payment.transaction_id or 0)], secret="another")
        with pytest.raises(BadSignature):
            await heard(paymob, forged)
        assert not paymob.has_lists
        with pytest.raises(LookupError):
            paymob.payments_between(CLOCK.now(), CLOCK.now())
