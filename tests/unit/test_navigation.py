"""The links of the shell: where each leads, for whom, and which is the page's own."""

from __future__ import annotations

import pytest

from documents.enums import Role
from handlers.web.navigation import links_of
from lms_rt.contracts.actor import Actor
from lms_rt.security.permissions import permissions_of

OF_STUDENTS = ("/home", "/", "/assignments", "/certificates")


def person(role: Role, *more: str, is_leaving: bool = False) -> Actor:
    return Actor("usr_1", role, permissions_of(role, more), is_leaving=is_leaving)


def paths_of(actor: Actor) -> list[str]:
    return [link.path for link in links_of(actor, "/me")]


def test_the_audit_log_is_a_link_for_whoever_may_read_it() -> None:
    assert "/admin/audit" in paths_of(person(Role.ADMIN))
    assert paths_of(person(Role.STUDENT, "audit:view")) == [*OF_STUDENTS, "/admin/audit"]
    assert paths_of(person(Role.STUDENT, "audit:view", "users:manage")) == [
        "/admin/users",
        *OF_STUDENTS,
        "/admin/audit",
    ]
    for role in (Role.STUDENT, Role.INSTRUCTOR):
        assert not [path for path in paths_of(person(role)) if path.startswith("/admin")]


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/admin", "/admin"),
        ("/admin/users/usr_1", "/admin"),
        ("/admin/dead-letters", "/admin"),
        ("/admin/audit", "/admin/audit"),
        ("/admin/audit/", "/admin/audit"),
        ("/teach/quizzes", "/teach"),
        ("/", "/"),
    ],
)
def test_one_link_is_that_of_the_page(path: str, current: str) -> None:
    assert [link.path for link in links_of(person(Role.ADMIN), path) if link.is_current] == [current]


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/teach/grading", "/teach/grading"),
        ("/teach/grading/quz_1", "/teach/grading"),
        ("/teach/courses/crs_1", "/teach"),
    ],
)
def test_marking_has_a_link_of_its_own_for_instructors(path: str, current: str) -> None:
    assert [link.path for link in links_of(person(Role.INSTRUCTOR), path) if link.is_current] == [current]


def test_a_closed_account_is_led_nowhere_and_a_stranger_too() -> None:
    assert links_of(person(Role.ADMIN, is_leaving=True), "/me/keep") == []
