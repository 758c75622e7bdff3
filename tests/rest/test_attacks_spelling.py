"""Letters that look alike, letters in two forms, and what nobody sees: in addresses, names, slugs, words and passwords."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from documents.job import Job
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD, House, open_house

ACCENTED = "zoë-café"
COMPOSED, DECOMPOSED = unicodedata.normalize("NFC", ACCENTED), unicodedata.normalize("NFD", ACCENTED)


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A school that counts no requests."""
    settings = settings_on("embedded", request, tmp_path_factory.mktemp("house"), rate_limit_enabled=False)
    async with open_house(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
async def teacher(house: House) -> Visitor:
    return await house.teacher()


async def registered(house: House, email: str, password: str = PASSWORD) -> Visitor:
    visitor = await house.visitor()
    await visitor.register(email, password, "Somebody")
    return visitor


def registration(email: str, full_name: str = "Somebody") -> dict[str, Any]:
    return {"email": email, "password": PASSWORD, "full_name": full_name}


# --- addresses ---


@pytest.mark.parametrize(
    "spelling",
    [
        "PAYPAL.ONE@example.org",
        "ｐａｙｐａｌ.one@example.org",
        "paypal.one@ＥＸＡＭＰＬＥ.org",
        "paypal.one@example。org",
        "𝐩𝐚𝐲𝐩𝐚𝐥.one@example.org",
        " paypal.one@example.org ",
    ],
)
async def test_another_spelling_of_an_address_is_the_same_account(house: House, spelling: str) -> None:
    stranger = await house.visitor()
    reply = await stranger.call("POST", "/auth/register", json=registration("paypal.one@example.org"))
    assert reply.status_code in (201, 409)
    refused = await stranger.refused(409, "POST", "/auth/register", json=registration(spelling))
    assert refused["code"] == "email_taken"
    await stranger.ok("POST", "/auth/login", json={"email": spelling, "password": PASSWORD})


async def test_both_forms_of_a_letter_are_one_account_and_one_password(house: House) -> None:
    composed = f"{COMPOSED}@example.org"
    await registered(house, composed, f"{COMPOSED} and a staple")
    stranger = await house.visitor()
    decomposed = {"email": f"{DECOMPOSED}@example.org", "password": f"{DECOMPOSED} and a staple"}
    await stranger.ok("POST", "/auth/login", json=decomposed)
    await stranger.refused(409, "POST", "/auth/register", json=registration(decomposed["email"]))


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("p\u0430ypal@example.org", "mixed_scripts"),
        ("paypal@ex\u0430mple.org", "mixed_scripts"),
        ("paypal@xn--exmple-4nf.org", "mixed_scripts"),
        ("\u03bfmega@example.org", "mixed_scripts"),
        ("mona\u200b@example.org", "email"),
        ("mona\u00ad@example.org", "email"),
        ("mona\ufe0f@example.org", "email"),
        ("mona\u3164@example.org", "email"),
        ("mona\u034f@example.org", "email"),
        ("mona@exam\u200bple.org", "email"),
        ("\u202emona@example.org", "email"),
        ("mona\U000e0061@example.org", "email"),
        ("mona@stra\u00dfe.example", "ambiguous_domain"),
        ("mona@\u03bb\u03cc\u03b3\u03bf\u03c2.example", "ambiguous_domain"),
    ],
)
async def test_an_address_that_only_looks_like_another_is_refused(house: House, email: str, code: str) -> None:
    for path, who in (("/auth/register", await house.visitor()), ("/users", await house.admin())):
        body = registration(email) if path == "/auth/register" else {"email": email, "full_name": "Somebody"}
        refused = await who.refused(422, "POST", path, json=body)
        assert [(fault["field"], fault["code"]) for fault in refused["errors"]] == [("email", code)]


@pytest.mark.parametrize(
    "email",
    [
        "منى@مثال.إختبار",
        "mona@bücher.example",
        "пётр@пример.example",
        "山田taro@example.org",
        "mona@xn--strae-oqa.example",
    ],
)
async def test_addresses_of_the_world_are_taken(house: House, email: str) -> None:
    assert (await registered(house, email)).user["email"] == email


async def test_who_looks_alike_is_somebody_else(house: House) -> None:
    """Wholly of another script it is an address like any other: it opens nothing, and hides nothing, of the one it looks like."""
    latin, cyrillic = "coco@example.org", "\u0441\u043e\u0441\u043e@example.org"
    await registered(house, latin)
    other = await registered(house, cyrillic, "quite another long passphrase")
    stranger = await house.visitor()
    await stranger.refused(401, "POST", "/auth/login", json={"email": cyrillic, "password": PASSWORD})
    signed_in = await stranger.ok("POST", "/auth/login", json={"email": latin, "password": PASSWORD})
    assert signed_in["user"]["id"] != other.user_id
    admin = await house.admin()
    found = await admin.ok("GET", "/users", params={"q": latin})
    assert [one["email"] for one in found["items"]] == [latin]


@pytest.mark.parametrize(
    "typed",
    ["MİKE@example.org", "mıke@example.org", "\u043cike@example.org", "mike@exa\u043cple.org"],
)
async def test_a_lost_password_of_who_looks_alike_is_nobody_s(house: House, typed: str) -> None:
    """Folded with less care, these would find the account, and the mail would go where it was typed."""
    stranger = await house.visitor()
    await stranger.call("POST", "/auth/register", json=registration("mike@example.org"))
    before = await resets()
    await stranger.call("POST", "/auth/forgot-password", json={"email": typed})
    await house.services.later.settled()  # who is written to is found behind the answer
    assert await resets() == before


