"""Reconciling much: page by page, so much at once, on from where it was cut; and what was left out is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.journal_entry import JournalEntry
from documents.payment import Payment
from documents.payment_finding import PaymentFinding
from documents.payment_walk import PaymentWalk
from lms_rt.contracts.gateways import GatewayPayment
from lms_rt.errors import Code
from lms_rt.services import figures
from lms_rt.services.payments import reconcile_books, reconcile_lists, reconcile_open
from lms_rt.services.payments.comparison_state import ComparisonState
from lms_rt.services.payments.reconcile_books import Books
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
