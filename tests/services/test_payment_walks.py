"""Reconciling much: page by page, so much at once, on from where it was cut; and what was left out is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.journal_entry import JournalEntry
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from documents.payment_walk import PaymentWalk
from documents.refund import Refund
from lms_rt.contracts.gateways import Charged, GatewayPayment, Money
from lms_rt.errors import Code
from lms_rt.services import figures
from lms_rt.services.payments import reconcile_books, reconcile_lists, reconcile_open
from lms_rt.services.payments.comparison_state import ComparisonState
from lms_rt.services.payments.reconcile_books import Books
from lms_rt.services.payments.reconcile_lists import MOST_FAILURES
from lms_rt.services.payments.walking import Run
from lms_rt.storage.mongo import OpenDatabase
from tests.services.school import ADMIN, STUDENT
from tests.services.test_payment_refunds import open_findings, refused
from tests.services.till import Till

DAY = timedelta(days=1)


@pytest.fixture
def till(database: OpenDatabase, settings: Settings) -> Till:
    return Till(settings)


def state_of(till: Till) -> ComparisonState:
    return ComparisonState(clock=till.clock, gateways=till.gateways)


def figure(of: Any) -> float:
    return float(of.labels("stripe")._value.get())


async def test_a_comparison_goes_on_in_the_next_run_where_it_was_cut(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_lists, "PAGE", 2)
    paid = [await till.paid(1000) for _ in range(7)]
    till.clock.advance(8.5 * DAY.total_seconds())
    read: list[str] = []
    ask = till.gateway.read_payment

    async def noted(intent_id: str) -> GatewayPayment:
        read.append(intent_id)
        return await ask(intent_id)

    monkeypatch.setattr(till.gateway, "read_payment", noted)
    since, runs = till.clock.now(), 0
    while True:
        run, runs = Run(till.clock, since=since, most_work=2), runs + 1
        await till.comparison.compare_all(run)
        if not run.is_cut:
            break
        assert runs < 40
    assert runs >= 4, "two at once"
    assert sorted(read) == sorted(row["intent_id"] for row in paid), "each once, and none left out"
    assert await till.comparison.compare_all(Run(till.clock, since=since)) == 0, "a job that is run again"
    till.clock.advance(60)
    assert await till.comparison.compare_all(Run(till.clock, since=till.clock.now())) == 7, "the next night"


async def test_who_is_killed_loses_one_page_and_two_at_once_do_not_go_back(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_lists, "PAGE", 2)
    for _ in range(6):
        await till.paid(1000)
    till.clock.advance(8.5 * DAY.total_seconds())
    find, pages = Payment.find_completed, 0

    async def dies(*args: Any, **asked: Any) -> Any:
        nonlocal pages
        rows = await find(*args, **asked)
        pages += bool(rows)
        if pages == 3:
            raise KeyboardInterrupt  # as whoever stops a process
        return rows

    with monkeypatch.context() as broken:
        broken.setattr(Payment, "find_completed", dies)
        with pytest.raises(KeyboardInterrupt):
            await till.comparison.compare_all()
    assert await till.comparison.compare_all() == 2, "what was not looked at yet"
    row = await PaymentWalk.find_row("compare:stripe")
    assert row is not None
    assert (row["seen"], row["failed"], "state" in row) == (6, 0, False)
    assert await PaymentWalk.move(row | {"revision": 1}, {"seen": 0}, till.clock.now()) is None


async def test_what_could_not_be_compared_is_a_figure_and_shown_until_it_was(till: Till) -> None:
    state = state_of(till)
    (shown,) = (await state.list(ADMIN)).items
    assert (shown.gateway, shown.is_complete, shown.complete_at) == ("stripe", False, None)
    await till.paid(1000)
    till.clock.advance(3600)
    await till.comparison.compare_all()
    whole = till.clock.now()
    till.clock.advance(DAY.total_seconds())
    till.gateway.is_away = True
    await till.comparison.compare_all()
    await state.count()
    assert (figure(figures.PAYMENT_COMPARISON_AGE), figure(figures.PAYMENT_COMPARISON_INCOMPLETE)) == (86_400, 1)
    (shown,) = (await state.list(ADMIN)).items
    assert (shown.is_complete, shown.complete_at, shown.ended_at) == (False, whole, whole + DAY)
    assert shown.failed > 0
    assert (await refused(state.list(STUDENT))).code is Code.FORBIDDEN
    till.gateway.is_away = False
    await till.comparison.compare_all()
    await state.count()
    assert (figure(figures.PAYMENT_COMPARISON_AGE), figure(figures.PAYMENT_COMPARISON_INCOMPLETE)) == (0, 0)
    assert (await state.list(ADMIN)).items[0].is_complete


async def test_each_hour_so_much_is_looked_at_and_the_rest_by_who_follows(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_open, "PAGE", 2)
    begun = [await till.begun(1000) for _ in range(5)]
    for row in begun:
        till.gateway.pays(row, at=till.clock.now())
    till.clock.advance(3600)
    run = Run(till.clock, most_work=3)
    assert (await till.open_payments.look(run), run.is_cut) == (3, True)
    run = Run(till.clock)
    assert (await till.open_payments.look(run), run.is_cut) == (2, False)
    assert {(await till.payment(row["_id"]))["status"] for row in begun} == {"completed"}


async def test_a_run_ends_in_time_and_another_follows(till: Till) -> None:
    run = Run(till.clock, longest=timedelta(minutes=5))
    assert not run.is_over()
    till.clock.advance(4 * 60)
    assert not run.is_over()
    till.clock.advance(60)
    assert (run.is_over(), run.is_cut) == (True, True)


async def test_the_book_is_summed_up_page_by_page_and_an_entry_that_does_not_sum_to_zero_is_found(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_books, "PAGE", 2)
    for _ in range(5):
        await till.paid(1000)
    books = Books(clock=till.clock, access=_NoAccess(), journal=till.journal, findings=till.findings)  # type: ignore[arg-type]
    await books.check_all()
    assert not await open_findings()
    entry = await JournalEntry.rows().find_one({})
    assert entry is not None
    lines = [{**line, "amount": line["amount"] + 1} for line in entry["lines"]]
    await JournalEntry.rows().update_one({"_id": entry["_id"]}, {"$set": {"lines": lines}})
    since = till.clock.now()
    till.clock.advance(60)
    for _ in range(30):
        run = Run(till.clock, since=since + timedelta(seconds=60), most_work=2)
        await books.check_all(run)
        if not run.is_cut:
            break
    found = {row["_id"] for row in await PaymentFinding.page_open("journal_unbalanced", after="", limit=50)}
    assert {f"journal_unbalanced:entry:{entry['_id']}", "journal_unbalanced:total:USD"} < found
    await JournalEntry.rows().update_one({"_id": entry["_id"]}, {"$set": {"lines": entry["lines"]}})
    await books.check_all()
    left = {row["_id"] for row in await PaymentFinding.page_open("journal_unbalanced", after="", limit=50)}
    assert left == {f"journal_unbalanced:entry:{entry['_id']}"}, "an entry is for somebody to look at"


class _NoAccess:
    """Nobody enrols here."""


# --- what is wrong with some holds up no others ---


async def nightly(till: Till, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which payments are read by the next comparison, though the gateway's lists are of no use."""
    read, ask = list[str](), till.gateway.read_payment

    async def noted(intent_id: str) -> GatewayPayment:
        read.append(intent_id)
        return await ask(intent_id)

    with monkeypatch.context() as watched:
        watched.setattr(till.gateway, "read_payment", noted)
        await till.comparison.compare_all()
    return read


