"""Whom to tell of a fault of security: RFC 9116, as a scanner reads it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from config.settings import Settings
from tests.rest.conftest import Serve
from tests.rest.test_conventions import assert_problem

PATH = "/.well-known/security.txt"


async def test_the_contact_is_told_with_a_date_within_a_year(serve: Serve) -> None:
    table = await serve(security_contact="mailto:security@lms.example.org", public_url="https://lms.example.org")
    response = await table.client.get(PATH)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    fields = dict(line.split(": ", 1) for line in response.text.splitlines())
    assert fields["Contact"] == "mailto:security@lms.example.org"
    assert fields["Preferred-Languages"] == "en, ar"
    assert fields["Canonical"] == f"https://lms.example.org{PATH}"
    left = datetime.fromisoformat(fields["Expires"]) - table.services.clock.now().astimezone(UTC)
    assert timedelta(days=150) < left < timedelta(days=365)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", fields["Expires"])
    assert response.text.endswith("\n")


async def test_without_a_contact_there_is_none(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get(PATH), 404, "not_found")
    assert (await client.post(PATH)).status_code == 405


@pytest.mark.parametrize(
    "contact", ["security@lms.example.org", "http://lms.example.org", "mailto:a@b\nExpires: 1", "x"]
)
def test_a_contact_is_an_address_to_click_on(contact: str) -> None:
    with pytest.raises(ValueError, match="mailto:"):
        Settings(_env_file=None, security_contact=contact)
