"""People's own profiles over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from lms_rt.contracts.base import encode
from tests.rest.people import bearer, problem, registered, serving
from tests.services.people import People

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def http(people: People) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(people) as client:
        yield client


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_profile_changes_with_its_tag(http: httpx.AsyncClient, method: str) -> None:
    tokens = await registered(http)
    seen = await http.get("/users/me", headers=bearer(tokens))
    assert seen.headers["ETag"] == '"1"'
    headers = bearer(tokens) | {"If-Match": seen.headers["ETag"]}
    changed = await http.request(method, "/users/me", json={"timezone": "Africa/Cairo"}, headers=headers)
    assert changed.status_code == 200
    assert (changed.json()["timezone"], changed.headers["ETag"]) == ("Africa/Cairo", '"2"')
    stale = await http.request(method, "/users/me", json={"timezone": "UTC"}, headers=headers)
    assert problem(stale) == (412, "version_mismatch")
    assert stale.json()["current_version"] == 2
    whole = await http.request(method, "/users/me", content=seen.content, headers=headers | JSON)
    assert problem(whole) == (412, "version_mismatch")  # before any word about its `version`
    same = await http.request(method, "/users/me", json={"timezone": "Africa/Cairo"}, headers=bearer(tokens))
    assert same.headers["ETag"] == '"2"'


async def test_what_was_read_may_be_sent_back_over_http(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    seen = (await http.get("/users/me", headers=bearer(tokens))).json()
    reply = await http.put(
        "/users/me",
        content=encode(seen | {"locale": "ar"}),
        headers=bearer(tokens) | {"Content-Type": "application/json"},
    )
    assert reply.status_code == 200
    refused = await http.put("/users/me", json=seen | {"role": "admin"}, headers=bearer(tokens))
    assert problem(refused) == (422, "validation_failed")
    assert {"field": "role", "code": "read_only"}.items() <= refused.json()["errors"][0].items()
