"""/admin/settings and /admin/stats as a browser without scripts has them: what is shown, changed, and kept from whom."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from config.settings_runtime import CHANGEABLE
from documents.audit_record import AuditRecord
from handlers.web.admin_settings import GROUPS
from handlers.web.translation import catalogue
from tests.clients import Visitor
from tests.house import House
from tests.rest.test_admin_users_page import FORM, HIDDEN, clerk_of, reader_of

SETTINGS = "/admin/settings"
ROW = re.compile(r"<tr>\s*<th scope=\"row\">(.*?)</tr>", re.DOTALL)
TAGS = re.compile(r"<[^>]+>|\s+")


def words(markup: str) -> str:
    return re.sub(r" +", " ", TAGS.sub(" ", html.unescape(markup))).strip()


@pytest.fixture
async def boss(house: House) -> AsyncIterator[Visitor]:
    """The administrator; whatever a test changes is taken back."""
    admin = await house.admin()
    yield admin
    await admin.ok("PATCH", SETTINGS, json=dict.fromkeys(CHANGEABLE))


@pytest.fixture
async def browser(house: House, boss: Visitor) -> httpx.AsyncClient:
    return (await reader_of(house, boss)).http


async def version(browser: httpx.AsyncClient) -> dict[str, str]:
    """What the form carries along."""
    page = (await browser.get(SETTINGS)).text
    return dict(HIDDEN.findall(dict(FORM.findall(page))[f"{SETTINGS}/review"]))


async def reviewed(browser: httpx.AsyncClient, **typed: Any) -> httpx.Response:
    return await browser.post(f"{SETTINGS}/review", data=await version(browser) | typed, follow_redirects=True)


async def saved(browser: httpx.AsyncClient, shown: httpx.Response, **more: Any) -> httpx.Response:
    """The form below the difference is sent."""
    fields: dict[str, list[str]] = {}
    for name, value in HIDDEN.findall(dict(FORM.findall(shown.text))[f"{SETTINGS}/save"]):
        fields.setdefault(name, []).append(html.unescape(value))
    return await browser.post(f"{SETTINGS}/save", data=fields | more, follow_redirects=True)


def part_of(page: str, name: str) -> str:
    """What stands about one setting that can be changed."""
    begin = page.index(f'for="{name}"')
    return page[begin : page.index("</div>", begin)]


async def test_each_setting_that_can_be_changed_has_a_field_words_and_bounds(browser: httpx.AsyncClient) -> None:
    page = (await browser.get(SETTINGS)).text
    for name in CHANGEABLE:
        part = part_of(page, name.upper())
        assert re.search(rf'<(?:input|select)[^>]* name="{name.upper()}"', part), name
        assert len([1 for _, begins in GROUPS if name.upper().startswith(begins)]) == 1, name
        for language in ("en", "ar"):
            assert {f"settings.name_{name}", f"settings.why_{name}"} <= catalogue(language).keys()
    exports = words(part_of(page, "RETENTION_EXPORTS_DAYS"))
    assert "From 1 to 90." in exports
    assert "Default · RETENTION_EXPORTS_DAYS" in exports
    assert "From 1 to 1,000,000." in words(part_of(page, "RATE_LIMIT_UPLOADS_PER_HOUR"))
    assert "Given at the start Default: No" in words(part_of(page, "ALLOW_PUBLIC_ROLE_REGISTRATION"))


async def test_the_others_are_listed_and_no_secret(house: House, browser: httpx.AsyncClient) -> None:
    page = (await browser.get(SETTINGS)).text
    rows = {words(row).partition(" ")[0]: words(row) for row in ROW.findall(page)}
    assert rows.keys() == house.services.settings.masked().keys() - {name.upper() for name in CHANGEABLE}
    assert "********" in rows["SECRET_KEY"]
    for secret in (house.services.settings.secret_key, house.services.settings.password_pepper):
        assert secret.get_secret_value() not in page


async def test_the_difference_is_shown_before_anything_is_saved(
    house: House, boss: Visitor, browser: httpx.AsyncClient
) -> None:
    settings = house.services.settings
    shown = await reviewed(browser, RETENTION_EVENTS_DAYS="٢١", LOG_LEVEL="DEBUG", RATE_LIMIT_LOGIN_PER_MINUTE="10")
    assert shown.status_code == 200
    assert [words(row) for row in ROW.findall(shown.text)] == [
        "Events, in days RETENTION_EVENTS_DAYS 30 21",
        f"Least level that is logged LOG_LEVEL {settings.log_level} DEBUG",
    ]
    assert "removed for good in the coming night" in shown.text
    assert settings.retention_events_days == 30
    done = await saved(browser, shown)
    assert "Saved. It holds on every node" in done.text
    assert (settings.retention_events_days, settings.log_level) == (21, "DEBUG")
    part = words(part_of(done.text, "RETENTION_EVENTS_DAYS"))
    assert "Changed here Default: 30" in part
    (record,) = await AuditRecord.rows().find({"kind": "settings"}).sort("_id", -1).limit(1).to_list(length=1)
    assert (record["action"], record["actor_id"]) == ("settings.change", boss.user_id)
    assert [name for name, _ in record["after"]] == ["LOG_LEVEL", "RETENTION_EVENTS_DAYS"]


async def test_a_change_is_taken_back(house: House, boss: Visitor, browser: httpx.AsyncClient) -> None:
    await boss.ok("PATCH", SETTINGS, json={"RETENTION_DONE_JOBS_DAYS": 9, "RETENTION_EVENTS_DAYS": 33})
    back = {"back": ["RETENTION_DONE_JOBS_DAYS", "RETENTION_EXPORTS_DAYS"], "RETENTION_DONE_JOBS_DAYS": "12"}
    shown = await reviewed(browser, **back)
    (row,) = [words(row) for row in ROW.findall(shown.text)]
    assert row == "Finished jobs, in days RETENTION_DONE_JOBS_DAYS 9 7 As given at the start"
    await saved(browser, shown)
    settings = house.services.settings
    assert (settings.retention_done_jobs_days, settings.retention_events_days) == (7, 33)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"RETENTION_EXPORTS_DAYS": "91"}, "Copies of people’s data, in days: type a whole number from 1 to 90."),
        ({"RETENTION_EXPORTS_DAYS": "1.5"}, "type a whole number from 1 to 90."),
        ({"RETENTION_EXPORTS_DAYS": ""}, "type a whole number from 1 to 90."),
        ({"RETENTION_EXPORTS_DAYS": "1e300"}, "type a whole number from 1 to 90."),
        ({"RATE_LIMIT_ENABLED": "perhaps"}, "Limit how often one may ask: choose one of those that are offered."),
        ({"LOG_LEVEL": "SHOUT"}, "Least level that is logged: choose one of those that are offered."),
    ],
)
async def test_what_does_not_fit_is_said_at_its_field(
    browser: httpx.AsyncClient, typed: dict[str, str], says: str
) -> None:
    shown = await reviewed(browser, RETENTION_EVENTS_DAYS="44", **typed)
    assert (shown.status_code, says in shown.text) == (422, True)
    assert part_of(shown.text, next(iter(typed))).count('aria-invalid="true"') == 1
    assert 'name="RETENTION_EVENTS_DAYS" value="44"' in shown.text, "what was typed is still there"


async def test_what_is_no_setting_of_the_form_changes_nothing(house: House, browser: httpx.AsyncClient) -> None:
    before = house.services.settings.masked()
    for wrong in ({"SECRET_KEY": "x" * 40}, {"PASSWORD_HASH_COST": "4"}, {"RETENTION_AUDIT_DAYS": "30"}, {}):
        assert "Nothing differs" in (await reviewed(browser, **wrong)).text
    assert house.services.settings.masked() == before


async def test_what_somebody_else_changed_meanwhile_is_not_written_over(
    house: House, boss: Visitor, browser: httpx.AsyncClient
) -> None:
    shown = await reviewed(browser, RETENTION_EVENTS_DAYS="44")
    typed = await version(browser) | {"RETENTION_EVENTS_DAYS": "45"}
    await boss.ok("PATCH", SETTINGS, json={"RETENTION_EVENTS_DAYS": 55})
    late = await browser.post(f"{SETTINGS}/review", data=typed)
    for refused in (late, await saved(browser, shown), await saved(browser, shown, version="x")):
        assert (refused.status_code, "Somebody else changed the settings" in refused.text) == (412, True)
        assert 'name="RETENTION_EVENTS_DAYS" value="55"' in refused.text, "what holds now is shown"
    assert house.services.settings.retention_events_days == 55


async def test_nobody_opens_a_door_that_is_shut_to_them(house: House, boss: Visitor) -> None:
    """Who changes settings without being able to make instructors would make themself one."""
    await boss.ok("PATCH", SETTINGS, json={"ALLOW_PUBLIC_ROLE_REGISTRATION": False})
    http = (await reader_of(house, await clerk_of(house, "settings:manage"))).http
    refused = await saved(http, await reviewed(http, ALLOW_PUBLIC_ROLE_REGISTRATION="yes"))
    assert (refused.status_code, "Only who may make instructors" in refused.text) == (403, True)
    assert house.services.settings.allow_public_role_registration is False


async def test_forms_from_elsewhere_do_nothing(house: House, browser: httpx.AsyncClient) -> None:
    typed = await version(browser) | {"RETENTION_EVENTS_DAYS": "44"}
    for act in ("review", "save"):
        refused = await browser.post(f"{SETTINGS}/{act}", data={**typed, "csrf": ""})
        assert refused.status_code == 403
    assert (await browser.post(f"{SETTINGS}/destroy", data=typed)).status_code == 404
    back = await browser.get(f"{SETTINGS}/save")
    assert (back.status_code, back.headers["Location"]) == (303, SETTINGS)
    assert house.services.settings.retention_events_days == 30


async def test_in_somebodys_place_settings_are_looked_at_only(house: House, boss: Visitor) -> None:
    clerk = await clerk_of(house, "settings:manage")
    acting = await boss.ok("POST", f"/admin/users/{clerk.user_id}/impersonate", json={"reason": "Sees no settings"})
    http = (await reader_of(house, clerk)).http
    http.cookies.set("lms_access", acting["access_token"])
    shown = await http.get(SETTINGS)
    assert shown.status_code == 200
    assert "Settings cannot be changed that way." in shown.text
    assert f'action="{SETTINGS}' not in shown.text
    token = dict(HIDDEN.findall(shown.text))
    refused = await http.post(f"{SETTINGS}/save", data=token | {"version": "1", "RETENTION_EVENTS_DAYS": "44"})
    assert refused.status_code == 403
    assert house.services.settings.retention_events_days == 30


async def test_the_school_stands_there_in_figures(house: House, boss: Visitor, browser: httpx.AsyncClient) -> None:
    stats = await boss.ok("GET", "/admin/stats")
    shown = await browser.get("/admin/stats")
    assert shown.status_code == 200
    told = dict(re.findall(r'data-figure="([\w.]+)">([^<]*)<', shown.text))
    for name in ("active_users_30d", "courses", "published_courses", "enrollments", "attempts_open", "dead_letters"):
        assert told[name] == f"{stats[name]:,}", name
    for group in ("users_by_role", "queue_lengths"):
        assert {name for name in told if name.startswith(group)} == {f"{group}.{name}" for name in stats[group]}
    assert re.fullmatch(r"[\d.]+ [KMG]?B|Not known", told["storage_bytes"])
    (node,) = [words(row) for row in ROW.findall(shown.text) if house.services.node_reports.node_id in row]
    assert "this one" in node


@pytest.mark.parametrize("path", [SETTINGS, "/admin/stats"])
async def test_others_are_not_let_in(house: House, path: str) -> None:
    for who in (await house.student(), await house.teacher(), await clerk_of(house, "users:manage", "audit:view")):
        assert (await (await reader_of(house, who)).http.get(path)).status_code == 403
    stranger = (await house.visitor()).http
    assert (await stranger.get(f"{house.address}{path}")).headers["Location"] == f"/signin?next={path}"
