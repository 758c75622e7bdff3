"""A browser without scripts that buys: it reads pages, sends their forms with their tokens, and pays in the sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx

from tests.clients import Visitor
from tests.house import House

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
LINK = re.compile(r'class="button button-main button-wide" href="([^"]+)"')
_BY = re.compile(r'name="by" value="([^"]+)"')
AMOUNT = re.compile(r'name="amount" value="([0-9]+)"')
ONCE = re.compile(r'name="once" value="([^"]+)"')


@dataclass
class Browser:
    """Somebody signed in by a cookie."""

    visitor: Visitor
    http: httpx.AsyncClient

    async def see(self, path: str) -> str:
        """A page, which is there."""
        page = await self.http.get(path)
        assert page.status_code == 200, (path, page.status_code)
        return page.text

    async def send(self, path: str, *, on: str = "/payments", **fields: str) -> httpx.Response:
        """A form, with the token of a page."""
        token = _CSRF.findall((await self.http.get(on)).text)[0]
        return await self.http.post(path, data={"csrf": token} | fields)

    async def begin(self, slug: str, **fields: str) -> httpx.Response:
        """Choose the first way to pay."""
        by = _BY.findall(await self.see(f"/checkout/{slug}"))[0]
        return await self.send(f"/checkout/{slug}", by=by, **fields)

    async def pay(self, slug: str, **fields: str) -> str:
        """Buy a course by the sandbox, up to the end; the page one comes back to."""
        begun = await self.begin(slug, **fields)
        assert begun.status_code == 200, begun.text
        gate = path_of(LINK.findall(begun.text)[0])
        paid = await self.send(gate, on=gate, act="pay")
        assert paid.status_code == 303, paid.text
        return path_of(paid.headers["Location"])


def path_of(url: str) -> str:
    """Path and query of an address."""
    return httpx.URL(url).raw_path.decode()


async def browser_of(house: House, visitor: Visitor, language: str = "en") -> Browser:
    """Their browser; closed with the house."""
    headers = {"Accept-Language": language, "Accept": "text/html"}
    client = httpx.AsyncClient(base_url=house.address, trust_env=False, timeout=30, headers=headers)
    client.cookies.set("lms_access", visitor.tokens["access_token"])
    return Browser(visitor, await house.visitors.enter_async_context(client))
