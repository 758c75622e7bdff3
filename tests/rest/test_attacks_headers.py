"""Headers that somebody else began, places to be sent on to, and ways out of a folder: on every operation and every page."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import httpx
import pytest
from tornado.web import RequestHandler

from handlers.rest.dispatch import full_patterns
from handlers.routes import ROUTES
from handlers.web.assets import assets
from handlers.web.base import PageHandler
from handlers.web.pages import PAGES
from tests import factories
from tests.attacking import BROKEN_LINES, ELSEWHERE, PATHS
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD, House, open_house

PAGE_PATHS = sorted(
    {re.sub(r"\(.*?\)", "x", pattern).replace("/?", "").replace("\\", "") for pattern, _ in PAGES} - {"/.*"}
)
FORMS = sorted(
    re.sub(r"\(.*?\)", "x", pattern).replace("/?", "")
    for pattern, handler in PAGES
    if issubclass(handler, PageHandler) and handler.post is not RequestHandler.post and pattern != "/.*"
)
GETS = sorted({pattern for row in ROUTES if "GET" in row.methods for pattern in full_patterns(row)})
WORDS = (
    "next",
    "lang",
    "theme",
    "token",
    "q",
    "sort",
    "page",
    "after",
    "show",
    "done",
    "sent",
    "queue",
    "action",
    "format",
)
FAULTY = ("\r", "\n", "\x00", "\x0b", "\x85", "\u2028")


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A school that counts no requests."""
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("house"), rate_limit_enabled=False)
    async with open_house(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
async def browsers(house: House) -> AsyncIterator[list[httpx.AsyncClient]]:
    """A stranger's browser and an administrator's."""
    admin = await house.admin()
    async with (
        httpx.AsyncClient(base_url=house.address, trust_env=False) as stranger,
        httpx.AsyncClient(base_url=house.address, trust_env=False) as signed_in,
    ):
        signed_in.cookies.set("lms_access", admin.tokens["access_token"])
        signed_in.headers["Accept"] = "text/html"
        yield [stranger, signed_in]


def leads_away(location: str) -> bool:
    """Would a browser leave for another site? It reads a backslash as a slash, and passes over tabs and line ends."""
    read = re.sub(r"[\t\r\n]", "", location.strip()).replace("\\", "/")
    parts = urlsplit(urljoin("http://ours.test/here", read))
    return (parts.scheme, parts.netloc) != ("http", "ours.test")


def is_whole(reply: httpx.Response) -> bool:
    """Is there no header that somebody else began, and nothing that would be one elsewhere?"""
    return "x-evil" not in reply.headers and not any(
        sign in value for value in reply.headers.values() for sign in FAULTY
    )


async def test_no_page_and_no_list_begins_a_header_for_others(browsers: list[httpx.AsyncClient]) -> None:
    lists = (re.sub(r"\{\w+\}", "x", pattern) for pattern in GETS)
    for path, broken in zip((*PAGE_PATHS, *lists), itertools.cycle(BROKEN_LINES)):
        for browser in browsers:
            reply = await browser.get(f"{path}?{urlencode(dict.fromkeys(WORDS, broken))}")
            assert reply.status_code < 500, f"{path}: {reply.status_code}"
            assert is_whole(reply), f"{path}: {reply.headers}"


async def test_no_path_begins_one(browsers: list[httpx.AsyncClient]) -> None:
    for browser in browsers:
        for pattern, _ in PAGES:
            path = re.sub(r"\(.*?\)", quote(BROKEN_LINES[0], safe=""), pattern).replace("/?", "")
            reply = await browser.get(path.replace("\\", "").replace("/.*", "/x"))
            assert reply.status_code < 500
            assert is_whole(reply)


async def test_no_page_sends_anybody_to_another_site(browsers: list[httpx.AsyncClient]) -> None:
    """What reads where to go on reads it in one way: the sign-in below tries it with all of them."""
    for path, place in zip(PAGE_PATHS, itertools.cycle(ELSEWHERE)):
        for browser in browsers:
            reply = await browser.get(f"{path}?{urlencode({'next': place, 'return': place, 'url': place})}")
            assert not leads_away(reply.headers.get("Location", "/")), f"{path}: {reply.headers['Location']}"
            assert is_whole(reply)


async def test_who_is_signed_in_already_is_sent_to_no_other_site(browsers: list[httpx.AsyncClient]) -> None:
    for path, place in itertools.product(("/signin", "/register"), ELSEWHERE):
        reply = await browsers[1].get(f"{path}?{urlencode({'next': place})}")
        assert reply.status_code == 303
        assert not leads_away(reply.headers["Location"])


@pytest.mark.parametrize("place", ELSEWHERE[::3])
async def test_no_sign_in_leads_to_another_site(house: House, place: str) -> None:
    email = (await house.student()).user["email"]
    async with httpx.AsyncClient(base_url=house.address, trust_env=False) as browser:
        shown = await browser.get("/signin", params={"next": place})
        token = shown.text.partition('name="csrf" value="')[2].partition('"')[0]
        form = {"csrf": token, "email": email, "password": PASSWORD, "next": place}
        done = await browser.post("/signin", data=form)
        assert (done.status_code, done.headers["Location"]) == (303, "/home")


async def test_no_address_line_of_a_request_leads_away(house: House) -> None:
    """Whole addresses, and paths that begin with two slashes, are what a proxy may pass on."""
    for target in (
        "//evil.test/home",
        "/\\evil.test/home",
        "http://evil.test/home",
        "//evil.test/..%2fhome",
        "/home//evil.test",
    ):
        head, _ = await raw(house, f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n")
        location = head.lower().partition("\r\nlocation: ")[2].partition("\r\n")[0]
        assert not leads_away(location or "/"), target


async def raw(house: House, head: str) -> tuple[str, str]:
    """What a server answers to bytes that no honest client sends."""
    parts = urlsplit(house.address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write((head + "Connection: close\r\n\r\n").encode("latin-1"))
    async with asyncio.timeout(20):
        told = (await reader.read()).decode("latin-1")
    writer.close()
    head, _, body = told.partition("\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    "given", ["a\rX-Evil: 1", "a\x0bb", "a\x00b", "a\r\n X-Evil: 1", "a\x85b", "x" * 200, "a b", "é"]
)
async def test_an_id_of_a_request_that_is_none_is_not_told_on(house: House, given: str) -> None:
    head, _ = await raw(house, f"GET /api/v1/courses HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: {given}\r\n")
    assert "X-Evil" not in head
    assert given not in head


@pytest.mark.parametrize(
    "name", ["Origin", "Idempotency-Key", "If-Match", "Accept", "Accept-Language", "Cookie", "Range"]
)
async def test_no_header_comes_back_as_two(house: House, name: str) -> None:
    for given in ("a\rX-Evil: 1", "a\x00b", "lms_lang=a\x0bX-Evil: 1; lms_theme=\x85", '"\x01"'):
        head, _ = await raw(house, f"GET /api/v1/courses HTTP/1.1\r\nHost: 127.0.0.1\r\n{name}: {given}\r\n")
        assert "x-evil" not in head.lower()
        assert not head.startswith("HTTP/1.1 5")


@pytest.mark.parametrize("path", PATHS)
async def test_no_file_is_served_from_elsewhere(house: House, path: str) -> None:
    """As it is written, and in every disguise of a percent sign."""
    release = assets().release
    spellings = {
        path,
        quote(path, safe=""),
        quote(quote(path, safe=""), safe=""),
        path.replace("..", "%2e%2e"),
        f"{path}%00.js",
    }
    for folder in (
        "",
        f"static/{release}/",
        f"static/{release}/../",
        "static/",
        "docs/",
        "dev/mailbox/",
        "api/v1/courses/",
    ):
        for spelling in spellings:
            head, body = await raw(house, f"GET /{folder}{spelling} HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            assert head.split(" ")[1] in {"303", "400", "403", "404"} or _is_catalogue(body), (
                f"/{folder}{spelling}: {head}"
            )
            assert "root:" not in body
            assert "SQLite format" not in body


def _is_catalogue(body: str) -> bool:
    return "<html" in body


@pytest.mark.parametrize(
    "filename",
    ["../../lms.db", "/etc/passwd", "a\r\nX-Evil: 1", "x\x00.gift", 'a"; filename="b', "a/../b", "\u202egnp.exe"],
)
async def test_the_name_of_an_upload_is_nobody_s_path(house: House, filename: str) -> None:
    teacher: Visitor = await house.teacher()
    quiz = await factories.quiz(teacher, (await factories.course(teacher))["id"], (factories.TRUE_FALSE,))
    before = files_of(house)
    reply = await teacher.call(
        "POST", f"/quizzes/{quiz['id']}/questions/import", files={"file": (filename, b"::A::B?{T}", "text/plain")}
    )
    assert reply.status_code in (201, 400, 422), reply.text
    assert is_whole(reply)
    assert files_of(house) == before
    exported = await teacher.call("GET", f"/quizzes/{quiz['id']}/questions/export")
    assert exported.headers["Content-Disposition"] == f'attachment; filename="{quiz["id"]}.gift"'


def files_of(house: House) -> set[str]:
    folder = house.services.settings.lms_data_dir
    return {path.relative_to(folder.parent).as_posix() for path in folder.parent.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "title", ["Algebra\u560a\u560dX-Evil: 1", "Ünïcödé — دورة", "a/../../b", 'say "x"; y=1', "%0d%0aX-Evil: 1"]
)
async def test_a_title_is_no_part_of_a_header(house: House, browsers: list[httpx.AsyncClient], title: str) -> None:
    teacher: Visitor = await house.teacher()
    course: dict[str, Any] = await factories.course(teacher, title=title)
    for path in (f"/courses/{course['id']}", f"/learn/{course['id']}"):
        for browser in browsers:
            reply = await browser.get(path)
            assert is_whole(reply)
            assert not leads_away(reply.headers.get("Location", "/"))
