"""What gateways name of subscriptions: all that was ever drawn, page by page, and themselves, though an invoice does not."""

from __future__ import annotations

from lms_rt.contracts.gateways import RecurringPrice, Renewing, SubscriptionWish
from lms_rt.gateways.payments.base import PaymentGateway
from lms_rt.gateways.payments.myfatoorah import MyFatoorah
from lms_rt.gateways.payments.paymob import Paymob
from tests.contracts.stripe_samples import gateway_to, wish_to_subscribe
from tests.servers.myfatoorah_fake import MyFatoorahFake, myfatoorah_running
from tests.servers.paymob_fake import PaymobFake, paymob_running
from tests.servers.stripe_fake import StripeFake, stripe_running
from tests.services import test_payment_myfatoorah as kuwait
from tests.services import test_payment_paymob as egypt
from tests.services.paying_there import CLOCK


async def named(gateway: PaymentGateway, subscription_id: str) -> list[tuple[str, ...]]:
    """The pages of payments that it names of a subscription."""
    read = await gateway.read_subscription(subscription_id)
    pages, place = [read.intent_ids], read.older
    while place is not None:
        page = await gateway.older_payments(subscription_id, place)
        pages.append(page.intent_ids)
        place = page.older
    return pages


async def assert_all_named(
    gateway: PaymentGateway, fake: MyFatoorahFake | PaymobFake | StripeFake, wish: SubscriptionWish
) -> None:
    """Begin one, and draw for it 21 times more."""
    started = await gateway.start_subscription(wish)
    fake.pay(started.intent_id)
    begun = await gateway.find_subscription(wish.key, started.intent_id)
    assert begun is not None
    paid = [*begun.intent_ids, *(fake.renew(begun.subscription_id) for _ in range(21))]
    pages = await named(gateway, begun.subscription_id)
    assert [len(page) for page in pages] == [10, 10, 2]
    assert [intent_id for page in pages for intent_id in page] == paid[::-1]
    await gateway.close()


async def test_all_that_was_drawn_is_named_page_by_page() -> None:
    price = RecurringPrice("pln_1", "All courses", egypt.PRICE, "month")
    async with stripe_running() as stripe, paymob_running() as paymob, myfatoorah_running() as myfatoorah:
        await assert_all_named(gateway_to(stripe.address), stripe, wish_to_subscribe("sub_old-1"))
        wish = SubscriptionWish("sub_1-1", "sub_1", price, egypt.PAYER, egypt.PLACES)
        await assert_all_named(Paymob(egypt.account(paymob), CLOCK), paymob, wish)
        there = MyFatoorah(kuwait.account(myfatoorah), CLOCK)
        await assert_all_named(there, myfatoorah, kuwait.TestSubscriptions.WISH)


async def test_one_that_its_invoice_does_not_name_is_found_in_the_list_of_all() -> None:
    async with myfatoorah_running() as fake:
        gateway = MyFatoorah(kuwait.account(fake), CLOCK)
        started = await gateway.start_subscription(kuwait.TestSubscriptions.WISH)
        fake.pay(started.intent_id)
        fake.invoices[int(started.intent_id)]["RecurringId"] = None
        begun = await gateway.find_subscription("sub_1-1", started.intent_id)
        assert begun is not None
        assert (begun.state, begun.key, begun.intent_ids) == (Renewing.ACTIVE, "sub_1-1", (started.intent_id,))
        fake.recurring.clear()
        assert await gateway.find_subscription("sub_1-1", started.intent_id) is None
        await gateway.close()
