"""Accounts: registering, signing in, profiles, administrators, the people of the demo school."""

from __future__ import annotations

import asyncio
from typing import Any

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Settings
from documents.enums import Role
from documents.job import Job
from documents.user import User
from lms_rt.contracts.accounts import (
    ProfileChange,
    RegistrationDraft,
    TokensView,
    UserView,
    find_email_key,
)
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import read_model
from lms_rt.contracts.controls import ACCOUNT_CHANGED
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import ROLE_PERMISSIONS
from lms_rt.services.demo import ADMIN_EMAIL, DEMO_PASSWORD, STUDENT_EMAILS, TEACHER_EMAIL
from lms_rt.storage.mongo import OpenDatabase
from tests.services.people import PASSWORD, People, open_people


def draft(**changes: Any) -> RegistrationDraft:
    given_fields = {"email": "mona@example.org", "password": PASSWORD, "full_name": "Mona Farouk"} | changes
    return read_model(RegistrationDraft, given_fields)


async def me(people: People, tokens: TokensView) -> Actor:
    return await people.sessions.authenticate(tokens.access_token)


# --- registering ---


async def test_an_owner_hears_once_an_hour_that_somebody_registers(settings: Settings, database: OpenDatabase) -> None:
    """Or strangers could fill any mailbox that has an account."""
    async with open_people(settings.model_copy(update={"registration_hides_existing": True})) as people:
        people.clock.advance(3600 - people.clock.now_ms() / 1000 % 3600)
        await people.registration.register(draft())
        await people.later.settled()
        for minutes in (2, 2, 40, 30):
            people.clock.advance(minutes * 60)
            await people.registration.register(draft())
            await people.later.settled()
        assert await Job.rows().count_documents({"args.template": "registration_existing"}) == 2


async def test_who_registers_is_a_student_and_signed_in(people: People) -> None:
    tokens = await people.accounts.register(draft(email="  Mona@Example.org "))
    assert (tokens.token_type, tokens.expires_in) == ("bearer", 900)
    assert tokens.user.email == "Mona@Example.org"
    assert tokens.user.role == Role.STUDENT
    actor = await me(people, tokens)
    assert (actor.user_id, actor.role, actor.permissions) == (tokens.user.id, Role.STUDENT, frozenset())


@pytest.mark.parametrize("again", ["mona@example.org", "MONA@EXAMPLE.ORG", "ｍｏｎａ@example.org"])
async def test_an_address_has_one_account(people: People, again: str) -> None:
    await people.join()
    with pytest.raises(Refused) as refused:
        await people.accounts.register(draft(email=again))
    assert refused.value.code is Code.EMAIL_TAKEN


async def test_of_many_at_once_one_gets_the_address(people: People) -> None:
    results = await asyncio.gather(*(people.join() for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(result, TokensView) for result in results) == 1
    assert all(result.code is Code.EMAIL_TAKEN for result in results if isinstance(result, Refused))
    assert await User.rows().count_documents({}) == 1


async def test_nobody_makes_themselves_an_admin_or_unasked_an_instructor(people: People) -> None:
    for role in ("admin", "instructor"):
        with pytest.raises(Refused) as refused:
            await people.accounts.register(draft(role=role, password="long enough for staff"))
        assert refused.value.code is Code.FORBIDDEN
    assert await User.rows().count_documents({}) == 0


async def test_instructors_register_where_it_is_allowed(settings: Settings, database: OpenDatabase) -> None:
    async with open_people(settings.model_copy(update={"allow_public_role_registration": True})) as people:
        with pytest.raises(Refused) as refused:
            await people.accounts.register(draft(role="instructor", password="short-one-7"))
        assert refused.value.fields[0].code == "too_short"
        tokens = await people.accounts.register(draft(role="instructor", password="long enough for staff"))
        assert (await me(people, tokens)).permissions == ROLE_PERMISSIONS[Role.INSTRUCTOR]
        with pytest.raises(Refused):
            await people.accounts.register(draft(role="admin", email="a@example.org", password="long enough for staff"))


async def test_a_bad_password_makes_no_account(people: People) -> None:
    with pytest.raises(Refused) as refused:
        await people.accounts.register(draft(password="mona-farouk"))
    assert refused.value.fields[0].field == "password"
    assert await User.rows().count_documents({}) == 0


@pytest.mark.parametrize(
    "email",
    ["", "mona", "mona@", "@example.org", "mona@localhost", "mona@@example.org", "mo na@example.org", "mona@exa mple.org",
     "mona@-example.org", ".mona@example.org", "mona..f@example.org", "m" * 65 + "@example.org", "mona@example..org",
     "mona\x07@example.org", f"mona@{'a' * 64}.org", "mona@" + "a." * 130 + "org"],
)  # fmt: skip
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Refused) as refused:
        draft(email=email)
    assert refused.value.fields[0].field == "email"


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("Mona.F+lms@Example.ORG", "mona.f+lms@example.org"),
        ("mona@bücher.example", "mona@xn--bcher-kva.example"),
        ("mona@XN--BCHER-KVA.example", "mona@xn--bcher-kva.example"),
        ("منى@مثال.إختبار", "منى@xn--mgbh0fb.xn--kgbechtv"),
        ("STRASSE@example.org", "strasse@example.org"),
    ],
)
def test_an_address_has_one_key(email: str, key: str) -> None:
    assert find_email_key(email) == key


