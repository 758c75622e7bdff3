"""`docs/permissions.md`: who has which permission, whose things are reached, and what everybody is told, from the tables."""

from __future__ import annotations

from collections.abc import Iterator

from documents.enums import Role
from handlers.live.table import COMMANDS
from handlers.rest.access import SIGNED_IN, Access
from handlers.rest.operations import Operation
from handlers.routes import ROUTES
from lms_rt.security.permissions import ROLE_PERMISSIONS, Permission
from lms_rt.security.rights import RULES, Person, Reach, Verdict, verdict
from tests.generated_docs.rest import who
from tests.generated_docs.shapes import MADE, code, table

_TOLD = {
    Verdict.ALLOWED: "yes",
    Verdict.SIGN_IN: "401",
    Verdict.FORBIDDEN: "403",
    Verdict.OTHER_HAND: "403",
    Verdict.NOT_ENROLLED: "enrol",
    Verdict.HIDDEN: "404",
    Verdict.LEFT_OUT: "none",
}
_PEOPLE = tuple(person.value for person in Person)
_HEAD = f"""# Permissions

<!-- {MADE} -->

What each role may do at all (`lms_rt/security/permissions.py`). An instructor's hold for what is their own, an
administrator's for everything. `permissions` of a user add to those of the role: who holds `course:update` beside being a
student may change the courses that are theirs, as an instructor may. What no operation asks for yet is reserved: its
operations come later.

"""
_REACHES = """## Whose things

Behind the door it is decided whose things are asked for. Each operation and each live command declares its reach
(`lms_rt/security/rights.py`), and the services hold to it (`lms_rt/security/access/`). Nine persons stand for everybody:
the owner is the student whose enrolment or attempt is asked for, a fellow student is in the same course, and the
impersonator is an administrator who acts as the owner. Where a cell has two words, the second is for a course that was
taken back from view, or for what is still a draft in it.

- **yes**: it is answered; **401**: sign in first; **403**: `forbidden`; **enrol**: 403 `not_enrolled`;
- **404**: `not_found`, byte for byte what is said of a thing that is not there;
- **none**: the list is answered, and what is not theirs is neither in it nor in its `total`.

"""
_WALKED = """## What everybody is told

Every operation as each of the nine asks it, of a published course; tests send all of these requests, by every spelling, on
both databases, and compare (`tests/rest/test_rights.py`). `PUT` and `PATCH` are alike.

"""
_LIVE = """## Live commands

The same on a socket; who is not signed in has none. Channels have their own reach, whatever the command.

"""


def permissions() -> str:
    """The page."""
    heads = ("permission", *(role.value for role in Role), "asked for by")
    reaches = ("reach", "whose", *_PEOPLE)
    operations, commands = ("operation", "for", "reach", *_PEOPLE), ("command", "reach", *_PEOPLE)
    return (
        f"{_HEAD}{table(heads, _held())}\n\n"
        f"{_REACHES}{table(reaches, _reaches())}\n\n"
        f"{_WALKED}{table(operations, _operations())}\n\n"
        f"{_LIVE}{table(commands, _commands())}\n\n"
        "## One's own alone\n\n"
        "Refused (403) to who acts in somebody else's place, whatever they or the person may do "
        "([accounts](accounts.md)):\n\n"
        f"{', '.join(_own_alone())}.\n"
    )


def _held() -> Iterator[tuple[str, ...]]:
    for permission in Permission:
        held = ("yes" if permission.value in ROLE_PERMISSIONS[role] else "" for role in Role)
        yield code(permission.value), *held, ", ".join(_asking(permission.value))


def _asking(permission: str) -> Iterator[str]:
    for operation in ROUTES:
        if permission in operation.access.permissions | operation.access.any_of:
            yield code(f"{operation.methods[0]} {operation.path}")


def _reaches() -> Iterator[tuple[str, ...]]:
    for reach in Reach:
        yield code(reach.value), RULES[reach].words, *(_shown_and_hidden(person, reach) for person in Person)


def _shown_and_hidden(person: Person, reach: Reach) -> str:
    everybody = Access("everybody", is_public=True)
    shown, hidden = (
        _TOLD[verdict(person, door=everybody, reach=reach, is_shown=is_shown)] for is_shown in (True, False)
    )
    return shown if shown == hidden else f"{shown}, {hidden}"


def _operations() -> Iterator[tuple[str, ...]]:
    for operation in ROUTES:
        yield (
            _name(operation),
            who(operation.access),
            operation.reaches.value,
            *(
                _TOLD[
                    verdict(
                        person,
                        door=operation.access,
                        reach=operation.reaches,
                        is_own_alone=operation.is_own_alone,
                        is_list=operation.is_list and "{" not in operation.path,
                    )
                ]
                for person in Person
            ),
        )


def _commands() -> Iterator[tuple[str, ...]]:
    for command in COMMANDS.values():
        reach = command.reach or Reach.ALL
        yield (
            code(command.type),
            reach.value,
            *(_TOLD[verdict(person, door=SIGNED_IN, reach=reach)] for person in Person),
        )


def _own_alone() -> Iterator[str]:
    return (_name(operation) for operation in ROUTES if operation.is_own_alone)


def _name(operation: Operation) -> str:
    return code(f"{'/'.join(operation.methods)} {operation.path}")
