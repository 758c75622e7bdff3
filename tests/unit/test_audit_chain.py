"""The chain of the audit log, without a store: what a change, a gap, a forgery and another key look like."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from documents.enums import Role
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.audit import ACTIONS, MAX_TEXT_BYTES, facts_of
from lms_rt.security.audit_chain import AuditChain, Link, Walk, record_hash
from lms_rt.security.keyring import Keyring

AT = datetime(2026, 3, 23, 9, tzinfo=UTC)
CHAIN = AuditChain(Keyring("the key of this school"))
OTHER = AuditChain(Keyring("the key of somebody else"))
ADMIN = Actor("usr_ada", Role.ADMIN)
LMS_RT = Path(__file__).parents[2] / "lms_rt"


def facts(number: int) -> dict[str, Any]:
    return {
        "event_id": f"aud_{number}",
        "at": AT,
        "actor_id": "usr_ada",
        "impersonator_id": "",
        "action": "course.change",
        "kind": "course",
        "target_id": f"crs_{number}",
        "before": [["title", "1" * 32]],
        "after": [["title", "2" * 32]],
        "reason_hash": "",
        "request_id": "req_1",
    }


def chained(count: int, chain: AuditChain = CHAIN) -> list[dict[str, Any]]:
    return chain.chained([facts(number) for number in range(1, count + 1)], after=Link())


def found(records: list[dict[str, Any]], begin: Link | None = None) -> list[tuple[str, int, int]]:
    walk = Walk(CHAIN, begin or Link())
    walk.follow(records)
    return [(one.kind, one.first_seq, one.last_seq) for one in walk.findings]


def test_records_that_follow_each_other_hold() -> None:
    assert found(chained(5)) == []


@pytest.mark.parametrize("name", [*facts(1), "key_id"])
def test_whatever_is_changed_shows(name: str) -> None:
    records = chained(3)
    value = records[1][name]
    records[1][name] = datetime(2026, 3, 24, tzinfo=UTC) if name == "at" else [] if isinstance(value, list) else "else"
    assert found(records)[0] == ("changed", 2, 2)


def test_a_record_that_was_made_to_fit_is_not_ours() -> None:
    """Whoever can write to the database can compute a hash, but not sign it; and the next one does not follow it."""
    records = chained(3)
    records[1]["actor_id"] = "usr_somebody_else"
    records[1]["hash"] = record_hash(records[1])
    assert found(records) == [("forged", 2, 2), ("unlinked", 3, 3)]


def test_a_record_that_was_taken_out_shows() -> None:
    records = chained(6)
    assert found(records[:2] + records[4:]) == [("missing", 3, 4)]
    assert found(records[2:]) == [("front_missing", 1, 2)]


def test_a_record_that_was_put_in_shows() -> None:
    records = chained(2)
    added = OTHER.chained([facts(3)], after=Link(2, records[1]["hash"]))
    added[0]["key_id"] = CHAIN.key_id
    added[0]["hash"] = record_hash(added[0])
    assert found(records + added) == [("forged", 3, 3)]


def test_two_that_changed_places_show() -> None:
    first, second, third = chained(3)
    swapped = [first, {**third, "_id": 2}, {**second, "_id": 3}]
    assert {kind for kind, _, _ in found(swapped)} == {"unlinked", "changed"}


def test_a_mark_is_of_one_name_and_one_place() -> None:
    mark = CHAIN.mark("head", Link(3, "f" * 64), AT)
    assert CHAIN.is_mark("head", mark)
    assert not CHAIN.is_mark("cut", mark)
    assert not CHAIN.is_mark("head", {**mark, "seq": 2})
    assert not CHAIN.is_mark("head", {**mark, "hash": "e" * 64})
    assert not OTHER.is_mark("head", mark)
    assert not CHAIN.is_mark("head", OTHER.mark("head", Link(3, "f" * 64), AT))


def test_what_a_former_key_signed_holds_while_that_key_is_known() -> None:
    records, mark = chained(2), CHAIN.mark("head", Link(2, "f" * 64), AT)
    later = AuditChain(Keyring("a newer key", ("the key of this school",)))
    assert later.is_mark("head", mark)
    assert later.is_record(records[0]) is True
    much_later = AuditChain(Keyring("a newer key"))
    assert not much_later.is_mark("head", mark)
    assert much_later.is_record(records[0]) is None  # the chain alone speaks for it


def test_equal_values_have_equal_hashes_for_one_person_and_field_alone() -> None:
    one = CHAIN.value_hash("salt", "role", '"admin"')
    assert one == CHAIN.value_hash("salt", "role", '"admin"')
    others = {
        CHAIN.value_hash("pepper", "role", '"admin"'),
        CHAIN.value_hash("salt", "locale", '"admin"'),
        CHAIN.value_hash("salt", "role", '"student"'),
        OTHER.value_hash("salt", "role", '"admin"'),
    }
    assert len(others | {one}) == 5


def test_facts_hold_what_differs_and_whom_it_is_about() -> None:
    before, after = {"role": "student", "name": "Ada"}, {"role": "admin", "name": "Ada", "rights": {"b", "a"}}
    made = facts_of(
        ADMIN, "user.change", {"kind": "user", "target_id": "usr_b", "before": before, "after": after, "reason": "Why"}
    )
    assert made["before"] == [["role", '"student"']]
    assert made["after"] == [["rights", '["a","b"]'], ["role", '"admin"']]
    assert (made["person_id"], made["reason"]) == ("usr_b", "Why")
    assert facts_of(ADMIN, "x.y", {"kind": "enrollment", "target_id": "usr_b:crs_c"})["person_id"] == "usr_b"
    assert facts_of(ADMIN, "x.y", {"kind": "course", "target_id": "crs_c"})["person_id"] == ""


def test_long_values_lie_in_no_outbox() -> None:
    made = facts_of(ADMIN, "x.y", {"kind": "course", "target_id": "crs_c", "after": {"text": "word " * 1_000}})
    assert len(made["after"][0][1]) <= MAX_TEXT_BYTES


def test_every_action_stands_in_the_catalogue() -> None:
    """What services call their deeds is what the pages have words for, and the filters offer."""
    used: set[str] = set()
    for path in [*(LMS_RT / "services").glob("*.py"), *(LMS_RT / "console").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                used |= {text for text in _texts(node) if _is_recording(node)}
    assert used - set(ACTIONS) == set()
    assert tuple(sorted(ACTIONS)) == ACTIONS


def _is_recording(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in {"Deed", "audit", "audited", "_record", "_deed"} or (
        name == "record" and isinstance(call.func, ast.Attribute) and "audit" in ast.unparse(call.func.value)
    )


def _texts(call: ast.Call) -> set[str]:
    values = [*call.args[:3], *(one.value for one in call.keywords if one.arg == "action")]
    found_ = {one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return {text for text in found_ if "." in text}
