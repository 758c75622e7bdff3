"""The pages of webhooks: one is made, tried, found in its log, given a new secret, switched off and removed, by hand."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from standardwebhooks import Webhook

from lms_rt.services.demo import ADMIN_EMAIL, TEACHER_EMAIL
from tests.browser.conftest import ROOT
from tests.browser.window import DemoSchool, Window, opening
from tests.servers.processes import ServerProcess

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
PATIENCE_SECONDS = 20


class Inbox(ThreadingHTTPServer):
    """What a receiver got, and what it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.received: Queue[tuple[dict[str, str], bytes]] = Queue()
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Answer(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.received.put(({name.lower(): value for name, value in self.headers.items()}, body))

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    with Inbox() as opened:
        thread = threading.Thread(target=opened.serve_forever)
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSchool]:
    """A school whose webhooks may reach this machine."""
    data = tmp_path_factory.mktemp("hooked") / "data"
    command = [sys.executable, str(ROOT / "run.py"), "serve", "--port", "0", "--data", str(data)]
    wishes = {"WEBHOOK_ALLOW_HTTP": "true", "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8"}
    env = {**os.environ, "LOG_LEVEL": "WARNING", "PASSWORD_HASH_COST": "4", **wishes}
    with ServerProcess(command, env=env, is_forked=True) as server:
        yield DemoSchool(server.line_with("lms_rt ready on http").rpartition(" ")[2].strip())


@pytest.fixture
def open_here(chromium: Browser, school: DemoSchool) -> Iterator[Opener]:
    """Open windows in this school; nothing may have gone wrong in them."""
    with opening(chromium, school, who=ADMIN_EMAIL) as opened:
        yield opened


def make(page: Page, url: str, *types: str) -> str:
    """Make a webhook by the form; its secret as the page shows it."""
    page.goto("/admin/webhooks?lang=en")
    page.fill("#url", url)
    page.fill("#description", "Grades to the registry")
    for name in types:
        page.get_by_label(name, exact=True).check()
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#secret h2")).to_be_focused()
    return page.locator("#secret-text").input_value()


def test_from_the_first_secret_to_the_end(open_here: Opener, inbox: Inbox) -> None:
    page = open_here().page
    secret = make(page, inbox.url, "enrollment.created")
    page.get_by_role("link", name="Open the webhook").click()
    expect(page.get_by_label("enrollment.created", exact=True)).to_be_checked()
    expect(page.locator("#secret-text")).to_have_count(0)
    expect(page.get_by_text("Nothing was sent yet.")).to_be_visible()

    send_test(page)
    headers, body = inbox.received.get(timeout=PATIENCE_SECONDS)
    assert Webhook(secret).verify(body, headers)["type"] == "webhook.test"
    delivered(page)
    page.get_by_text("Request and answer").click()
    expect(page.locator("details dl").first).to_contain_text(headers["webhook-signature"])

    page.get_by_role("button", name="New secret").click()
    expect(page.locator("#secret h2")).to_be_focused()
    new_secret = page.locator("#secret-text").input_value()
    page.get_by_label("quiz.published", exact=True).check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast", has_text="Saved")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".toast", has_text="on its way again")).to_be_visible()  # it goes again after six seconds
    headers, again = inbox.received.get(timeout=PATIENCE_SECONDS)
    assert again == body
    assert Webhook(new_secret).verify(again, headers) == Webhook(secret).verify(again, headers)

    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("This webhook is switched off.")).to_be_visible()
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("button", name="Switch off")).to_be_visible()
    page.get_by_role("button", name="Remove webhook").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove webhook").click()
    expect(page.get_by_text("No other system is told of what happens here.")).to_be_visible()


def send_test(page: Page) -> None:
    """Send an event for trying; the page that follows is there."""
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".toast")).to_be_visible()  # for six seconds: looked for before all that takes time


def delivered(page: Page) -> None:
    """Look again until the log says so: the page does not move by itself."""
    while not page.get_by_text("Delivered", exact=True).count():
        page.reload()


def test_an_address_inside_is_refused_where_it_was_typed(open_here: Opener) -> None:
    page = open_here().page
    page.goto("/admin/webhooks?lang=en")
    page.fill("#url", "https://10.0.0.1/hook")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".error-summary")).to_be_focused()
    expect(page.locator("#url-error")).to_contain_text("public internet")


def test_the_pages_as_everybody_may_see_them(open_here: Opener, inbox: Inbox) -> None:
    window = open_here()
    page = window.page
    inbox.status = 410
    make(page, inbox.url)
    page.get_by_role("link", name="Open the webhook").click()
    send_test(page)
    inbox.received.get(timeout=PATIENCE_SECONDS)
    path = urlsplit(page.url).path
    looks = ((path, "en", "light", 1280), (path, "ar", "dark", 320), ("/admin/webhooks", "ar", "light", 320))
    for where, language, theme, width in looks:
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{where}?lang={language}&theme={theme}")
        assert page.locator("h1").count() == 1
        assert not window.look_over()


def test_teachers_have_no_such_page(open_here: Opener) -> None:
    reply = open_here(who=TEACHER_EMAIL).page.goto("/admin/webhooks")
    assert reply is not None
    assert reply.status == 403
