"""The administrators' pages: what they show, that it moves while somebody looks, and what the buttons do."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.operated_school import (
    ADMIN_EMAIL,
    LEAVING_ID,
    LETTERS,
    LONG_ERROR,
    PERSON_ID,
    REASON,
    SECRET,
    TIMEZONE_ID,
)
from tests.browser.test_pages import looked_at
from tests.browser.window import DemoSchool, Window, opening
from tests.servers.processes import ServerProcess

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
PAGES = {
    "overview": "/admin",
    "letters": "/admin/dead-letters",
    "audit": "/admin/audit",
    "people": "/admin/users",
    "person": f"/admin/users/{PERSON_ID}",
    "leaving person": f"/admin/users/{LEAVING_ID}?done=changed",
    "invitation": "/admin/users/new",
    "letter": f"/admin/dead-letters/{quote(TIMEZONE_ID, safe='')}",
}
POLL_MS = 10_000


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSchool]:
    data = tmp_path_factory.mktemp("operated") / "data"
    with ServerProcess([sys.executable, "-m", "tests.browser.operated_school", str(data)]) as server:
        yield DemoSchool(server.line_with("ready on http").rpartition(" ")[2].strip())


@pytest.fixture
def open_admin(chromium: Browser, school: DemoSchool) -> Iterator[Opener]:
    """Open windows of the administrator; nothing may have gone wrong in them."""
    with opening(chromium, school, who=ADMIN_EMAIL) as opened:
        yield opened


def letter(page: Page, error: str) -> Locator:
    """The card of the job that failed with this error."""
    exactly = page.locator(".letter-error").get_by_text(error, exact=True)
    return page.locator("main li.card").filter(has=exactly)


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_administrators(name: str, open_admin: Opener) -> None:
    assert not looked_at(open_admin(), PAGES[name])


def test_figures_move_while_somebody_looks(open_admin: Opener, school: DemoSchool) -> None:
    window = open_admin()
    page = window.page
    page.clock.install()
    page.goto("/admin?lang=en")
    expect(page.locator("#worker-rows tr")).to_contain_text(["node-a · 7"])
    waiting = page.locator('tr[data-queue="progress"] [data-figure="waiting"]')
    before = int(waiting.inner_text())
    draft = {"email": "new@example.org", "password": "correct horse battery staple", "full_name": "New"}
    httpx.post(f"{school.address}/api/v1/auth/register", json=draft).raise_for_status()
    page.clock.fast_forward(POLL_MS)
    expect(waiting).to_have_text(re.compile(r"^\d+$"))
    expect(waiting).not_to_have_text(str(before))
    window.cut_off()
    page.clock.fast_forward(POLL_MS)
    expect(page.locator("#as-of")).to_have_attribute("data-kind", "stale")
    expect(waiting).not_to_have_text(str(before))
    window.let_through()
    page.clock.fast_forward(POLL_MS)
    expect(page.locator("#as-of")).to_have_attribute("data-kind", "fresh")


def test_a_job_is_sent_again(open_admin: Opener) -> None:
    page = open_admin().page
    page.goto("/admin/dead-letters?lang=en")
    letter(page, LETTERS[0]).get_by_role("button", name="Send again").click()
    expect(page.locator(".toast")).to_contain_text("sent again")
    expect(letter(page, LETTERS[0])).to_have_count(0)
    expect(letter(page, LONG_ERROR)).to_have_count(1)


def test_a_job_is_discarded_by_who_means_it(open_admin: Opener) -> None:
    page = open_admin().page
    page.goto("/admin/dead-letters?lang=en")
    button = letter(page, LETTERS[1]).get_by_role("button", name="Discard")
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(button).to_be_focused()
    page.reload()
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.locator(".toast")).to_contain_text("discarded")
    expect(letter(page, LETTERS[1])).to_have_count(0)


def test_it_all_works_without_scripts(open_admin: Opener) -> None:
    page = open_admin(has_scripts=False).page
    page.goto("/admin?lang=en")
    expect(page.locator('tr[data-queue="emails"] [data-figure="dead"]')).to_have_text("1")
    page.goto("/admin/dead-letters?queue=webhooks")
    letter(page, LETTERS[2]).get_by_role("button", name="Send again").click()
    expect(page.locator(".banner")).to_contain_text("sent again")
    expect(letter(page, LETTERS[2])).to_have_count(0)
    letter(page, LETTERS[3]).get_by_role("button", name="Discard").click()
    page.locator("summary", has_text="Discard for good?").click()
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(".banner")).to_contain_text("discarded")
    expect(letter(page, LETTERS[3])).to_have_count(0)


def test_a_job_of_a_timezone_is_found_by_its_link(open_admin: Opener) -> None:
    """Its id holds a slash."""
    page = open_admin().page
    page.goto("/admin/dead-letters?lang=en&queue=progress")
    page.get_by_role("link", name="counters.reconcile").click()
    expect(page.locator("dl.facts")).to_contain_text(TIMEZONE_ID)


def test_what_was_to_be_mailed_shows_no_secret(open_admin: Opener) -> None:
    page = open_admin().page
    page.goto("/admin/dead-letters?lang=en&queue=emails")
    page.get_by_role("link", name="mail.send").click()
    expect(page.locator("dl.facts")).to_contain_text("password_reset")
    expect(page.locator("dl.facts")).to_contain_text("Ada")
    assert SECRET not in page.content()


def test_the_audit_log_is_read_filtered_and_followed_without_scripts(open_admin: Opener) -> None:
    page = open_admin(has_scripts=False).page
    page.goto("/admin/audit?lang=en")
    rows = page.locator("tbody tr")
    expect(rows.filter(has_text="Course changed")).to_contain_text("description, is_published, title")
    used = rows.filter(has_text="GET /home")
    expect(used).to_contain_text("Ada Admin")
    expect(used).to_contain_text("In the place of")
    expect(rows.filter(has_text=REASON)).to_have_count(1)
    page.get_by_label("What was done").select_option("course.change")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("button", name="Follow all of it now").click()
    expect(page.locator("#chain")).to_contain_text("All of it was followed last from record 1")


def test_an_account_is_seen_to_without_scripts(open_admin: Opener) -> None:
    page = open_admin(has_scripts=False).page
    page.goto("/admin?lang=en")
    page.get_by_role("link", name="People").click()
    page.get_by_role("link", name="Invite somebody").click()
    page.get_by_label("Name").fill("Sami Second")
    page.get_by_label("Email address").fill("sami@example.org")
    page.get_by_label("Role").select_option("instructor")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.locator(".banner")).to_contain_text("the invitation is on its way")
    page.get_by_label("Read the audit log").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Read the audit log")).to_be_checked()
    page.get_by_role("button", name="Close the account").click()
    expect(page.locator(".banner")).to_contain_text("The account is closed.")
    page.locator("summary", has_text="Erase this person").click()
    page.get_by_label("Type the address").fill("somebody@example.org")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.locator("#fault")).to_contain_text("type the address exactly")
    page.get_by_label("Type the address").fill("sami@example.org")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.locator(".banner")).to_contain_text("The person is being erased.")
    page.get_by_label("Name or address").fill("sami")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("tbody tr")).to_contain_text("Leaving")


def test_the_list_of_people_is_fetched_as_a_table(open_admin: Opener) -> None:
    page = open_admin().page
    page.goto("/admin/users?lang=en&role=instructor")
    with page.expect_download() as fetched:
        page.get_by_role("link", name="Fetch as a table").click()
    rows = fetched.value.path().read_text(encoding="utf-8").strip().splitlines()
    assert [row for row in rows[1:] if "Klara Closed" in row]
    assert not [row for row in rows if "Nora" in row]


def test_others_are_not_let_in(chromium: Browser, school: DemoSchool) -> None:
    window = Window(chromium, school)
    draft = {"email": "curious@example.org", "password": "correct horse battery staple", "full_name": "Curious"}
    httpx.post(f"{school.address}/api/v1/auth/register", json=draft).raise_for_status()
    window.sign_in(draft["email"], draft["password"])
    for path in PAGES.values():
        answer = window.page.goto(path)
        assert answer is not None
        assert answer.status == 403
    window.close()