async def resets() -> int:
    return await Job.rows().count_documents({"task": "mail.send", "args.template": "password_reset"})


# --- names ---


@pytest.mark.parametrize(
    ("full_name", "code"),
    [
        ("\u3164", "unseen_character"),
        ("\u2800\u2800", "unseen_character"),
        ("\u200b", "unseen_character"),
        ("\u0301", "unseen_character"),
        ("Mona\u200bFarouk", "unseen_character"),
        ("Mona\u200eFarouk", "unseen_character"),
        ("Mo\u200dna", "unseen_character"),
        ("Mona\U000e0041", "unseen_character"),
        ("Mona\u202eFarouk", "control_character"),
        ("Mona\u2066Farouk", "control_character"),
        ("Mona\nFarouk", "control_character"),
    ],
)
async def test_a_name_can_be_seen_and_turns_nothing(house: House, full_name: str, code: str) -> None:
    student, admin = await house.student(), await house.admin()
    attempts = [
        ((await house.visitor()), "POST", "/auth/register", registration("unseen@example.org", full_name)),
        (student, "PATCH", "/users/me", {"full_name": full_name}),
        (admin, "POST", "/users", {"email": "unseen@example.org", "full_name": full_name}),
    ]
    for who, method, path, body in attempts:
        refused = await who.refused(422, method, path, json=body)
        assert [(fault["field"], fault["code"]) for fault in refused["errors"]] == [("full_name", code)]


@pytest.mark.parametrize(
    "full_name",
    [
        "منى فاروق",
        "فاطمه\u200cها",
        "क\u094d\u200dष",
        "Zoë O'Neill-Łuk",
        "李小龍",
        "Mona ❤️",
        "👩\u200d🚀 Sally",
        "രാജന്\u200d",
    ],
)
async def test_names_of_the_world_are_taken(house: House, full_name: str) -> None:
    student = await house.student()
    changed = await student.ok("PATCH", "/users/me", json={"full_name": unicodedata.normalize("NFD", full_name)})
    assert changed["full_name"] == unicodedata.normalize("NFC", full_name)


@pytest.mark.parametrize("title", ["\u3164", "\u200b\u200d", "\u2800", "\u0301"])
async def test_a_title_or_a_tag_shows_something(teacher: Visitor, title: str) -> None:
    for body, field in (({"title": title}, "title"), ({"title": "Sums", "tags": ["ok", title]}, "tags.1")):
        refused = await teacher.refused(422, "POST", "/courses", json=body)
        assert [(fault["field"], fault["code"]) for fault in refused["errors"]] == [(field, "unseen_character")]


# --- slugs ---


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("P\u0430yments", "p-\u0430-yments"),
        ("Alg\u200bebra \ufe0fbasics\u3164", "algebra-basics"),
        ("βeta decay", "β-eta-decay"),
        ("Python بالعربية", "python-بالعربية"),
        ("日本語とEnglish", "日本語とenglish"),
        ("Caf\u0065\u0301", "café"),
    ],
)
async def test_a_slug_is_of_one_script_in_each_word(teacher: Visitor, title: str, slug: str) -> None:
    made = await teacher.ok("POST", "/courses", json={"title": f"{title} {unicodedata.name(title[0])}"})
    assert made["slug"].startswith(slug)
    wished = await teacher.ok("PATCH", f"/courses/{made['id']}", json={"slug": title})
    assert wished["slug"].startswith(slug)


async def test_a_slug_in_either_form_is_the_same(teacher: Visitor) -> None:
    first = await factories.course(teacher, title=f"Les {COMPOSED}")
    second = await teacher.ok("POST", "/courses", json={"title": f"Les {DECOMPOSED}"})
    assert second["slug"] == f"{first['slug']}-2"
    for form in ("NFC", "NFD"):
        found = await teacher.ok("GET", f"/courses/{quote(unicodedata.normalize(form, first['slug']))}")
        assert found["id"] == first["id"]


# --- words ---


async def test_what_is_searched_and_filtered_for_is_found_in_either_form(house: House, teacher: Visitor) -> None:
    category, tag = f"Crème {COMPOSED}", f"brûlée {COMPOSED}"
    course = await factories.course(teacher, title=f"Dessert {COMPOSED}", category=category, tags=[tag])
    stranger = await house.visitor()
    for form in ("NFC", "NFD"):
        for query in ({"q": f"dessert {COMPOSED}"}, {"category": category}, {"tag": tag}):
            asked = {name: unicodedata.normalize(form, value) for name, value in query.items()}
            found = await stranger.ok("GET", "/courses", params=asked)
            assert [one["id"] for one in found["items"]] == [course["id"]], asked


async def test_categories_that_look_the_same_are_one(house: House, teacher: Visitor) -> None:
    for spelling in ("Géologie", unicodedata.normalize("NFD", "Géologie"), "Géo\u200blogie", "géologie\ufe0f"):
        await factories.course(teacher, title="Rocks", category=spelling)
    listed = await (await house.visitor()).ok("GET", "/categories", params={"page_size": 100})
    assert [
        one["courses_count"]
        for one in listed["items"]
        if "ologie" in one["category"].casefold() or "logie" in one["category"]
    ] == [4]
