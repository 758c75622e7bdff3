"""MyFatoorah against a small one on a real socket: invoices in three decimals, refunds that take days, monthly draws, faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from lms_rt.contracts.gateways import (
    BadSignature,
    Charged,
    GatewayPayment,
    GatewayRefund,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    PaidBack,
    Payer,
    RecurringPrice,
    Renewing,
    Subject,
    SubscriptionWish,
)
from lms_rt.gateways.payments.myfatoorah import MyFatoorah
from lms_rt.gateways.payments.myfatoorah_calls import MyFatoorahAccount
from lms_rt.gateways.payments.myfatoorah_reading import payment_of, refund_of, shown_money
from tests.servers import myfatoorah_fake as small
from tests.servers.gateway_desk import PRIVATE, Word
from tests.servers.myfatoorah_fake import MyFatoorahFake, myfatoorah_running
from tests.services.paying_there import CLOCK, Purchase, heard, places_of, wish

PAYER = Payer("usr_1", "منى O'Neil-Ali", PRIVATE, language="ar", phone="+965 1234 5678", country="KW")
PLACES = places_of("myfatoorah")
PRICE = Money(10_505, "KWD")
checkout = Purchase(PAYER, PLACES, PRICE, "Algebra & more (1)").checkout


def account(fake: MyFatoorahFake) -> MyFatoorahAccount:
    return MyFatoorahAccount(fake.address, SecretStr(small.API_KEY), SecretStr(small.WEBHOOK_SECRET))


@pytest.fixture
async def fake() -> AsyncIterator[MyFatoorahFake]:
    async with myfatoorah_running() as running:
        yield running


@pytest.fixture
async def gateway(fake: MyFatoorahFake) -> AsyncIterator[MyFatoorah]:
    opened = MyFatoorah(account(fake), CLOCK)
    yield opened
    await opened.close()


async def paid(gateway: MyFatoorah, fake: MyFatoorahFake, **facts: Any) -> GatewayPayment:
    started = await gateway.start_checkout(checkout(**facts))
    fake.pay(started.intent_id)
    return await gateway.read_payment(started.intent_id)


class TestPaying:
    async def test_an_invoice_is_written_paid_and_read_back_to_the_last_fils(
        self, gateway: MyFatoorah, fake: MyFatoorahFake
    ) -> None:
        started = await gateway.start_checkout(checkout())
        (sent,) = fake.of("SendPayment")
        assert started.client == {"redirect_url": f"{fake.address}/pay/{started.intent_id}"}
        assert (sent.body["InvoiceValue"], sent.body["DisplayCurrencyIso"]) == (10.505, "KWD")
        assert (sent.body["CustomerName"], sent.body["CustomerMobile"]) == ("منى O Neil Ali", "96512345678")
        assert sent.body["Language"] == "ar"
        until = datetime.fromisoformat(sent.body["ExpiryDate"]).replace(tzinfo=ZoneInfo("Asia/Kuwait"))
        assert abs(until - CLOCK.now() - timedelta(minutes=30)) < timedelta(minutes=1)
        assert (await gateway.read_payment(started.intent_id)).state is Charged.PENDING
        number = fake.pay(started.intent_id)
        read = await gateway.read_payment(started.intent_id)
        assert (read.state, read.money, read.key, read.transaction_id) == (Charged.COMPLETED, PRICE, "ord_1-1", number)
        assert (read.method, read.refunds) == ("KNET", ())
        assert await gateway.find_payment("ord_1-1") == read
        assert await gateway.find_payment("ord_2-1") is None
        hint = await heard(gateway, fake.words()[-1])
        assert (hint.subject, hint.object_id, hint.key) == (Subject.PAYMENT, started.intent_id, "ord_1-1")

    async def test_a_method_is_chosen_by_its_name_and_what_sees_cards_is_left_out(
        self, gateway: MyFatoorah, fake: MyFatoorahFake
    ) -> None:
        offered = await gateway.methods(PRICE)
        assert [(one.method, one.fee, one.name["ar"]) for one in offered] == [("kn", 0, "كي نت"), ("vm", 100, "فيزا")]
        await gateway.methods(PRICE)
        started = await gateway.start_checkout(checkout(method="vm"))
        assert (len(fake.of("InitiatePayment")), fake.of("ExecutePayment")[0].body["PaymentMethodId"]) == (1, 2)
        assert started.client["redirect_url"].endswith(started.intent_id)
        with pytest.raises(GatewayRefused):
            await gateway.start_checkout(checkout("ord_2-1", method="gold"))
        assert await gateway.methods(Money(100, "JPY")) == ()

    async def test_a_declined_card_may_be_tried_again(self, gateway: MyFatoorah, fake: MyFatoorahFake) -> None:
        started = await gateway.start_checkout(checkout())
        fake.decline(started.intent_id)
        read = await gateway.read_payment(started.intent_id)
        assert (read.state, read.failure) == (Charged.PENDING, "declined:MF002")
        fake.pay(started.intent_id)
        declined, went_through = [await heard(gateway, word) for word in fake.words()]
        assert declined.event_id != went_through.event_id
        assert (await gateway.read_payment(started.intent_id)).failure is None

    @pytest.mark.parametrize("status", ["DuplicatePayment", "Paid"])
    async def test_an_invoice_that_was_paid_twice_is_two_payments(
        self, gateway: MyFatoorah, fake: MyFatoorahFake, status: str
    ) -> None:
        payment = await paid(gateway, fake)
        number, invoice = fake.pay(payment.intent_id, is_again=True), fake.invoices[int(payment.intent_id)]
        invoice["InvoiceStatus"] = status
        first_word, second_word = [await heard(gateway, word) for word in fake.words()]
        assert (first_word.object_id, second_word.object_id) == (payment.intent_id, payment.intent_id)
        assert first_word.event_id != second_word.event_id
        invoice["InvoiceTransactions"][1]["TransactionDate"] = "2026-08-15T12:00:00"
        apart = f"{payment.intent_id}:{number}"
        for _ in "ab":  # in whatever order they are told
            invoice["InvoiceTransactions"].reverse()
            for intent_id in (payment.intent_id, apart):
                read = await gateway.read_payment(intent_id)
                assert (read.money, read.transaction_id, read.is_whole) == (PRICE, payment.transaction_id, True)
                [again] = read.others
                assert (again.apart_id, again.transaction_id, again.money, again.is_again) == (
                    apart,
                    number,
                    PRICE,
                    True,
                )
        refused = replace(wish(payment, 505), transaction_id="0706")
        with pytest.raises(GatewayRefused) as told:
            await gateway.refund(refused)
        assert told.value.code == "not_paid"

    async def test_an_invoice_whose_second_payment_is_not_told_apart_is_no_single_one(
        self, gateway: MyFatoorah, fake: MyFatoorahFake
    ) -> None:
        payment = await paid(gateway, fake)
        invoice = fake.invoices[int(payment.intent_id)]
        invoice["InvoiceStatus"] = "DuplicatePayment"
        read = await gateway.read_payment(payment.intent_id)
        assert (read.money, read.others, read.is_whole) == (PRICE, (), False)
        fake.pay(payment.intent_id, is_again=True)
        invoice["InvoiceTransactions"][1]["PaymentId"] = None
        read = await gateway.read_payment(payment.intent_id)
        assert (read.money, read.others) == (Money(21_010, "KWD"), ())

    async def test_a_reference_has_one_invoice(self, gateway: MyFatoorah, fake: MyFatoorahFake) -> None:
        fake.lose("SendPayment")
        with pytest.raises(GatewayUnavailable) as lost:
            await gateway.start_checkout(checkout())
        assert lost.value.may_have_happened
        with pytest.raises(GatewayRefused) as refused:
            await gateway.start_checkout(checkout())
        assert refused.value.code == "exists"
        found = await gateway.find_payment("ord_1-1")
        assert found is not None
        assert found.state is Charged.PENDING

    async def test_addresses_that_it_would_refuse_are_not_sent(self, gateway: MyFatoorah, fake: MyFatoorahFake) -> None:
        places = replace(PLACES, return_url="https://school.example/" + "a" * 300)
        with pytest.raises(GatewayRefused):
            await gateway.start_checkout(checkout(places=places))
        assert not fake.asked


class TestReading:
    @pytest.mark.parametrize(
        ("text", "money"),
        [
            ("10.000 KWD", Money(10_000, "KWD")),
            ("1,234.500 KD", Money(1_234_500, "KWD")),
            ("100.00 SR", Money(10_000, "SAR")),
            ("5 usd", Money(500, "USD")),
        ],
    )
    def test_what_an_invoice_says_it_costs(self, text: str, money: Money) -> None:
        assert shown_money(text) == money

    @pytest.mark.parametrize("text", [None, "", "KWD", "1.0001 KWD", "-1 KWD", "1e5 KWD", "NaN KWD", "1 XQZ", 5])
    def test_what_says_nothing_settles_nothing(self, text: Any) -> None:
        with pytest.raises(GatewayUnavailable):
            shown_money(text)

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ("Canceled", Charged.CANCELLED),
            ("Expired", Charged.EXPIRED),
            ("Pending", Charged.PENDING),
            (None, Charged.PENDING),
        ],
    )
    def test_states(self, status: str | None, state: Charged) -> None:
        invoice = {"InvoiceId": 1, "InvoiceStatus": status, "InvoiceValue": 1, "InvoiceDisplayValue": "1 KWD"}
        assert payment_of(invoice).state is state

    def test_no_more_is_paid_back_than_was_paid_however_it_is_told(self) -> None:
        invoice = {"InvoiceValue": Decimal("3.333"), "InvoiceDisplayValue": "10.00 USD"}
        told = {"RefundId": 1, "Amount": Decimal("3.334"), "RefundStatus": "Refunded", "Comments": PRIVATE}
        assert refund_of(told, invoice) == GatewayRefund("1", 1_000, PaidBack.COMPLETED)
        assert refund_of({"RefundId": 1}, invoice) is None


class TestPayingBack:
    async def test_a_refund_waits_for_its_staff(self, gateway: MyFatoorah, fake: MyFatoorahFake) -> None:
        payment = await paid(gateway, fake)
        wanted = wish(payment, 505)
        asked = await gateway.refund(wanted)
        assert (asked.state, asked.amount) == (PaidBack.PENDING, 505)
        sent = fake.of("MakeRefund")[0].body
        assert (sent["Amount"], sent["Comment"], sent["ServiceChargeOnCustomer"]) == (0.505, wanted.refund_id, False)
        read = await gateway.read_payment(payment.intent_id)
        assert (read.refunded, read.refunds) == (0, (asked,))
        fake.words()
        fake.finish_refund(asked.refund_id)
        hint = await heard(gateway, fake.words()[-1])
        assert (hint.subject, hint.object_id) == (Subject.REFUND, payment.intent_id)
        read = await gateway.read_payment(payment.intent_id)
        assert (read.state, read.refunded) == (Charged.COMPLETED, 505)
        rest = await gateway.refund(wish(payment, 10_000, before=505))
        fake.finish_refund(rest.refund_id, "Canceled")
        read = await gateway.read_payment(payment.intent_id)
        assert (read.refunded, read.refunds[-1].state) == (505, PaidBack.CANCELLED)

    async def test_a_lost_answer_doubles_nothing(self, gateway: MyFatoorah, fake: MyFatoorahFake) -> None:
        payment = await paid(gateway, fake)
        wanted = wish(payment, 505)
        fake.lose("MakeRefund")
        with pytest.raises(GatewayUnavailable) as lost:
            await gateway.refund(wanted)
        assert lost.value.may_have_happened
        again = await gateway.refund(wanted)
        assert (again.state, again.reference) == (PaidBack.PENDING, wanted.refund_id)
        assert len(fake.of("MakeRefund")) == 1

    async def test_where_our_name_is_not_kept_the_sum_tells(self) -> None:
        async with myfatoorah_running(names_refunds=False) as fake:
            gateway = MyFatoorah(account(fake), CLOCK)
            payment = await paid(gateway, fake)
            first = await gateway.refund(wish(payment, 505))
            fake.finish_refund(first.refund_id)
            assert await gateway.refund(wish(payment, 505, name="rfd_x")) == GatewayRefund(
                first.refund_id, 505, PaidBack.COMPLETED, "rfd_x"
            )
            assert len(fake.of("MakeRefund")) == 1
            fake.refund_outside(payment.intent_id, amount="1")
            with pytest.raises(GatewayRefused) as refused:
                await gateway.refund(wish(payment, 700, before=505))
            assert refused.value.code == "state_differs"
            await gateway.close()

    async def test_in_another_currency_than_the_account_s(self, gateway: MyFatoorah, fake: MyFatoorahFake) -> None:
        payment = await paid(gateway, fake, money=Money(3_333, "USD"))
        fake.invoices[int(payment.intent_id)]["InvoiceValue"] = 10.251  # dinars
        part = await gateway.refund(wish(payment, 1_111))
        assert fake.of("MakeRefund")[0].body["Amount"] == 3.417
        fake.finish_refund(part.refund_id)
        assert (await gateway.read_payment(payment.intent_id)).refunded == 1_111
        rest = await gateway.refund(wish(payment, 2_222, before=1_111))
        fake.finish_refund(rest.refund_id)
        assert (await gateway.read_payment(payment.intent_id)).refunded == 3_333

    async def test_what_cannot_be_is_refused(self, gateway: MyFatoorah, fake: MyFatoorahFake) -> None:
        started = await gateway.start_checkout(checkout())
        unpaid = await gateway.read_payment(started.intent_id)
        for payment in (unpaid, replace(unpaid, intent_id="77")):
            with pytest.raises(GatewayRefused):
                await gateway.refund(wish(payment, 1))
        fake.pay(started.intent_id)
        with pytest.raises(GatewayRefused) as refused:
            await gateway.refund(wish(unpaid, 10_506))
        assert PRIVATE not in refused.value.reason


class TestSubscriptions:
    WISH = SubscriptionWish("sub_1-1", "sub_1", RecurringPrice("pln_1", "All courses", PRICE, "month"), PAYER, PLACES)

    async def test_from_the_first_payment_to_the_end(self, gateway: MyFatoorah, fake: MyFatoorahFake) -> None:
        started = await gateway.start_subscription(self.WISH)
        assert fake.of("ExecutePayment")[0].body["RecurringModel"]["RecurringType"] == "Monthly"
        assert await gateway.find_subscription("sub_1-1", started.intent_id) is None
        fake.pay(started.intent_id)
        assert await gateway.find_subscription("sub_2-1", started.intent_id) is None
        begun = await gateway.find_subscription("sub_1-1", started.intent_id)
        assert begun is not None
        assert (begun.state, begun.key, begun.money) == (Renewing.ACTIVE, "sub_1-1", PRICE)
        assert begun.period_end == datetime(2030, 2, 1, tzinfo=CLOCK.now().tzinfo)  # three in the morning in Kuwait
        fake.words()
        renewal = fake.renew(begun.subscription_id)
        paid_word, poke = [await heard(gateway, word) for word in fake.words()]
        assert (paid_word.object_id, poke.subject, poke.object_id) == (
            renewal,
            Subject.SUBSCRIPTION,
            begun.subscription_id,
        )
        assert (await gateway.read_payment(renewal)).subscription_id == begun.subscription_id
        assert (await gateway.read_subscription(begun.subscription_id)).intent_ids == (renewal, started.intent_id)
        fake.renew(begun.subscription_id, is_paid=False)
        assert (await gateway.read_subscription(begun.subscription_id)).state is Renewing.PAST_DUE
        for _ in "ab":
            ended = await gateway.cancel_subscription(begun.subscription_id, at_period_end=True, key="k")
            assert (ended.state, ended.cancel_at_period_end) == (Renewing.CANCELLED, True)
        assert len(fake.of("CancelRecurringPayment")) == 1
        with pytest.raises(GatewayRefused) as refused:
            await gateway.resume_subscription(begun.subscription_id, key="k")
        assert refused.value.code == "not_supported"

    @pytest.mark.parametrize("asked", ["GetPaymentStatus", "GetRecurringPayment", None])
    async def test_what_it_cannot_say_now_is_no_word_about_a_page(
        self, gateway: MyFatoorah, fake: MyFatoorahFake, monkeypatch: pytest.MonkeyPatch, asked: str | None
    ) -> None:
        started = await gateway.start_subscription(self.WISH)
        fake.pay(started.intent_id)
        ask, look = gateway._calls.ask, gateway._calls.look

        async def no(name: str, *given: Any, **options: Any) -> Any:
            if name == asked:
                raise GatewayRefused("not now", code="refused")
            return await (ask(name, *given, **options) if given else look(name))

        monkeypatch.setattr(gateway._calls, "ask", no)
        monkeypatch.setattr(gateway._calls, "look", no)
        if asked is None:
            fake.recurring.clear()  # it was paid, and stands in no list yet
        with pytest.raises(GatewayUnavailable):
            await gateway.find_subscription("sub_1-1", started.intent_id)
        with pytest.raises(GatewayRefused if asked is None else (GatewayRefused, GatewayUnavailable)):
            await gateway.find_subscription("sub_1-1", "77123")

    async def test_what_it_cannot_do(self, gateway: MyFatoorah) -> None:
        yearly = replace(self.WISH, price=replace(self.WISH.price, interval="year"))
        with pytest.raises(GatewayRefused):
            await gateway.start_subscription(yearly)
        with pytest.raises(GatewayRefused):
            await gateway.change_subscription("RECUR1", self.WISH.price, key="k")
        with pytest.raises(GatewayRefused) as refused:
            await gateway.read_subscription("RECUR1")
        assert refused.value.code == "not_found"
        with pytest.raises(LookupError):
            gateway.payments_between(CLOCK.now(), CLOCK.now())


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "may_have_happened"),
        [("down", True), ("html", True), ("html200", True), ("wall", False), ("busy", False), ("keys", False)],
    )
    async def test_of_a_request_that_writes(
        self, gateway: MyFatoorah, fake: MyFatoorahFake, fault: Any, *, may_have_happened: bool
    ) -> None:
        payment = await paid(gateway, fake)
        fake.fault_at("MakeRefund", fault)
        with pytest.raises(GatewayUnavailable) as told:
            await gateway.refund(wish(payment, 505))
        assert told.value.may_have_happened is may_have_happened
        assert PRIVATE not in str(told.value)

    async def test_an_error_inside_a_200_is_a_refusal(self, gateway: MyFatoorah, fake: MyFatoorahFake) -> None:
        payment = await paid(gateway, fake)
        fake.fault_at("MakeRefund", "error200")
        with pytest.raises(GatewayRefused) as told:
            await gateway.refund(wish(payment, 505))
        assert told.value.reason == "status 200, InvoiceValue"
        for ending in ("GetPaymentStatus", "GetRefundStatus"):
            fake.fault_at(ending, "error200")
            with pytest.raises(GatewayUnavailable):  # how something stands is asked again
                await gateway.read_payment(payment.intent_id)
        fake.fail_next("slow")
        slow = MyFatoorah(account(fake), CLOCK, all_seconds=0.05)
        with pytest.raises(GatewayUnavailable):
            await slow.read_payment(payment.intent_id)
        await slow.close()

    async def test_webhooks_of_version_1_and_of_somebody_else(self) -> None:
        async with myfatoorah_running(version="v1") as fake:
            gateway = MyFatoorah(account(fake), CLOCK)
            payment = await paid(gateway, fake)
            (word,) = fake.words()
            hint = await heard(gateway, word)
            assert (hint.object_id, hint.key) == (payment.intent_id, "ord_1-1")
            assert await heard(gateway, word) == hint
            invoice = fake.invoices[int(payment.intent_id)]
            forged = fake.tell_payment(invoice, invoice["InvoiceTransactions"][0], "SUCCESS", secret="another")
            unversioned = Word({"myfatoorah-signature": word.headers["MyFatoorah-Signature"]}, {}, word.body)
            bad = (forged, unversioned, Word({}, {}, word.body), Word(word.headers, {}, word.body[:-1]))
            for one in (*bad, Word(word.headers, {}, word.body.replace(b"ord_1-1", b"ord_2-1"))):
                with pytest.raises(BadSignature):
                    await heard(gateway, one)
            await gateway.close()
