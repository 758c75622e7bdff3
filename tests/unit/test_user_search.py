"""How people are found, and the words of the permissions that can be given to them."""

from __future__ import annotations

from typing import get_args

import pytest

from lms_rt.contracts.users import AccountQuery, PeopleQuery, PermissionWord
from lms_rt.security.permissions import Permission
from lms_rt.services.user_search import accounts_filter, found_by, learners_filter, sorting


def is_found(q: str, full_name: str, email: str, *, by_teacher: bool = False) -> bool:
    """Do the words of a query all begin something that the account is found by?"""
    query = PeopleQuery(q=q)
    parts = (learners_filter(query) if by_teacher else accounts_filter(query))["$and"]
    tokens = set(found_by(full_name, email)["search_tokens"])
    asked = [part["search_tokens"]["$in"] for part in parts if "search_tokens" in part]
    return bool(asked) and all(tokens & set(words) for words in asked)


@pytest.mark.parametrize("q", ["mona", "MON", "farouk mona", "mona.f@", "example", "mona.farouk@example.org", "fárouk"])
def test_administrators_find_by_beginnings_of_name_and_address(q: str) -> None:
    assert is_found(q, "Mona Farouk", "mona.farouk@example.org")


@pytest.mark.parametrize("q", ["ona", "mona ali", "other.org", "@", "...", "{$ne}"])
def test_what_begins_nothing_finds_nobody(q: str) -> None:
    assert not is_found(q, "Mona Farouk", "mona.farouk@example.org")


def test_teachers_do_not_find_by_address() -> None:
    assert is_found("mona", "Mona Farouk", "secret@hidden.example", by_teacher=True)
    for q in ("secret", "hidden", "secret@hidden.example", "mona secret", "@secret"):
        assert not is_found(q, "Mona Farouk", "secret@hidden.example", by_teacher=True)


@pytest.mark.parametrize("q", ["ليلى", "ليلي", "حسن"])
def test_arabic_names_are_found_as_they_are_typed(q: str) -> None:
    assert is_found(q, "ليلى حسن", "laila@example.org")


def test_a_name_without_a_letter_has_a_key_of_its_own() -> None:
    assert found_by("\u200b", "a@example.org")["name_key"] == "-"


def test_filters_are_all_asked_for() -> None:
    query = AccountQuery(role="student", is_active=False, is_verified=True, has_password=False, permission="audit:view")
    parts = accounts_filter(query)["$and"]
    for wanted in (
        {"role": "student"},
        {"is_active": False},
        {"email_verified_at": {"$exists": True}},
        {"password_hash": ""},
        {"permissions": "audit:view"},
    ):
        assert wanted in parts


def test_names_are_sorted_as_they_are_folded() -> None:
    assert sorting("-full_name") == [("name_key", -1)]
    assert sorting("created_at") == [("created_at", 1)]


def test_the_words_of_the_border_are_those_of_the_table() -> None:
    assert set(get_args(PermissionWord)) == {permission.value for permission in Permission}
