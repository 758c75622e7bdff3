"""The JavaScript client in every scenario of the table that all clients share, in a real browser; and its types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from handlers.web.assets import STATIC
from tests.live.scenarios import SCENARIOS, ClientDriver, play
from tests.live.scripted_server import ScriptedServer, scripted_server

pytestmark = pytest.mark.browser

FILES: Mapping[str, tuple[str, bytes]] = {
    "/": ("text/html", b'<!doctype html><script type="module" src="/driver.js"></script>'),
    "/driver.js": ("text/javascript", Path(__file__).with_name("live_driver.js").read_bytes()),
    **{f"/{path.name}": ("text/javascript", path.read_bytes()) for path in STATIC.glob("live*.js")},
}
SURFACE = """async () => {
  const found = [];
  for (const [name, made] of Object.entries(await import("/live.js"))) {
    found.push(name);
    if (!/^class/.test(String(made))) continue;
    for (const each of Object.getOwnPropertyNames(made.prototype)) if (each !== "constructor") found.push(`${name}.${each}`);
  }
  return found;
}"""
"""What the module exports, and the methods of its classes."""
TYPES = re.compile(r"^export (?:class|function) (\w+)([^\n]*\{\n(?:  .*\n|\n)*\})?", re.MULTILINE)
METHODS = re.compile(r"^  (?:get )?(\w+)(?:<.*)?\(", re.MULTILINE)


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """One tab for all scenarios; each loads its own page into it."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


class BrowserDriver(ClientDriver):
    """The JavaScript client in a page of the scripted server."""

    def __init__(self, page: Page, server: ScriptedServer) -> None:
        self._page = page
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.wait_for_function("window.driver !== undefined")

    def do(self, action: str, fields: Mapping[str, Any]) -> None:
        self._page.evaluate("([action, step]) => driver.do(action, step)", [action, dict(fields)])

    def heard(self) -> list[str]:
        words: list[str] = self._page.evaluate("driver.heard()")
        return words

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._page.evaluate("driver.state()")
        return state

    def end(self) -> None:
        self._page.evaluate("driver.end()")


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, page: Page) -> None:
    with scripted_server(FILES) as server:
        driver = BrowserDriver(page, server)
        try:
            play(SCENARIOS[name], server, driver)
        finally:
            driver.end()


def test_the_types_name_what_there_is(page: Page) -> None:
    typed = set()
    for name, body in TYPES.findall((STATIC / "live.d.ts").read_text(encoding="utf-8")):
        typed |= {name, *(f"{name}.{method}" for method in METHODS.findall(body) if method != "constructor")}
    with scripted_server(FILES) as server:
        page.goto(f"http://127.0.0.1:{server.port}/")
        found = set(page.evaluate(SURFACE))
    assert typed - {"LiveClient.addEventListener"} == found


def test_the_client_stands_without_the_pages() -> None:
    scripts = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("live*.js")}
    del scripts["live-session.js"]
    imported = {name for script in scripts.values() for name in re.findall(r'from "\./([\w-]+\.js)"', script)}
    assert imported <= scripts.keys()
