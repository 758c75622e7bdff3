"""The table of rights: who passes which door, whose things they reach behind it, and what everybody else is told.

Every operation, live command, channel and page declares its door (`Access`) and its `Reach`. The services decide with
`security/access`, after loading what is asked for; this table says what they promise, `docs/permissions.md` shows it, and
the walks of the tests hold every real answer against it. Nothing here is asked while serving.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from documents.enums import Role
from lms_rt.security.permissions import permissions_of


class Person(StrEnum):
    """Everybody there is, as they stand to one course, and to what one of its students has made there."""

    STRANGER = "stranger"
    OWNER = "owner"
    OTHER = "other student"
    ENROLLED = "fellow student"
    DROPPED = "dropped student"
    TEACHER = "its instructor"
    OTHER_TEACHER = "other instructor"
    ADMIN = "admin"
    IMPERSONATOR = "impersonator"


class Verdict(StrEnum):
    """What somebody gets who asks for something."""

    ALLOWED = "allowed"
    SIGN_IN = "sign_in"
    FORBIDDEN = "forbidden"
    OTHER_HAND = "other_hand"
    NOT_ENROLLED = "not_enrolled"
    HIDDEN = "hidden"
    LEFT_OUT = "left_out"


class Reach(StrEnum):
    """Whose things may be reached by who has passed the door."""

    ALL = "all"
    SELF = "self"
    OWN = "own"
    SAT = "sat"
    LEARNING = "learning"
    SHARED = "shared"
    VISIBLE = "visible"
    INSIDE = "inside"
    LEARNER = "learner"
    TAUGHT = "taught"
    PUPILS = "pupils"
    GOVERNED = "governed"
    PUBLISHED = "published"
    OWN_COURSES = "own_courses"


class Door(Protocol):
    """What is read of an access rule. Its own check is not asked: the table shall not follow it where it errs."""

    @property
    def is_public(self) -> bool:
        """May everybody pass?"""

    @property
    def permissions(self) -> frozenset[str]:
        """All of these are needed."""

    @property
    def any_of(self) -> frozenset[str]:
        """One of these is needed, if there are any."""


ROLE_OF: Mapping[Person, Role | None] = MappingProxyType(
    {
        Person.STRANGER: None,
        Person.OWNER: Role.STUDENT,
        Person.OTHER: Role.STUDENT,
        Person.ENROLLED: Role.STUDENT,
        Person.DROPPED: Role.STUDENT,
        Person.TEACHER: Role.INSTRUCTOR,
        Person.OTHER_TEACHER: Role.INSTRUCTOR,
        Person.ADMIN: Role.ADMIN,
        Person.IMPERSONATOR: Role.STUDENT,
    }
)
"""Who acts as the owner passes doors as they do."""

_NOT_THEIRS = frozenset({Verdict.HIDDEN, Verdict.NOT_ENROLLED})
_EVERYBODY = frozenset(Person)
_THE_STUDENT = frozenset({Person.OWNER, Person.IMPERSONATOR})
_ITS_TEACHERS = frozenset({Person.TEACHER, Person.ADMIN})
_ITS_STUDENTS = _THE_STUDENT | {Person.ENROLLED}


@dataclass(frozen=True, slots=True)
class _Rule:
    """Who reaches a thing, what the others are told, and who still reaches it once its course is taken back from view."""

    words: str
    shown_to: AbstractSet[Person]
    otherwise: Verdict = Verdict.HIDDEN
    hidden_to: AbstractSet[Person] | None = None
    knows_of_hidden: AbstractSet[Person] = frozenset()
    is_by_own_hand: bool = False


RULES: Mapping[Reach, _Rule] = MappingProxyType(
    {
        Reach.ALL: _Rule("nothing of anybody's, or of all: whoever passes the door", _EVERYBODY),
        Reach.SELF: _Rule("one's own account and what hangs on it; nobody else's can be named", _EVERYBODY),
        Reach.OWN: _Rule("what is one person's: theirs alone, administrators' neither", _THE_STUDENT),
        Reach.SAT: _Rule(
            "an attempt to write into: the student's own hand alone", frozenset({Person.OWNER}), is_by_own_hand=True
        ),
        Reach.LEARNING: _Rule("a student's learning: theirs and administrators'", _THE_STUDENT | {Person.ADMIN}),
        Reach.SHARED: _Rule("a student's work: theirs, and those who teach the course", _THE_STUDENT | _ITS_TEACHERS),
        Reach.VISIBLE: _Rule(
            "what is published: everybody; else those who teach it", _EVERYBODY, hidden_to=_ITS_TEACHERS
        ),
        Reach.INSIDE: _Rule(
            "what is inside a published course: those who learn or teach there",
            _ITS_STUDENTS | _ITS_TEACHERS,
            otherwise=Verdict.NOT_ENROLLED,
            hidden_to=_ITS_TEACHERS,
        ),
        Reach.LEARNER: _Rule(
            "one's own learning in a published course: those who learn there",
            _ITS_STUDENTS,
            otherwise=Verdict.NOT_ENROLLED,
            hidden_to=frozenset(),
            knows_of_hidden=_ITS_TEACHERS,
        ),
        Reach.PUBLISHED: _Rule("what is published, for everybody alike", _EVERYBODY, hidden_to=frozenset()),
        Reach.OWN_COURSES: _Rule("the courses one teaches oneself, drafts too", frozenset({Person.TEACHER})),
        Reach.TAUGHT: _Rule("a course and what is in it: those who teach it", _ITS_TEACHERS),
        Reach.PUPILS: _Rule("the students of one's own courses; everybody, for who sees to accounts", _ITS_TEACHERS),
        Reach.GOVERNED: _Rule("accounts of those who may do no more than oneself", _EVERYBODY),
    }
)
"""What each reach means. Administrators teach every course."""


def verdict(
    person: Person,
    *,
    door: Door,
    reach: Reach,
    is_own_alone: bool = False,
    is_shown: bool = True,
    is_list: bool = False,
) -> Verdict:
    """What the person gets who asks. `is_shown`: is the course published? `is_list`: what is not theirs is left out."""
    at_door = _at_door(door, person, is_own_alone=is_own_alone)
    if at_door != Verdict.ALLOWED:
        return at_door
    found = _behind(RULES[reach], person, is_shown=is_shown)
    return Verdict.LEFT_OUT if is_list and found in _NOT_THEIRS else found


def _at_door(door: Door, person: Person, *, is_own_alone: bool) -> Verdict:
    if door.is_public:
        return Verdict.ALLOWED
    role = ROLE_OF[person]
    if role is None:
        return Verdict.SIGN_IN
    held = permissions_of(role)
    if not door.permissions <= held or (door.any_of and door.any_of.isdisjoint(held)):
        return Verdict.FORBIDDEN
    return Verdict.OTHER_HAND if is_own_alone and person == Person.IMPERSONATOR else Verdict.ALLOWED


def _behind(rule: _Rule, person: Person, *, is_shown: bool) -> Verdict:
    if rule.is_by_own_hand and person == Person.IMPERSONATOR:
        return Verdict.OTHER_HAND
    if is_shown or rule.hidden_to is None:
        return Verdict.ALLOWED if person in rule.shown_to else rule.otherwise
    if person in rule.hidden_to:
        return Verdict.ALLOWED
    return rule.otherwise if person in rule.knows_of_hidden else Verdict.HIDDEN