@pytest.fixture
def unlisted(till: Till, monkeypatch: pytest.MonkeyPatch) -> Till:
    monkeypatch.setattr(till.gateway, "has_lists", False)
    return till


@pytest.mark.parametrize("gone", ["refused", "broken"])
async def test_payments_that_are_gone_keep_no_older_ones_from_being_read(
    unlisted: Till, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    till = unlisted
    older = await till.paid(1000)
    refund = await till.refund(await till.paid(1000))
    await till.work()
    till.clock.advance(DAY.total_seconds() * 1.5)
    dead = [await till.paid(1000) for _ in range(MOST_FAILURES + 10)]
    till.clock.advance(DAY.total_seconds() * 1.5)
    for row in dead:
        till.gateway.payments.pop(row["intent_id"])
    if gone == "broken":
        monkeypatch.setattr(till.gateway, "read_payment", _breaks_for(till, {row["intent_id"] for row in dead}))
    seen = await nightly(till, monkeypatch)
    assert older["intent_id"] in seen
    paid_back = await Refund.find_row(refund.id)
    assert paid_back is not None
    assert paid_back["intent_id"] in seen
    walked = await PaymentWalk.find_row("compare:stripe")
    assert walked is not None
    assert walked["failed"] == len(dead)


def _breaks_for(till: Till, these: set[str]) -> Any:
    ask = till.gateway.read_payment

    async def read(intent_id: str) -> GatewayPayment:
        if intent_id in these:
            raise ValueError(intent_id)
        return await ask(intent_id)

    return read


async def test_who_is_away_is_asked_for_so_many_of_each_part_and_for_all_of_them_when_it_is_back(
    unlisted: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = unlisted
    paid = [await till.paid(1000) for _ in range(MOST_FAILURES + 10)]
    till.clock.advance(DAY.total_seconds() * 1.5)
    till.gateway.is_away = True
    assert len(await nightly(till, monkeypatch)) == MOST_FAILURES
    till.gateway.is_away = False
    till.clock.advance(DAY.total_seconds() * 8)
    seen = await nightly(till, monkeypatch)
    assert set(seen) == {row["intent_id"] for row in paid}, "nine days later, which is no age, but none was read since"


@pytest.mark.parametrize("days", [1.2, 3.7, 9.5])
async def test_nights_without_a_round_leave_nothing_out(
    unlisted: Till, monkeypatch: pytest.MonkeyPatch, days: float
) -> None:
    till, paid = unlisted, set()
    await till.comparison.compare_all()
    for _ in range(10):
        paid.add((await till.paid(1000))["intent_id"])
        till.clock.advance(DAY.total_seconds() * days / 10)
    till.clock.advance(DAY.total_seconds())
    assert paid - {*await nightly(till, monkeypatch)} == set()


async def test_what_was_not_read_whole_was_not_compared_whole(unlisted: Till) -> None:
    row = await unlisted.paid(1000)
    unlisted.clock.advance(DAY.total_seconds() * 1.5)
    unlisted.gateway.payments[row["intent_id"]] = replace(unlisted.gateway.payments[row["intent_id"]], is_whole=False)
    await unlisted.comparison.compare_all()
    (shown,) = (await state_of(unlisted).list(ADMIN)).items
    assert (shown.is_complete, shown.seen, shown.partly, shown.failed) == (False, 1, 1, 0)
    await state_of(unlisted).count()
    left_out = figures.PAYMENT_COMPARISON_LEFT_OUT
    assert [left_out.labels("stripe", what)._value.get() for what in ("payments", "paid_again")] == [0, 1]
    assert figure(figures.PAYMENT_COMPARISON_INCOMPLETE) == 1


@pytest.mark.parametrize(("key", "failed"), [("ord_1-1", 1), ("shop-17", 0), (None, 0)])
async def test_what_cannot_be_read_of_a_list_counts_where_it_is_ours(till: Till, key: str | None, failed: int) -> None:
    unread = GatewayPayment("pi_odd", Charged.PENDING, Money(0, ""), key=key, is_whole=False)
    till.gateway.payments["pi_odd"], till.gateway.made_at["pi_odd"] = unread, till.clock.now()
    till.clock.advance(3600)
    await till.comparison.compare_all()
    (shown,) = (await state_of(till).list(ADMIN)).items
    assert (shown.is_complete, shown.failed) == (not failed, failed)
    assert not await open_findings()


async def test_of_a_day_with_much_a_part_is_asked_for(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile_lists, "MOST_LISTED", 8)
    paid = set[str]()
    for _ in range(40):
        paid.add((await till.paid(1000))["intent_id"])
        till.clock.advance(1200)
    till.clock.advance(3600)
    asked, listed = list[int](), set[str]()
    between = till.gateway.payments_between

    async def noted(since: datetime, until: datetime) -> AsyncIterator[GatewayPayment]:
        asked.append(0)
        async for one in between(since, until):
            asked[-1] += 1
            listed.add(one.intent_id)
            yield one

    monkeypatch.setattr(till.gateway, "payments_between", noted)
    while True:
        run = Run(till.clock, most_work=1)
        await till.comparison.compare_all(run)
        if not run.is_cut:
            break
    assert listed == paid
    assert max(asked) == 8, "no step is longer"


@pytest.mark.parametrize("takes", ["for ever", "days"])
async def test_a_round_that_does_not_come_to_its_end_is_not_whole(till: Till, takes: str) -> None:
    if takes == "days":
        await till.comparison.compare_all()
        till.clock.advance(DAY.total_seconds())
    run = Run(till.clock, most_work=1)
    await till.paid(1000)
    till.clock.advance(3600)
    await till.comparison.compare_all(run)
    assert run.is_cut
    state = state_of(till)
    if takes == "days":
        await state.count()
        assert figure(figures.PAYMENT_COMPARISON_INCOMPLETE) == 0, "not yet"
        till.clock.advance(DAY.total_seconds() * 2)
    await state.count()
    assert figure(figures.PAYMENT_COMPARISON_INCOMPLETE) == 1
    assert not (await state.list(ADMIN)).items[0].is_complete


async def test_what_the_book_cannot_read_holds_up_nothing_else(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile_books, "PAGE", 3)
    paid = [await till.paid(1000) for _ in range(5)]
    entries = await JournalEntry.rows().find({}).sort("_id", 1).to_list(100)
    await JournalEntry.rows().update_one({"_id": entries[0]["_id"]}, {"$unset": {"lines": ""}})
    wrong = [{**line, "amount": line["amount"] + 1} for line in entries[-1]["lines"]]
    await JournalEntry.rows().update_one({"_id": entries[-1]["_id"]}, {"$set": {"lines": wrong}})
    looked = list[str]()

    async def poisoned(rows: Any, orders: Any) -> Any:
        if paid[0]["_id"] in {row["_id"] for row in rows}:
            raise KeyError("amount")
        looked.extend(row["_id"] for row in rows)
        return {}

    monkeypatch.setattr(till.journal, "imbalances", poisoned)
    books = Books(clock=till.clock, access=_NoAccess(), journal=till.journal, findings=till.findings)  # type: ignore[arg-type]
    await books.check_all()
    row = await PaymentWalk.find_row("books")
    assert row is not None
    assert "state" not in row, "it came to its end"
    assert row["failed"] == 2
    assert set(looked) == {one["_id"] for one in paid[1:]}
    found = {row["_id"] for row in await PaymentFinding.page_open("journal_unbalanced", after="", limit=50)}
    assert f"journal_unbalanced:entry:{entries[-1]['_id']}" in found


async def test_a_refund_that_cannot_be_looked_at_holds_up_no_other(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    refunds = [await till.refund(await till.paid(1000)) for _ in range(3)]
    first = min(refund.id for refund in refunds)
    put = till.jobs.put

    async def breaks(job_id: str, task: str, args: Any, **rest: Any) -> Any:
        if args.get("refund_id") == first:
            raise ValueError(first)
        return await put(job_id, task, args, **rest)

    monkeypatch.setattr(till.jobs, "put", breaks)
    till.clock.advance(2 * 3600)
    await till.open_payments.look()
    row = await PaymentWalk.find_row("refunds")
    assert row is not None
    assert ("state" in row, row["seen"], row["failed"]) == (False, 2, 1)
