"""The look at all output of the run finds what it is there for."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_rt.ids import random_token
from tests import secrets_used
from tests.secrets_used import PASSWORDS, note_environment, note_output, note_reply


@pytest.fixture
def found() -> Iterator[list[str]]:
    """What is found in this test is meant to be there."""
    before = len(secrets_used.found)
    yield secrets_used.found
    del secrets_used.found[before:]


def short_of_any_shape() -> str:
    """A secret that no pattern of the product knows."""
    secret = f"needle-{secrets.token_hex(8)}-end"
    secrets_used.note(secret)
    return secret


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_a_secret_in_a_line_is_found_without_being_shown(found: list[str], level: int) -> None:
    secret = short_of_any_shape()
    logging.getLogger("lms_rt.somewhere").log(level, "saw %s", secret)
    assert "logged by lms_rt.somewhere" in found[-1]
    assert "test_a_secret_in_a_line_is_found" in found[-1]
    assert secret not in found[-1]


def test_a_secret_in_a_fault_is_found(found: list[str]) -> None:
    secret, before = short_of_any_shape(), len(found)
    logging.getLogger("lms_rt.somewhere").error("broken", exc_info=ValueError(secret))
    assert len(found) == before + 1


def test_what_the_product_takes_out_is_not_found(found: list[str]) -> None:
    before = len(found)
    logging.getLogger("lms_rt.somewhere").error("saw %s", random_token(), extra={"to": {"password": PASSWORDS[0]}})
    assert len(found) == before


def test_replies_environments_and_output_are_looked_at(found: list[str], tmp_path: Path) -> None:
    given = [f"needle-{secrets.token_hex(8)}" for _ in range(3)]
    note_reply(f'{{"items": [{{"ticket": "{given[0]}"}}], "recovery_codes": ["{given[1]}"]}}'.encode())
    note_environment({"SECRET_KEY": given[2], "PATH": "x" * 20})
    before = len(found)
    note_output([f"x={one}" for one in given] + ["x" * 20, PASSWORDS[0]])
    assert len(found) == before + 4