@given(st.text(max_size=80))
def test_a_key_is_its_own_key(text: str) -> None:
    for address in (text, f"{text}@example.org"):
        key = find_email_key(address)
        assert key is None or find_email_key(key) == key


# --- signing in ---


async def test_signing_in_by_address_and_password(people: People) -> None:
    await people.join()
    people.clock.advance(5)
    tokens = await people.sign_in(" MONA@example.org ")
    assert tokens.user.last_login_at == people.clock.now()
    assert tokens.user.version == 1  # signing in is no edit
    assert (await me(people, tokens)).full_name == "Mona Farouk"


async def test_whatever_is_wrong_the_answer_and_the_work_are_the_same(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people.join()
    gone = await people.join("gone@example.org", "Gone Girl")
    await User.change(gone.user.id, {"is_active": False}, people.clock.now())
    checked: list[bytes] = []
    real = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        checked.append(hashed[:7])
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    answers = set()
    for email, password in [
        ("mona@example.org", "wrong"),
        ("nobody@example.org", PASSWORD),
        ("no address", PASSWORD),
        ("gone@example.org", PASSWORD),
        ("mona@example.org", "x" * 1000),
    ]:
        with pytest.raises(Refused) as refused:
            await people.sign_in(email, password)
        answers.add((refused.value.code, refused.value.detail))
    assert len(answers) == 1
    assert answers.pop()[0] is Code.INVALID_CREDENTIALS
    assert checked == [b"$2b$04$"] * 5


async def test_a_hash_of_another_cost_is_renewed_at_sign_in(people: People) -> None:
    await people.join()
    stricter = people.settings.model_copy(update={"password_hash_cost": 5})
    async with open_people(stricter, clock=people.clock) as later:
        await later.sign_in()
        user = await User.find_by_email_key("mona@example.org")
        assert user is not None
        assert "$2b$05$" in user.password_hash
        assert user.version == 1
        await later.sign_in()


# --- profiles ---


async def change(people: People, actor: Actor, expected_version: int | None = None, **fields: Any) -> UserView:
    return await people.accounts.update_me(actor, read_model(ProfileChange, fields), expected_version=expected_version)


async def test_a_profile_changes_only_in_what_was_sent(people: People) -> None:
    actor = await me(people, await people.join())
    people.clock.advance(1)
    first = await change(people, actor, timezone="Africa/Cairo", metadata={"class": "7b", "tags": [1, None]})
    assert (first.timezone, first.metadata, first.full_name) == (
        "Africa/Cairo",
        {"class": "7b", "tags": [1, None]},
        "Mona Farouk",
    )
    assert first.version == 2
    assert first.updated_at == people.clock.now()
    second = await change(people, actor, full_name=" Mona F. ", locale="ar", avatar_file_id=None)
    assert (second.full_name, second.locale, second.timezone, second.version) == ("Mona F.", "ar", "Africa/Cairo", 3)
    assert await people.accounts.me(actor) == second


async def test_a_new_name_is_known_at_once_here_and_told_to_the_others(people: People) -> None:
    tokens = await people.join()
    actor = await me(people, tokens)
    await change(people, actor, full_name="Mona F.")
    assert (await me(people, tokens)).full_name == "Mona F."
    assert people.heard.named(ACCOUNT_CHANGED) == [{"user_id": actor.user_id}]


async def test_another_version_than_expected_is_refused(people: People) -> None:
    actor = await me(people, await people.join())
    await change(people, actor, 1, locale="ar")
    with pytest.raises(Refused) as refused:
        await change(people, actor, 1, locale="en")
    assert refused.value.code is Code.VERSION_MISMATCH
    assert refused.value.data == {"current_version": 2}
    assert (await people.accounts.me(actor)).locale == "ar"


async def test_a_change_of_nothing_is_none(people: People) -> None:
    actor = await me(people, await people.join())
    assert (await change(people, actor)).version == 1
    assert (await change(people, actor, 1, email="mona@example.org")).version == 1
    with pytest.raises(Refused) as refused:
        await change(people, actor, 7)
    assert refused.value.data == {"current_version": 1}


async def test_of_two_changes_of_one_version_one_is_made(people: People) -> None:
    actor = await me(people, await people.join())
    results = await asyncio.gather(
        *(change(people, actor, 1, locale=locale) for locale in ("ar", "de")), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Refused", "UserView"]


async def test_what_was_read_may_be_sent_back(people: People) -> None:
    actor = await me(people, await people.join())
    view = (await people.accounts.me(actor)).model_dump(mode="json")
    assert (await change(people, actor, **view | {"locale": "ar"})).locale == "ar"
    with pytest.raises(Refused) as refused:
        await change(people, actor, **view | {"role": "admin", "email": "other@example.org"})
    assert {(fault.field, fault.code) for fault in refused.value.fields} >= {
        ("role", "read_only"),
        ("email", "read_only"),
    }
    assert (await people.accounts.me(actor)).role == Role.STUDENT


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"full_name": ""}, None),
        ({"full_name": "  "}, None),
        ({"full_name": None}, None),
        ({"full_name": 7}, None),
        ({"full_name": "x" * 121}, None),
        ({"full_name": "Mona\r\nBcc: everybody@example.org"}, "control_character"),
        ({"full_name": "Mona\u2028Farouk"}, "control_character"),
        ({"full_name": "Mona \u202egnp.exe"}, "control_character"),
        ({"full_name": "Mona \u2067Farouk"}, "control_character"),
        ({"locale": "x"}, None),
        ({"locale": "ar-"}, None),
        ({"locale": "ar\nu"}, None),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "Africa"}, "timezone"),
        ({"metadata": {"a.b": 1}}, "invalid_key"),
        ({"metadata": {"a": {"$set": 1}}}, "invalid_key"),
        ({"metadata": []}, None),
        ({"avatar_file_id": "fil_1"}, "not_found"),
        ({"is_admin": True}, "unknown_field"),
        ({"password_hash": "x"}, "unknown_field"),
    ],
)
async def test_bad_profiles_are_refused(people: People, fields: dict[str, Any], code: str | None) -> None:
    actor = await me(people, await people.join())
    with pytest.raises(Refused) as refused:
        await change(people, actor, **fields)
    assert refused.value.code is Code.VALIDATION_FAILED
    assert code is None or refused.value.fields[0].code == code
    assert (await people.accounts.me(actor)).version == 1


