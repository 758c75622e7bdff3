"""MongoDB's operators over real HTTP: in every body, every query and every path they are refused, or find nothing more.

That models refuse them in each of their places is tried without a server (`tests/unit/test_operators.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from handlers.rest.dispatch import full_patterns
from handlers.rest.operations import FORM, Operation
from handlers.routes import ROUTES
from tests import factories
from tests.attacking import OPERATOR_WORDS, OPERATORS, PATHS
from tests.clients import Visitor
from tests.conftest import _ENGINES, settings_on
from tests.house import PASSWORD, House, open_house
from tests.rest.rights.sending import streamed_options

BODIES = [row for row in ROUTES if row.body is not None and row.takes != FORM]
QUERIES = [row for row in ROUTES if row.query is not None and row.methods == ("GET",)]
BY_KIND = {"options", "correct_answer"}
"""Read by the kind of the question, of which nothing is known here."""
NOWHERE = "xyz_nobody_nowhere"
VERIFIED = "/certificates/verify/{certificate_number}"
NAMED = [(method, row) for row in ROUTES for method in row.methods if "{" in row.path]


@pytest.fixture(scope="module", params=_ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A school that counts no requests, with something in every list."""
    settings = settings_on(str(request.param), request, tmp_path_factory.mktemp("house"), rate_limit_enabled=False)
    async with open_house(settings) as opened:
        teacher, student = await opened.teacher(), await opened.student()
        course = await factories.course(teacher, category="Algebra", tags=["sums"])
        quiz = await factories.quiz(teacher, course["id"], (factories.TRUE_FALSE,))
        await factories.enrolled(student, course["id"])
        await student.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
        yield opened


@pytest.fixture(scope="module")
async def admin(house: House) -> Visitor:
    return await house.admin()


def path_of(pattern: str, name: str = NOWHERE) -> str:
    """The path with this in every place of an id."""
    return "/".join(
        quote(name, safe="").replace(".", "%2E") if part.startswith("{") else part for part in pattern.split("/")
    )


async def asked(who: Visitor, method: str, pattern: str, **options: Any) -> httpx.Response:
    return await who.http.request(method, f"{who.address}{pattern}", **options)


async def test_no_body_takes_an_operator(admin: Visitor) -> None:
    operators = itertools.cycle(OPERATORS)
    for row in BODIES:
        assert row.body is not None
        names = {field.alias or name for name, field in row.body.model_fields.items()}
        for pattern in full_patterns(row):
            body = dict.fromkeys(names, next(operators))
            reply = await asked(admin, row.methods[0], path_of(pattern), json=body)
            assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed"), f"{pattern}: {reply.text}"
            told = {fault["field"].split(".")[0] for fault in reply.json()["errors"]}
            assert told >= names - BY_KIND
            reply = await asked(admin, row.methods[-1], path_of(pattern), json=next(operators))
            assert reply.status_code == 422, f"{pattern}: {reply.text}"


@pytest.mark.parametrize("name", ["username[$ne]", "username[]", "username.$gt", "username"])
async def test_no_form_takes_an_operator(house: House, name: str) -> None:
    stranger = await house.visitor()
    form = {name: '{"$gt":""}', "password[$ne]": "x", "password": '{"$ne":null}'}
    reply = await stranger.call("POST", "/auth/token", data=form)
    assert reply.status_code in (400, 422)
    assert "access_token" not in reply.text


async def test_nobody_signs_in_by_an_operator(house: House) -> None:
    email, stranger = (await house.student()).user["email"], await house.visitor()
    for operator in OPERATORS:
        for body in ({"email": operator, "password": PASSWORD}, {"email": email, "password": operator}):
            for path in ("/auth/login", "/auth/login-cookie"):
                await stranger.refused(422, "POST", path, json=body)


@pytest.mark.parametrize("row", QUERIES, ids=[row.path for row in QUERIES])
async def test_no_query_finds_more_by_an_operator(admin: Visitor, row: Operation) -> None:
    assert row.query is not None
    pattern = full_patterns(row)[0]
    plain = await asked(admin, "GET", path_of(pattern))
    words, signs = itertools.cycle(OPERATOR_WORDS), itertools.cycle(("[$ne]", "[]", ".$ne", "[$where]"))
    for name in row.query.model_fields:
        wrong = await asked(admin, "GET", f"{path_of(pattern)}?{urlencode({name: NOWHERE})}")
        for word in itertools.islice(words, 3):
            reply = await asked(admin, "GET", f"{path_of(pattern)}?{urlencode({name: word})}")
            is_alike = (reply.status_code, found(reply)) == (wrong.status_code, found(wrong))
            assert is_alike or refuses(reply, name), f"{name}={word}: {reply.text}"
        spelling = f"{name}{next(signs)}"
        reply = await asked(admin, "GET", f"{path_of(pattern)}?{urlencode({spelling: '1'})}")
        assert (reply.status_code, found(reply)) == (plain.status_code, found(plain)), f"{spelling}: {reply.text}"


def refuses(reply: httpx.Response, name: str) -> bool:
    """Was nothing looked for, since this field takes no such word?"""
    if (reply.status_code, found(reply)) != (422, "validation_failed"):
        return False
    return {fault["field"] for fault in reply.json()["errors"]} == {name}


def found(reply: httpx.Response) -> Any:
    """How many there are, or what is wrong."""
    body = reply.json() if "json" in reply.headers["Content-Type"] else {}
    return body.get("code") or body.get("total", len(body.get("items", ())))


async def test_no_path_finds_anything_by_an_operator_or_leaves_its_folder(admin: Visitor) -> None:
    names = itertools.cycle((*OPERATOR_WORDS, *PATHS))
    for method, row in NAMED:
        for pattern in (one for one in full_patterns(row) if "{" in one):
            for name in itertools.islice(names, 4):
                reply = await asked(admin, method, path_of(pattern, name), **options_of(row))
                if row.path == VERIFIED:  # it is said of any number whether it holds, and of these that none does
                    assert (reply.status_code, reply.json()) == (200, {"valid": False})
                    continue
                assert reply.status_code in (404, 422), f"{method} {pattern}: {reply.status_code} {reply.text}"
                if reply.status_code == 422:  # body or query was not what it takes: then nothing was looked for
                    assert (row.body, row.query) != (None, None)


def options_of(row: Operation) -> dict[str, Any]:
    if row.is_upload:
        return {"content": "::A::B?{T}", "headers": {"Content-Type": "text/plain"}}
    if streamed := streamed_options(row):
        return streamed
    return {} if row.body is None else {"json": {}}
