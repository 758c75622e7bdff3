"""What is told of comparisons that never were whole, and while the database is away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from documents.payment_walk import PaymentWalk
from lms_rt.services import figures
from lms_rt.services.payments import comparison_state
from lms_rt.services.payments.comparison_state import ComparisonState
from lms_rt.storage.mongo import OpenDatabase
from tests.services.till import Till


@pytest.fixture
def till(database: OpenDatabase, settings: Settings) -> Till:
    return Till(settings)


async def test_one_that_was_never_whole_is_as_old_as_its_first_round(till: Till) -> None:
    await till.paid(1000)
    till.clock.advance(3600)
    till.gateway.is_away = True
    await till.comparison.compare_all()
    till.clock.advance(timedelta(days=2).total_seconds())
    await till.comparison.compare_all()
    await ComparisonState(clock=till.clock, gateways=till.gateways).count()
    assert figures.PAYMENT_COMPARISON_AGE.labels("stripe")._value.get() == 2 * 86_400


async def test_a_database_that_is_away_for_a_while_ends_no_watch(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_state, "WATCH_SECONDS", 0)
    asked, is_there_again, find_row = [], asyncio.Event(), PaymentWalk.find_row

    async def found(name: str) -> Any:
        asked.append(name)
        if len(asked) == 1:
            raise ConnectionError("away")
        is_there_again.set()
        return await find_row(name)

    monkeypatch.setattr(PaymentWalk, "find_row", found)
    watching = asyncio.create_task(ComparisonState(clock=till.clock, gateways=till.gateways).watch())
    try:
        async with asyncio.timeout(10):
            await is_there_again.wait()
    finally:
        watching.cancel()
        await asyncio.wait({watching})
