"""`docs/permissions.md`: who has which permission, whose things are reached, and what everybody is told, from the tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tornado.web import RequestHandler

from documents.enums import Role
from handlers.live.asyncapi import ADDRESSES
from handlers.live.table import COMMANDS
from handlers.rest.access import SIGNED_IN, Access
from handlers.rest.operations import Operation
from handlers.routes import ROUTES
from handlers.web.base import MissingPage, PageHandler
from handlers.web.pages import PAGES
from lms_rt.security.permissions import ROLE_PERMISSIONS, Permission
from lms_rt.security.rights import RULES, Person, Reach, Verdict, verdict
from lms_rt.services.subscriptions import CHANNEL_RIGHTS
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

The same on a socket (`tests/live/test_rights.py`); who is not signed in has none. Channels have their own reach, whatever
the command.

"""
_CHANNELS = """## Channels

Who may listen. What is not open to one is not there, whatever the reason; by which permission those listen who teach the
course. Who listens as well is told by name to those alone who see to enrolments or attempts there, or to accounts; everybody
else is told a number.

"""
_PAGES = """## Pages

Every page and every form of one (POST) by itself, as each of the nine opens it; lists leave out what is not theirs
(`tests/rest/test_page_rights.py`). A stranger is sent to sign in (401), and who does not learn in a course to its page (enrol).

"""
_NOTHING_TOLD = """## What is hidden leaves no trace

Whoever may not know of a thing gets the answer of one that is not there: the same status, headers and text, whatever the
method, the conditions and the idempotency key, and after as many commands to the database, so that time tells nothing either
(`tests/rest/test_leaks.py`). Filters by it find nothing, `total` does not count it, no search finds its words, and events and
presence name nobody to who may not see them. One thing cannot be hidden: that a slug is taken (`slug_taken`), since no two
courses have one.

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
        f"{_CHANNELS}{table(('channel', 'by', 'reach', *_PEOPLE), _channels())}\n\n"
        f"{_PAGES}{table(('page', 'for', 'reach', *_PEOPLE), _pages())}\n\n"
        f"{_NOTHING_TOLD}"
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
            *(
                _TOLD[verdict(person, door=SIGNED_IN, reach=reach, is_own_alone=command.is_own_alone)]
                for person in Person
            ),
        )


def _channels() -> Iterator[tuple[str, ...]]:
    for kind, right in CHANNEL_RIGHTS.items():
        said = (verdict(person, door=SIGNED_IN, reach=right.reach) for person in Person)
        told = (_TOLD[Verdict.HIDDEN if one == Verdict.NOT_ENROLLED else one] for one in said)
        by = " or ".join(code(permission.value) for permission in right.by)
        yield code(ADDRESSES[kind]), by, right.reach.value, *told


def _pages() -> Iterator[tuple[str, ...]]:
    """Pages that everybody may open are not told of."""
    for pattern, page in PAGES:
        if not issubclass(page, PageHandler) or page is MissingPage:
            continue
        path = re.sub(r"\(\[.*?\)", "…", pattern).removesuffix("/?") or "/"
        if not page.access.is_public or page.reach is not None:
            yield _page_row(code(path), page.access, page.reach, is_own_alone=page.is_own_alone)
        is_other = page.form_access or page.form_reach or page.is_form_own_alone
        if is_other and page.post is not RequestHandler.post:
            door, reach = page.form_access or page.access, page.form_reach or page.reach
            is_own_alone = page.is_own_alone or page.is_form_own_alone
            yield _page_row(f"{code(path)} (POST)", door, reach, is_own_alone=is_own_alone)


def _page_row(name: str, door: Access, reach: Reach | None, *, is_own_alone: bool) -> tuple[str, ...]:
    reach = reach or Reach.ALL
    is_list = reach in {Reach.PUBLISHED, Reach.OWN_COURSES}
    told = (
        _TOLD[verdict(person, door=door, reach=reach, is_own_alone=is_own_alone, is_list=is_list)] for person in Person
    )
    return name, who(door), reach.value, *told


def _own_alone() -> Iterator[str]:
    return (_name(operation) for operation in ROUTES if operation.is_own_alone)


def _name(operation: Operation) -> str:
    return code(f"{'/'.join(operation.methods)} {operation.path}")
