"""The table of rights by itself: what it promises whoever asks, whatever is declared."""

from __future__ import annotations

import itertools

import pytest

from handlers.rest.access import PUBLIC, SIGNED_IN, Access, needs, needs_one_of
from handlers.routes import ROUTES
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import permissions_of
from lms_rt.security.rights import ROLE_OF, RULES, Person, Reach, Verdict, verdict

DOORS = (SIGNED_IN, needs("course:update"), needs_one_of("users:manage", "enrollments:manage"), needs("impersonate"))
STUDENTS = frozenset({Person.OWNER, Person.OTHER, Person.ENROLLED, Person.DROPPED, Person.IMPERSONATOR})


def test_every_reach_has_its_rule() -> None:
    assert set(RULES) == set(Reach)


@pytest.mark.parametrize("reach", [each for each in Reach if each not in {Reach.ALL, Reach.SELF, Reach.GOVERNED}])
def test_what_was_taken_back_is_not_there_for_who_neither_teaches_nor_made_it(reach: Reach) -> None:
    outsiders = {Person.OTHER, Person.ENROLLED, Person.DROPPED, Person.OTHER_TEACHER}
    told = {verdict(person, door=SIGNED_IN, reach=reach, is_shown=False) for person in outsiders}
    assert told == {Verdict.HIDDEN}


@pytest.mark.parametrize("reach", Reach)
def test_who_acts_for_another_never_reaches_more_than_they_do(reach: Reach) -> None:
    for is_shown in (True, False):
        owner = verdict(Person.OWNER, door=SIGNED_IN, reach=reach, is_shown=is_shown)
        acting = verdict(Person.IMPERSONATOR, door=SIGNED_IN, reach=reach, is_shown=is_shown)
        assert acting in {owner, Verdict.OTHER_HAND}
    alone = verdict(Person.IMPERSONATOR, door=SIGNED_IN, reach=reach, is_own_alone=True)
    assert alone == Verdict.OTHER_HAND


@pytest.mark.parametrize(("door", "person"), [*itertools.product(DOORS, Person)])
def test_the_table_knows_the_door_as_the_door_does(door: Access, person: Person) -> None:
    said = verdict(person, door=door, reach=Reach.ALL)
    assert said == {None: Verdict.ALLOWED, Code.UNAUTHENTICATED: Verdict.SIGN_IN}.get(
        _refusal(door, person), Verdict.FORBIDDEN
    )


def _refusal(door: Access, person: Person) -> Code | None:
    role_of = ROLE_OF[person]
    held = frozenset[str]() if role_of is None else permissions_of(role_of)
    try:
        door.check(Actor("" if role_of is None else "usr_1", role_of, held))
    except Refused as refused:
        return refused.code
    return None


def test_a_stranger_passes_public_doors_alone() -> None:
    for row in ROUTES:
        said = verdict(Person.STRANGER, door=row.access, reach=row.reaches, is_own_alone=row.is_own_alone)
        assert (said == Verdict.SIGN_IN) == (not row.access.is_public), row.path
    assert verdict(Person.STRANGER, door=PUBLIC, reach=Reach.VISIBLE, is_shown=False) == Verdict.HIDDEN


def test_no_student_changes_a_course() -> None:
    rows = [row for row in ROUTES if row.reach == Reach.TAUGHT]
    assert len(rows) > 20
    for row, person, is_shown in itertools.product(rows, STUDENTS, (True, False)):
        assert verdict(person, door=row.access, reach=row.reaches, is_shown=is_shown) != Verdict.ALLOWED


def test_what_is_left_out_of_a_list_is_what_is_refused_by_itself() -> None:
    for reach, person in itertools.product(Reach, Person):
        alone = verdict(person, door=SIGNED_IN, reach=reach)
        listed = verdict(person, door=SIGNED_IN, reach=reach, is_list=True)
        assert listed == (Verdict.LEFT_OUT if alone in {Verdict.HIDDEN, Verdict.NOT_ENROLLED} else alone)
