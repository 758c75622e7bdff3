"""`Idempotency-Key` over HTTP, on both engines."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from lms_rt.storage.mongo import OpenDatabase
from tests.rest.conftest import TEACHER, Serve, Table
from tests.rest.test_conventions import API, assert_problem


@pytest.fixture
async def keyed(database: OpenDatabase, serve: Serve) -> Table:
    return await serve()


async def make(table: Table, name: str, key: str = "k1", **headers: str) -> httpx.Response:
    sent = {**TEACHER, "Idempotency-Key": key, **headers}
    return await table.client.post(f"{API}/things", json={"name": name}, headers=sent)


async def test_a_repeat_gets_the_first_answer_byte_for_byte(keyed: Table) -> None:
    first, second = await make(keyed, "a"), await make(keyed, "a")
    assert (first.status_code, first.content) == (second.status_code, second.content)
    for name in ("Location", "ETag", "Content-Type"):
        assert first.headers[name] == second.headers[name]
    assert len(keyed.things.made) == 1


async def test_another_body_is_refused(keyed: Table) -> None:
    await make(keyed, "a")
    assert_problem(await make(keyed, "b"), 409, "idempotency_key_reused")


async def test_another_key_or_user_or_none_runs_again(keyed: Table) -> None:
    await make(keyed, "a")
    await make(keyed, "a", "k2")
    await keyed.client.post(f"{API}/things", json={"name": "a"}, headers=TEACHER)
    assert len(keyed.things.made) == 3


async def test_one_still_running_is_told(keyed: Table) -> None:
    running = asyncio.create_task(make(keyed, "wait"))
    await keyed.things.entered.wait()
    response = await make(keyed, "wait")
    assert_problem(response, 409, "idempotency_in_progress")
    assert int(response.headers["Retry-After"]) >= 1
    keyed.things.gate.set()
    assert (await running).status_code == 201
    assert (await make(keyed, "wait")).content == (await running).content
    assert len(keyed.things.made) == 1


async def test_of_many_at_once_one_runs(keyed: Table) -> None:
    answers = await asyncio.gather(*(make(keyed, "a") for _ in range(8)))
    assert len(keyed.things.made) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_in_progress"}


async def test_a_refusal_frees_the_key(keyed: Table) -> None:
    assert_problem(await make(keyed, "refuse"), 409, "conflict")
    assert (await make(keyed, "a")).status_code == 201


async def test_a_retry_after_a_crash_meets_its_own_work(keyed: Table) -> None:
    assert_problem(await make(keyed, "break"), 500, "internal")
    keyed.clock.advance(5)
    assert_problem(await make(keyed, "break"), 500, "internal")
    first, second = keyed.things.made
    assert first == second


async def test_a_request_that_died_is_taken_over_when_its_lease_is_over(keyed: Table) -> None:
    running = asyncio.create_task(make(keyed, "wait"))
    await keyed.things.entered.wait()
    keyed.clock.advance(61)
    keyed.things.entered.clear()
    again = asyncio.create_task(make(keyed, "wait"))
    await keyed.things.entered.wait()
    keyed.things.gate.set()
    assert (await again).status_code == 201
    assert (await running).json() == (await again).json()
    assert keyed.things.made[0] == keyed.things.made[1]


async def test_answers_are_kept_for_a_day(keyed: Table) -> None:
    await make(keyed, "a")
    keyed.clock.advance(24 * 3600 - 1)
    await make(keyed, "a")
    assert len(keyed.things.made) == 1
    keyed.clock.advance(2)
    assert (await make(keyed, "b")).status_code == 201
    assert len(set(keyed.things.made)) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é"])
async def test_a_key_that_is_none_is_malformed(keyed: Table, key: str) -> None:
    headers = [*TEACHER.items(), ("Idempotency-Key", key.encode("latin-1"))]
    response = await keyed.client.post(f"{API}/things", json={"name": "a"}, headers=headers)  # type: ignore[arg-type]
    assert_problem(response, 400, "malformed_request")


async def test_operations_that_do_not_honour_it_ignore_it(keyed: Table) -> None:
    for name in ("a", "b"):
        response = await keyed.client.post(f"{API}/echo", json={"name": name}, headers={"Idempotency-Key": "k"})
        assert response.json()["got"]["name"] == name
