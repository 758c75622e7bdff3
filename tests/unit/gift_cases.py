"""Reading and comparing GIFT in tests: what the test files of GIFT share."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from itertools import count
from typing import Any

from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionDraft, StoredQuestion, draft_of, stored_question
from lms_rt.interchange.gift import ReadQuestion, read_gift
from lms_rt.interchange.gift.annotations import option_ids, positions, with_ids
from lms_rt.services.rendering import render

AT = datetime(2026, 1, 5, tzinfo=UTC)


def read(text: str) -> list[ReadQuestion]:
    number = count()
    return read_gift(text, make_id=lambda: f"new{next(number)}")


def one(text: str) -> ReadQuestion:
    (row,) = read(text)
    return row


def fields_of(row: ReadQuestion) -> dict[str, Any]:
    """What a draft says beyond the defaults, ids by position where they were made."""
    assert row.draft is not None
    fields = row.draft.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    ids = option_ids(fields)
    flat = [one for side in ids.values() for one in side] if isinstance(ids, dict) else ids
    return with_ids(fields, positions(ids)) if all(one.startswith("new") for one in flat) else fields


def shown(markdown: str) -> str:
    """What a reader sees, white space apart."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", render(markdown))).split())


def draft(**fields: Any) -> QuestionDraft:
    return read_model(QuestionDraft, fields)


def kept(made: QuestionDraft) -> StoredQuestion:
    return stored_question(made, question_id="qst_1", at=AT)


def again(written: str) -> list[StoredQuestion]:
    rows = read_gift(written)
    assert all(row.draft is not None and "lms" not in (row.reason or "") for row in rows), written
    return [kept(row.draft) for row in rows if row.draft is not None]


def comparable(stored: StoredQuestion) -> dict[str, Any]:
    """Without ids, where those were made."""
    fields, ids = draft_of(stored), option_ids(stored)
    flat = [one for side in ids.values() for one in side] if isinstance(ids, dict) else ids
    return with_ids(fields, positions(ids)) if any(one.startswith("opt_") for one in flat) else fields


def assert_same(wanted: list[StoredQuestion], found: list[StoredQuestion]) -> None:
    assert [comparable(one) for one in found] == [comparable(one) for one in wanted]
