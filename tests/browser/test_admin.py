"""The administrators' pages: that figures move while somebody looks, and what the buttons do. How they look: `test_admin_looks.py`."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.operated_school import LETTERS, LONG_ERROR, PERSON_ID, REASON, SECRET, TIMEZONE_ID
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
POLL_MS = 10_000


def letter(page: Page, error: str) -> Locator:
    """The card of the job that failed with this error."""
    exactly = page.locator(".letter-error").get_by_text(error, exact=True)
    return page.locator("main li.card").filter(has=exactly)


def asked_until_moved(page: Page, path: str, figure: Locator, before: int) -> None:
    """The page asks every few seconds until the figure is another: jobs are asked for behind the reply of what leads to them."""
    while figure.inner_text() == str(before):
        with page.expect_response(f"**/api/v1{path}"):
            page.clock.fast_forward(POLL_MS)


def test_figures_move_while_somebody_looks(open_admin: Opener, operated_school: DemoSchool) -> None:
    window = open_admin()
    page = window.page
    page.clock.install()
    page.goto("/admin?lang=en")
    expect(page.locator("#worker-rows tr")).to_contain_text(["node-a · 7"])
    waiting = page.locator('tr[data-queue="progress"] [data-figure="waiting"]')
    before = int(waiting.inner_text())
    draft = {"email": "new@example.org", "password": "correct horse battery staple", "full_name": "New"}
    httpx.post(f"{operated_school.address}/api/v1/auth/register", json=draft).raise_for_status()
    asked_until_moved(page, "/admin/tasks", waiting, before)
    expect(waiting).to_have_text(re.compile(r"^\d+$"))
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


def test_the_school_in_figures_moves_while_somebody_looks(open_admin: Opener, operated_school: DemoSchool) -> None:
    window = open_admin()
    page = window.page
    page.clock.install()
    page.goto("/admin/stats?lang=en")
    due = page.locator('[data-figure="queue_lengths.emails"]')
    before = int(due.inner_text())
    draft = {"email": "another@example.org", "password": "correct horse battery staple", "full_name": "Another"}
    httpx.post(f"{operated_school.address}/api/v1/auth/register", json=draft).raise_for_status()
    asked_until_moved(page, "/admin/stats", due, before)
    expect(due).to_have_text(re.compile(r"^\d+$"))
    expect(page.locator("#node-rows tr")).to_contain_text(["this one"])
    expect(page.locator('[data-figure="storage_bytes"]')).to_have_text(re.compile(r"^[\d.]+ [KMG]?B$"))
    window.cut_off()
    page.clock.fast_forward(POLL_MS)
    expect(page.locator("#as-of")).to_have_attribute("data-kind", "stale")
    window.let_through()


def test_a_setting_is_changed_and_taken_back_without_scripts(open_admin: Opener) -> None:
    page = open_admin(has_scripts=False).page
    page.goto("/admin?lang=en")
    page.get_by_role("link", name="Settings", exact=True).click()
    days = page.get_by_label("Events, in days")
    days.fill("3")
    page.get_by_role("button", name="Show the difference").click()
    expect(page.get_by_role("link", name="Events, in days: type a whole number")).to_be_visible()
    days.fill("٢١")
    page.get_by_role("button", name="Show the difference").click()
    expect(page.locator("tbody tr")).to_contain_text(["Events, in days"])
    expect(page.locator(".banner")).to_contain_text("removed for good")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".banner")).to_contain_text("Saved.")
    expect(days).to_have_value("21")
    page.get_by_label("Take the change back").check()
    page.get_by_role("button", name="Show the difference").click()
    page.get_by_role("button", name="Save").click()
    expect(days).to_have_value("30")


def test_a_lock_is_seen_and_lifted(open_admin: Opener, operated_school: DemoSchool) -> None:
    guess = {"email": "lina@example.org", "password": "not this one"}
    for _ in range(5):
        assert httpx.post(f"{operated_school.address}/api/v1/auth/login", json=guess).status_code == 401
    page = open_admin(has_scripts=False).page
    page.goto(f"/admin/users/{PERSON_ID}?lang=en")
    expect(page.locator("#lock")).to_contain_text("Locked in 1 place")
    page.get_by_role("button", name="Lift the lock").click()
    expect(page.locator("#lock")).to_have_text("Not locked")
