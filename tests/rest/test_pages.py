"""Pages as HTTP sees them: verbs, and where nobody may be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from config.settings import Settings
from tests.house import PASSWORD, House, open_house


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with open_house(settings) as opened:
        yield opened


@pytest.fixture
async def browser(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=house.address, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(("path", "allow"), [("/home", "GET, HEAD, OPTIONS"), ("/signin", "GET, HEAD, OPTIONS, POST")])
async def test_a_page_says_which_verbs_it_takes(browser: httpx.AsyncClient, path: str, allow: str) -> None:
    told = await browser.options(path)
    assert (told.status_code, told.content, told.headers["Allow"]) == (204, b"", allow)
    refused = await browser.delete(path)
    assert (refused.status_code, refused.headers["Allow"]) == (405, allow)
    assert (await browser.head("/signin")).status_code == 200


@pytest.mark.parametrize(
    "following", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "javascript:x"]
)
async def test_signing_in_leads_to_no_other_site(house: House, browser: httpx.AsyncClient, following: str) -> None:
    email = (await house.student()).user["email"]
    await browser.post("/api/v1/auth/login-cookie", json={"email": email, "password": PASSWORD})
    onwards = await browser.get("/signin", params={"next": following})
    assert (onwards.status_code, onwards.headers["Location"]) == (303, "/home")
