"""Certificates as people meet them: one comes while its owner looks, a teacher corrects it and chooses its look, anybody checks it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, WebSocketRoute, expect

from lms_rt.ids import new_id
from lms_rt.services.demo import DEMO_PASSWORD, TEACHER_EMAIL
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]


@pytest.fixture
def newcomer(demo_school: DemoSchool) -> Iterator[tuple[str, httpx.Client]]:
    """Somebody who has just registered: the address, and their hands at the API."""
    with httpx.Client(base_url=f"{demo_school.address}/api/v1", timeout=30) as http:
        email = f"{new_id('usr')}@example.org"
        body = {"email": email, "password": DEMO_PASSWORD, "full_name": "Nora Newcomer"}
        tokens = http.post("/auth/register", json=body).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        yield email, http


def short_course(demo_school: DemoSchool) -> dict[str, Any]:
    """A course of one lesson."""
    with demo_school.at_rest() as http:
        course = http.post("/courses", json={"title": "Certified", "description": "Short."}).raise_for_status().json()
        lesson = {"title": "All of it", "content_type": "text", "content": "Read.", "is_published": True}
        http.post(f"/courses/{course['id']}/lessons", json=lesson).raise_for_status()
        published: dict[str, Any] = http.post(f"/courses/{course['id']}/publish").raise_for_status().json()
        return published


def test_one_comes_is_corrected_and_can_be_checked_by_anybody(
    open_window: Opener, newcomer: tuple[str, httpx.Client], demo_school: DemoSchool
) -> None:
    email, http = newcomer
    course = short_course(demo_school)
    owner = open_window(who=email)
    owner.page.goto("/certificates?lang=en")
    expect(owner.page.locator(".empty")).to_be_visible()
    expect(owner.page.locator("#connection")).to_have_attribute("data-line", "live")
    http.post("/enrollments", json={"course_id": course["id"]}).raise_for_status()
    http.post(f"/lessons/{course['lessons'][0]['id']}/complete").raise_for_status()
    expect(owner.page.locator("#new-certificates")).to_contain_text("has come")
    owner.page.get_by_role("link", name="Show", exact=True).click()
    expect(owner.page.locator(".notice")).to_contain_text("Nora Newcomer")
    with owner.page.expect_download() as fetched:
        owner.page.get_by_role("link", name="Download").click()
    number = fetched.value.suggested_filename.removesuffix(".pdf")
    assert fetched.value.path().read_bytes().startswith(b"%PDF")

    page = open_window(who=TEACHER_EMAIL).page
    page.goto(f"/teach/courses/{course['id']}/certificates?lang=en")
    corrects(page)
    expect(owner.page.locator("#new-certificates")).to_contain_text("Certificate CERT-")
    checks(open_window(has_scripts=False).page, number)


class LateLine:
    """The sockets of a page say nothing until `release`; then they come back."""

    def __init__(self, page: Page) -> None:
        self._waiting, self._is_held = list[WebSocketRoute](), True
        page.route_web_socket(re.compile(r"/ws\?"), self._opened)

    def _opened(self, socket: WebSocketRoute) -> None:
        if self._is_held:
            self._waiting.append(socket)
        else:
            socket.connect_to_server()

    def release(self) -> None:
        """As if the node had let go of them."""
        self._is_held = False
        for socket in self._waiting:
            socket.close(code=1012)


def test_what_came_before_the_line_stood_is_told(
    open_window: Opener, newcomer: tuple[str, httpx.Client], demo_school: DemoSchool
) -> None:
    email, http = newcomer
    course = short_course(demo_school)
    owner, teacher = open_window(who=email), open_window(who=TEACHER_EMAIL)
    pages = {
        "#new-certificates": (owner.page, "/certificates?lang=en"),
        "#new-notifications": (owner.new_page(), "/notifications?lang=en"),
        "#new-students": (teacher.page, f"/teach/courses/{course['id']}/students?lang=en"),
    }
    lines = []
    for page, path in pages.values():
        lines.append(LateLine(page))
        page.goto(path)
    http.post("/enrollments", json={"course_id": course["id"]}).raise_for_status()
    http.post(f"/lessons/{course['lessons'][0]['id']}/complete").raise_for_status()
    while not any(one["has_pdf"] for one in http.get("/certificates").raise_for_status().json()["items"]):
        pass
    while http.get("/notifications?page_size=1").raise_for_status().json()["unread"] < 2:
        pass
    for line in lines:
        line.release()
    for place, (page, _) in pages.items():
        expect(page.locator(place)).to_be_visible()


def corrects(page: Page) -> None:
    """Who teaches gives the sheet a logo and a heading, and the student the right name."""
    picture = io.BytesIO()
    Image.new("RGB", (300, 100), "#0B5F66").save(picture, "PNG")
    logo: FilePayload = {"name": "logo.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    page.locator("#logo").set_input_files(files=[logo])
    expect(page.locator("#logo-state")).to_have_text("Uploaded. Save to use it.")
    page.get_by_label("Heading", exact=True).fill("Well done")
    page.locator("#template [type=submit]").click()
    expect(page.locator("#logo-state")).to_have_text("There is a logo.")
    expect(page.get_by_label("Heading", exact=True)).to_have_value("Well done")
    page.get_by_text("Correct or revoke").click()
    form = page.locator("form[data-path$='/replace']")
    form.get_by_label("The right name").fill("Nora Neumann")
    form.get_by_label("Why").fill("Her name is Neumann.")
    form.get_by_role("button", name="Replace").click()
    expect(page.locator("tbody tr")).to_have_count(2)


def checks(page: Page, number: str) -> None:
    """Anybody types the number, and comes to the one that replaced it."""
    page.goto("/verify?lang=en")
    page.get_by_label("Number of the certificate").fill(number.lower())
    page.get_by_role("button", name="Check").click()
    expect(page.locator("h1")).to_have_text("Replaced")
    page.locator("dd a").click()
    expect(page.locator("h1")).to_have_text("Valid")
    expect(page.locator(".facts").first).to_contain_text("Nora Neumann")
