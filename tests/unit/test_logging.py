"""Log lines: readable or JSON, with the request's id, never with a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from config.logging import current_request_id, set_up_logging
from config.scrubbing import redacted
from config.settings import Settings

log = logging.getLogger("tests.logging")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


@pytest.mark.parametrize(
    "text",
    [
        "GET /ws?token=s3cret-value&x=1",
        "GET /ws?ticket=s3cret-value",
        "Authorization: Bearer s3cret-value",
        "{'password': 's3cret-value', 'a': 1}",
        '{"refresh_token": "s3cret-value"}',
        "new_password=s3cret-value",
        "Cookie: lms_access=s3cret-value; lms_csrf=s3cret-value",
        "__Host-lms_access=s3cret-value",
        "lms_own=s3cret-value and lms_form=s3cret-value",
        "mongodb://user:s3cret-value@db:27017/lms",
        "redis://:s3cret-value@cache/0",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert "s3cret" not in redacted(text)


def test_signed_tokens_are_taken_out_wherever_they_stand() -> None:
    assert redacted("saw eyJhbGciOi.eyJzdWIiOi.abc-_9 twice") == "saw [token] twice"


@pytest.mark.parametrize("text", ["attempt att_01 submitted", "GET /api/v1/quizzes/{quiz_id} status=200 ms=3.1"])
def test_other_words_stay(text: str) -> None:
    assert redacted(text) == text


def test_json_lines_carry_the_request_and_the_facts(stream: io.StringIO) -> None:
    set_up_logging(settings(log_format="json"), stream)
    token = current_request_id.set("req-1")
    try:
        log.info("done %s", "well", extra={"status": 200, "note": "password=abc"})
    finally:
        current_request_id.reset(token)
    line = json.loads(stream.getvalue())
    assert (line["message"], line["level"], line["request_id"], line["status"]) == ("done well", "info", "req-1", 200)
    assert line["note"] == "password=[secret]"
    assert line["at"].endswith("+00:00")


def test_text_lines_are_for_people(stream: io.StringIO) -> None:
    set_up_logging(settings(log_format="text"), stream)
    try:
        raise ValueError("token=abc")
    except ValueError:
        log.exception("broken", extra={"status": 500})
    text = stream.getvalue()
    assert "ERROR   broken status=500" in text
    assert "ValueError: token=[secret]" in text


def test_the_level_of_the_settings_holds(stream: io.StringIO) -> None:
    set_up_logging(settings(log_level="WARNING"), stream)
    log.info("quiet")
    log.warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_what_tornado_could_not_read_is_not_repeated(stream: io.StringIO) -> None:
    set_up_logging(settings(log_level="INFO"), stream)
    logging.getLogger("tornado.general").info("Malformed HTTP message from %s: %s", "203.0.113.7", "X: secret")
    logging.getLogger("tornado.general").warning("loud")
    assert "Malformed" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_facts_within_facts_and_the_request_are_looked_through(stream: io.StringIO) -> None:
    set_up_logging(settings(log_format="json"), stream)
    token = current_request_id.set("eyJhbGciOi.eyJzdWIiOi.abc")
    try:
        facts = {"sent": {"to": ["ada@example.org"], "password": "open sesame"}, "lms_refresh": "plain", "count": 3}
        log.info("done", extra=facts, stack_info=True)
    finally:
        current_request_id.reset(token)
    line = json.loads(stream.getvalue())
    assert line["request_id"] == "[token]"
    assert line["sent"] == {"to": ["[address]"], "password": "[secret]"}
    assert (line["lms_refresh"], line["count"]) == ("[secret]", 3)
    assert "test_logging.py" in line["stack"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_fault_that_is_only_for_reports_is_not_written(stream: io.StringIO, form: Any) -> None:
    set_up_logging(settings(log_format=form), stream)
    log.error("job %s is a dead letter", "job_1", extra={"fault": ValueError("an answer"), "queue": "mail"})
    assert "an answer" not in stream.getvalue()
    assert "mail" in stream.getvalue()
