"""A gateway that draws for subscriptions by the calendar, whether anybody listens or not: what it knows is the truth."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lms_rt.clock import Clock
from lms_rt.contracts.gateways import (
    CheckoutStarted,
    GatewayRefused,
    GatewaySubscription,
    GatewayUnavailable,
    Money,
    OlderPayments,
    RecurringPrice,
    Renewing,
    SubscriptionWish,
)
from tests.services.market import PageGateway

RETRIED_DAYS, DRAFT, PAGE_LASTS, NAMED_LATE = 14, timedelta(hours=1), timedelta(days=1), timedelta(days=2)
WRONG = 10**6
"""An amount that nobody agreed to."""


@dataclass
class Period:
    """One period, with what was drawn for it. `is_paid`: also where what was left of another plan paid for it."""

    start: datetime
    end: datetime
    intent_ids: list[str] = field(default_factory=list)
    is_paid: bool = False


@dataclass
class Standing:
    """A subscription at the gateway. `plan_id` is what was last paid for, `price` what is drawn next."""

    subscription_id: str
    key: str
    plan_id: str
    price: RecurringPrice
    anchor: datetime
    periods: list[Period] = field(default_factory=list)
    state: Renewing = Renewing.ACTIVE
    is_ending: bool = False
    credit: int = 0
    changes: int = 0
    months: int = 0
    failures: int = 0
    resumes: int = 0
    wrong: set[str] = field(default_factory=set)
    renewals: list[datetime] = field(default_factory=list)
    """When it drew by itself."""

    @property
    def row_id(self) -> str:
        """Whose checkout it came of."""
        return self.key.rpartition("-")[0]

    @property
    def is_live(self) -> bool:
        """Will it be drawn for again?"""
        return self.state in (Renewing.ACTIVE, Renewing.PAST_DUE) and not self.is_ending


def month_after(anchor: datetime, months: int) -> datetime:
    """So many months later, on the same day or the last that there is."""
    year, month = divmod(anchor.month - 1 + months, 12)
    year, month = anchor.year + year, month + 1
    return anchor.replace(year=year, month=month, day=min(anchor.day, monthrange(year, month)[1]))


class PlanGateway(PageGateway):
    """`changes_at_once` as Stripe, else as Paymob, whose first payments name their checkouts, and the others subscriptions.

    `is_hasty`: calls a period active an hour before it draws. `keeps_anchor`: a change draws for the rest of the period, which
    stays as it is; else it begins a new one.
    """

    has_subscriptions = True

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.wishes: dict[str, SubscriptionWish] = {}
        self.pages_at: dict[str, datetime] = {}
        self.standing: dict[str, Standing] = {}
        self.by_page: dict[str, str] = {}
        self.keys: set[str] = set()
        self.changes_at_once = self.is_hasty = self.keeps_anchor = False
        self.is_card_empty = self.draws_wrong = self.is_still = self.is_shy = False
        self.loses = 0

    # --- what happens there ---

    def goes_through(self, page: str, now: datetime) -> None:
        """Somebody pays at a page for a plan."""
        if page in self.closed or page in self.by_page or self.pages_at[page] + PAGE_LASTS < now:
            return
        wish, now = self.wishes[page], now.replace(microsecond=0)
        one = Standing(f"gs_{page}", wish.key, wish.price.plan_id, wish.price, now)
        self.standing[one.subscription_id], self.by_page[page] = one, one.subscription_id
        self._begin_period(one, now)
        self._draw(one, now)

    def time_has_come(self, now: datetime) -> None:
        """Draw for whatever is due."""
        now = now.replace(microsecond=0)
        for one in [] if self.is_still else list(self.standing.values()):
            self._go_on(one, now)

    def takes_back(self, subscription_id: str) -> None:
        """Its owner lets it go on, at the gateway's own page."""
        one = self.standing[subscription_id]
        if one.state is Renewing.ACTIVE:
            one.is_ending, one.resumes = False, one.resumes + 1

    def _go_on(self, one: Standing, now: datetime) -> None:
        last = one.periods[-1]
        if one.state is Renewing.ACTIVE and last.is_paid and last.end <= now:
            if one.is_ending:
                one.state = Renewing.CANCELLED
                return
            last = self._begin_period(one, last.end)
            if self.is_hasty:
                return
        if one.state in (Renewing.ACTIVE, Renewing.PAST_DUE) and not last.is_paid and last.start <= now:
            self._try(one, last, now)

    def _try(self, one: Standing, period: Period, now: datetime) -> None:
        if self.is_hasty and one.state is Renewing.ACTIVE and period.start + DRAFT > now:
            return
        if not self.is_card_empty:
            self._draw(one, now)
            one.state = Renewing.ACTIVE
            one.renewals.append(now)
        elif one.state is Renewing.ACTIVE:
            one.state, one.failures = Renewing.PAST_DUE, one.failures + 1
        elif period.start + timedelta(days=RETRIED_DAYS) <= now:
            one.state = Renewing.CANCELLED

    def _begin_period(self, one: Standing, start: datetime) -> Period:
        one.months += 1
        one.periods.append(Period(start, month_after(one.anchor, one.months)))
        return one.periods[-1]

    def _draw(self, one: Standing, now: datetime) -> None:
        """What is due of the price, for the present period."""
        period, amount = one.periods[-1], one.price.money.amount
        used = min(one.credit, amount)
        one.credit, due, period.is_paid = one.credit - used, amount - used, True
        one.plan_id = one.price.plan_id
        if due:
            self._pay(one, period, due, now)

    def _pay(self, one: Standing, period: Period, due: int, now: datetime) -> None:
        price = one.price.money
        number = sum(len(each.intent_ids) for each in one.periods)
        intent_id = f"{one.subscription_id.replace('-', '.')}.{number}"  # of gateways' ids none has a hyphen
        if self.draws_wrong and one.months > 1:
            due, self.draws_wrong = WRONG, False
            one.wrong.add(intent_id)
        is_by_key = not self.changes_at_once and number == 0
        row = {"amount": due, "currency": price.currency, "intent_id": intent_id, "key": one.key if is_by_key else None}
        self.pays(row, at=now, paid_at=now, subscription_id=None if is_by_key else one.subscription_id)
        period.intent_ids.append(intent_id)

    # --- what it is asked ---

    async def start_subscription(self, wish: SubscriptionWish) -> CheckoutStarted:
        """A page to pay at, the same for the same key."""
        self._be_there()
        page = f"cs_{wish.key}"
        self.wishes.setdefault(page, wish)
        self.pages_at.setdefault(page, self._clock.now())
        self._answer()
        return CheckoutStarted(page, {"redirect_url": f"https://pay.test/{page}"})

    async def cancel_checkout(self, intent_id: str) -> None:
        """Nobody pays there any more, if it can do that."""
        if self.closes_pages and intent_id in self.wishes and intent_id not in self.by_page:
            self.closed.add(intent_id)
        elif intent_id not in self.wishes:
            await super().cancel_checkout(intent_id)

    async def find_subscription(self, key: str, intent_id: str) -> GatewaySubscription | None:  # noqa: ARG002
        """By its page; one that is shy names it some days after it was paid for."""
        self._be_there()
        found = self.by_page.get(intent_id)
        is_hidden = found is not None and self.standing[found].periods[0].start + NAMED_LATE > self._clock.now()
        return None if found is None or (self.is_shy and is_hidden) else self._read(found)

    async def read_subscription(self, subscription_id: str) -> GatewaySubscription:
        """As it stands."""
        self._be_there()
        return self._read(subscription_id)

    async def older_payments(self, subscription_id: str, place: str) -> OlderPayments:
        """Ten of those behind the newest ones."""
        self._be_there()
        intents = [each for period in self.standing[subscription_id].periods for each in period.intent_ids][::-1]
        end = int(place) + 10
        return OlderPayments(tuple(intents[int(place) : end]), str(end) if len(intents) > end else None)

    async def change_subscription(
        self, subscription_id: str, price: RecurringPrice, *, key: str
    ) -> GatewaySubscription:
        """Once for each key."""
        self._be_there()
        one = self.standing[subscription_id]
        if key not in self.keys:
            if one.state is not Renewing.ACTIVE or (self.is_card_empty and self.changes_at_once):
                raise GatewayRefused("no", code="card_declined")
            self.keys.add(key)
            self._change(one, price)
        self._answer()
        return replace(self._read(subscription_id), is_at_once=self.changes_at_once)

    async def cancel_subscription(self, subscription_id: str, *, at_period_end: bool, key: str) -> GatewaySubscription:  # noqa: ARG002
        """At once or at the end."""
        self._be_there()
        one = self.standing[subscription_id]
        if at_period_end and one.state is not Renewing.CANCELLED:
            one.is_ending = True
        elif not at_period_end:
            one.state = Renewing.CANCELLED
        self._answer()
        return self._read(subscription_id)

    async def resume_subscription(self, subscription_id: str, *, key: str) -> GatewaySubscription:  # noqa: ARG002
        """It goes on after all."""
        self._be_there()
        if self.standing[subscription_id].state is not Renewing.ACTIVE:
            raise GatewayRefused("it has ended", code="ended")
        self.takes_back(subscription_id)
        self._answer()
        return self._read(subscription_id)

    def _change(self, one: Standing, price: RecurringPrice) -> None:
        one.changes += 1
        if not self.changes_at_once:
            one.price = price
            return
        now, last, old = self._clock.now().replace(microsecond=0), one.periods[-1], one.price.money.amount
        if self.keeps_anchor:
            self._change_rest(one, price, now)
            return
        if last.is_paid:  # what is left of it counts
            one.credit += max(
                0, old * int((last.end - now).total_seconds()) // int((last.end - last.start).total_seconds())
            )
        one.price, one.anchor, one.months = price, now, 0
        self._begin_period(one, now)
        self._draw(one, now)

    def _change_rest(self, one: Standing, price: RecurringPrice, now: datetime) -> None:
        """What the rest of the period costs more is drawn now; what it costs less counts for the next one."""
        last, old = one.periods[-1], one.price.money.amount
        rest = max(0, int((last.end - now).total_seconds()))
        more = (price.money.amount - old) * rest // int((last.end - last.start).total_seconds())
        one.price = price
        if not last.is_paid:
            return  # it is drawn at the new price
        one.plan_id, used = price.plan_id, min(one.credit, max(0, more))
        one.credit += max(0, -more) - used
        if more > used:
            self._pay(one, last, more - used, now)

    def _read(self, subscription_id: str) -> GatewaySubscription:
        one = self.standing[subscription_id]
        last, intents = one.periods[-1], [each for period in one.periods for each in period.intent_ids]
        # after a change what is left of a plan may pay for long: only the gateway knows whether it does, and Stripe's is so read
        is_draft = bool(one.changes) and one.state is Renewing.ACTIVE and not last.is_paid
        return GatewaySubscription(
            subscription_id,
            one.state,
            one.key,
            last.start,
            last.start if is_draft else last.end,
            cancel_at_period_end=one.is_ending,
            money=Money(one.price.money.amount, one.price.money.currency),
            intent_ids=tuple(intents[::-1][:10]),
            older="10" if len(intents) > 10 else None,
        )

    def _be_there(self) -> None:
        if self.is_away:
            raise GatewayUnavailable("away")

    def _answer(self) -> None:
        """It was done; some never hear of it."""
        if self.loses:
            self.loses -= 1
            raise GatewayUnavailable("lost", may_have_happened=True)