@pytest.mark.parametrize("locale", ["ar-EG", "ar-u-nu-arab", "zh-Hant-TW", "en-GB-u-hc-h12"])
async def test_a_language_may_say_more_of_itself(people: People, locale: str) -> None:
    assert (await change(people, await me(people, await people.join()), locale=locale)).locale == locale


@pytest.mark.parametrize("full_name", ["منى فاروق", "Zoë O'Neill-Łuk", "فاطمه\u200cها"])
async def test_names_of_the_world_are_taken(people: People, full_name: str) -> None:
    assert (await change(people, await me(people, await people.join()), full_name=full_name)).full_name == full_name


# --- administrators and the demo school ---


async def test_the_console_makes_an_administrator(people: People) -> None:
    view = await people.accounts.create_admin("root@example.org", "long enough for staff", "Rita Root")
    assert view.role == Role.ADMIN
    actor = await me(people, await people.sign_in("root@example.org", "long enough for staff"))
    assert actor.is_admin
    assert actor.has_permission("impersonate")


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (("root@example.org", "short-one-7", "Rita Root"), Code.VALIDATION_FAILED),
        (("no address", "long enough for staff", "Rita Root"), Code.VALIDATION_FAILED),
        (("root@example.org", "long enough for staff", " "), Code.VALIDATION_FAILED),
        (("mona@example.org", "long enough for staff", "Rita Root"), Code.EMAIL_TAKEN),
    ],
)
async def test_a_bad_administrator_is_refused(people: People, account: tuple[str, str, str], code: Code) -> None:
    await people.join()
    with pytest.raises(Refused) as refused:
        await people.accounts.create_admin(*account)
    assert refused.value.code is code


async def test_the_demo_school_has_its_people_with_one_hash(people: People) -> None:
    made = await people.demo.ensure()
    assert set(made) == {ADMIN_EMAIL, TEACHER_EMAIL, *STUDENT_EMAILS}
    assert len(made) == 32
    hashes = {row["password_hash"] async for row in User.rows().find({}, {"password_hash": 1})}
    assert len(hashes) == 1
    for email, role in [
        (ADMIN_EMAIL, Role.ADMIN),
        (TEACHER_EMAIL, Role.INSTRUCTOR),
        (STUDENT_EMAILS[-1], Role.STUDENT),
    ]:
        assert (await people.sign_in(email, DEMO_PASSWORD)).user.role == role


async def test_the_demo_school_is_made_once(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    await people.demo.ensure()
    student = await me(people, await people.sign_in(STUDENT_EMAILS[0], DEMO_PASSWORD))
    await change(people, student, full_name="Somebody Else")
    monkeypatch.setattr(bcrypt, "hashpw", lambda *_: pytest.fail("hashed again"))
    assert await people.demo.ensure() == {}
    assert (await people.accounts.me(student)).full_name == "Somebody Else"


async def test_open_to_others_the_demo_passwords_are_random(people: People) -> None:
    made = await people.demo.ensure(are_passwords_random=True)
    assert DEMO_PASSWORD not in made.values()
    assert len(set(made.values())) == 3  # the admin's, the teacher's, the class's
    await people.sign_in(TEACHER_EMAIL, made[TEACHER_EMAIL])
