"""One's own files as people use them: uploaded with progress, over a line that breaks, refused in words, deleted without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Route, expect

from lms_rt.ids import new_id
from lms_rt.services.demo import DEMO_PASSWORD
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4096


@pytest.fixture
def newcomer(demo_school: DemoSchool) -> Iterator[tuple[str, httpx.Client]]:
    """Somebody who has just registered: the address, and their hands at the API."""
    with httpx.Client(base_url=f"{demo_school.address}/api/v1", timeout=30) as http:
        email = f"{new_id('usr')}@example.org"
        body = {"email": email, "password": DEMO_PASSWORD, "full_name": "Nora Newcomer"}
        tokens = http.post("/auth/register", json=body).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        yield email, http


def chosen(name: str, content: bytes = PDF) -> Any:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def test_files_are_uploaded_over_a_line_that_breaks_and_deleted_without_scripts(
    open_window: Opener, newcomer: tuple[str, httpx.Client]
) -> None:
    email, http = newcomer
    window = open_window(who=email, width=320)
    page = window.page
    page.goto("/files?lang=en")
    expect(page.locator(".empty")).to_be_visible()
    cuts = iter((True,))

    def cut_once(route: Route) -> None:
        if route.request.method == "PATCH" and next(cuts, False):
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/v1/files/tus/**", cut_once)
    page.get_by_label("Choose files").set_input_files([chosen("خطّة.pdf"), chosen("photo.png", b"no picture")])
    states = page.locator(".picked-state")
    expect(states.nth(0)).to_have_text("Uploaded")
    expect(states.nth(1)).to_have_text("What is in the file is not what its name says.")
    listed = http.get("/files").raise_for_status().json()["items"]
    assert [(one["original_filename"], one["file_size"]) for one in listed] == [("خطّة.pdf", len(PDF))]
    assert page.locator("input[name=files]").evaluate_all("all => all.map((one) => one.value)") == [listed[0]["id"]]

    plain = open_window(who=email, has_scripts=False)
    plain.page.goto("/files?lang=ar")
    expect(plain.page.locator(".file-name")).to_have_text("خطّة.pdf")
    plain.page.locator("button[name=remove]").click()
    expect(plain.page.locator(".banner")).to_contain_text("حُذف الملفّ")
    expect(plain.page.locator(".empty")).to_be_visible()
