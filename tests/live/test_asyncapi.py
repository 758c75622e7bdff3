"""The AsyncAPI document: made of the standard's objects, complete, and of one piece."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import ValidationError

from config.settings import Settings
from handlers.live.asyncapi import ADDRESSES, build_document
from handlers.live.table import COMMANDS
from lms_rt.contracts.channels import ChannelKind
from lms_rt.contracts.events import AGGREGATE_FIELDS, EVENTS
from lms_rt.contracts.frames import Notice
from tests.house import House
from tests.live.asyncapi_objects import AsyncApi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_document(Settings(_env_file=None))


def references(node: Any) -> Iterator[str]:
    """Every `$ref` below a node."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        yield node["$ref"]
    for child in children:
        yield from references(child)


def found(document: Any, reference: str) -> Any:
    for name in reference.removeprefix("#/").split("/"):
        document = document[name]
    return document


def test_the_document_is_made_of_the_standards_objects(document: dict[str, Any]) -> None:
    AsyncApi.model_validate(document)


def test_only_what_is_of_record_carries_a_version_and_a_place() -> None:
    """A client knows events of record by `version` and `n`; a state's `version` is that of its picture."""
    taken = {kind.name: {"n", "version"} & set(kind.model.model_fields) for kind in EVENTS if not kind.is_state}
    assert {name for name, fields in taken.items() if fields} == {kind.name for kind in EVENTS if kind.is_of_record}
    assert all("n" not in kind.model.model_fields for kind in EVENTS if kind.is_state)


def test_a_control_says_that_its_version_is_not_the_attempts(document: dict[str, Any]) -> None:
    controls = [kind.model for kind in EVENTS if "control_id" in kind.model.model_fields and kind.is_of_record]
    assert len(controls) == 6
    for model in controls:
        assert "never of the attempt's" in model.model_json_schema()["properties"]["version"]["description"]
    assert json.dumps(document).count("never of the attempt's") == len(controls)


@pytest.mark.parametrize(
    ("where", "member", "value"),
    [
        (("operations", "ping"), "action", "answer"),
        (("operations", "ping"), "channel", "/ws"),
        (("channels", "live"), "adress", "/ws"),
        (("components", "securitySchemes", "ticket"), "in", "body"),
    ],
)
def test_what_the_standard_does_not_know_is_refused(
    document: dict[str, Any], where: tuple[str, ...], member: str, value: str
) -> None:
    wrong = copy.deepcopy(document)
    reduce(dict.__getitem__, where, wrong)[member] = value
    with pytest.raises(ValidationError):
        AsyncApi.model_validate(wrong)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert all(found(document, reference) for reference in references(document))


def test_every_payload_is_a_schema(document: dict[str, Any]) -> None:
    for message in document["components"]["messages"].values():
        jsonschema_rs.Draft7Validator({**message["payload"], "components": document["components"]})
    assert "prefixItems" not in json.dumps(document)


def test_nothing_is_left_out(document: dict[str, Any]) -> None:
    messages = set(document["components"]["messages"])
    assert {
        *COMMANDS,
        *(f"{name}.reply" for name in COMMANDS),
        "auth",
        "error",
        *(one.value for one in Notice),
    } <= messages
    assert {f"{'state' if kind.is_state else 'event'}.{kind.name}" for kind in EVENTS} <= messages
    assert set(ADDRESSES) == set(ChannelKind)
    for kind in EVENTS:
        for channel in kind.channels:
            assert kind.name in document["channels"][channel.value]["messages"]


def test_every_event_of_record_names_its_aggregate() -> None:
    assert [kind.name for kind in EVENTS if kind.is_of_record and kind.aggregate_field not in AGGREGATE_FIELDS] == []
    assert {kind.aggregate_field for kind in EVENTS if not kind.is_of_record} == {None}


def test_what_the_server_says_may_grow(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert [name for name, schema in schemas.items() if schema.get("additionalProperties") is False] == []


async def test_it_is_served(house: House) -> None:
    visitor = await house.visitor()
    assert (await visitor.ok("GET", "/asyncapi.json"))["asyncapi"] == "3.0.0"


def test_the_browser_knows_the_aggregates_in_the_same_order() -> None:
    """An aggregate that it does not know is taken for another, whose newer version lets the event be dropped."""
    script = (Path(__file__).parents[2] / "handlers/web/static/live-ear.js").read_text()
    row = re.search(r"const AGGREGATE_FIELDS = \[(.*?)\];", script, re.DOTALL)
    assert row is not None
    assert tuple(re.findall(r'"(\w+)"', row[1])) == AGGREGATE_FIELDS
