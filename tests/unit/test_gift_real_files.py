"""Real GIFT files of other people, named by LMS_SAMPLES_DIR, and what another parser reads in them (`.json` beside them)."""

from __future__ import annotations

import html
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from lms_rt.interchange.gift import decode, write_gift
from tests.unit.gift_cases import again, assert_same, fields_of, kept, read, shown

SAMPLES = Path(os.environ["LMS_SAMPLES_DIR"]) if os.environ.get("LMS_SAMPLES_DIR") else None


def sample_files() -> list[Path]:
    return sorted(SAMPLES.glob("**/*.gift")) if SAMPLES else []


KINDS = {
    "MC": {"multiple_choice", "multiple_select"},
    "TF": {"true_false"},
    "Short": {"short_answer"},
    "Numerical": {"numeric"},
    "Matching": {"matching"},
    "Essay": {"essay"},
    "Description": {"description"},
}


def plain(text: Any) -> str:
    """A text of the other parser, as it would be seen; white space apart."""
    if text is None:
        return ""
    if text["format"] in ("html", "markdown"):
        return re.sub(r"\s", "", shown(f"<div>{text['text']}</div>" if text["format"] == "html" else text["text"]))
    return re.sub(r"\s", "", html.unescape(re.sub(r"</?[a-z][^>]*>", "", text["text"])))


def seen(markdown: str | None) -> str:
    return re.sub(r"\s", "", shown(markdown or ""))


@pytest.mark.skipif(SAMPLES is None, reason="LMS_SAMPLES_DIR names no folder")
@pytest.mark.parametrize("path", sample_files(), ids=lambda path: path.stem)
def test_real_file(path: Path) -> None:
    rows = read(decode(path.read_bytes()))
    stored = [kept(row.draft) for row in rows if row.draft is not None]
    assert_same(stored, again(write_gift(stored)))
    other = path.with_suffix(".json")
    if not other.exists():
        return
    theirs = [one for one in json.loads(other.read_text(encoding="utf-8")) if one["type"] != "Category"]
    assert [row.status for row in rows] == ["imported"] * len(theirs)
    for row, their in zip(rows, theirs, strict=True):
        assert row.question_type in KINDS[their["type"]]
        assert row.title == their["title"]
        fields = fields_of(row)
        assert seen(fields["question_text"]) == plain(their["stem"])
        assert seen(fields.get("explanation")) == plain(their.get("globalFeedback"))
        assert fields.get("tags") == their["tags"]
        assert fields.get("metadata", {}).get("idnumber") == their["id"]
        compare_answers(fields, their)


def compare_answers(fields: dict[str, Any], their: dict[str, Any]) -> None:
    match their["type"]:
        case "MC":
            for option, choice in zip(fields["options"], their["choices"], strict=True):
                assert seen(option["text"]) == plain(choice["text"])
                assert seen(option.get("feedback")) == plain(choice["feedback"])
                assert choice["weight"] is None or float(option["weight"]) == choice["weight"]
                key = fields["correct_answer"]
                is_key = option["id"] in key.get("option_ids", [key.get("option_id")])
                assert is_key == (choice["isCorrect"] or (choice["weight"] or 0) > 0)
        case "TF":
            key = fields["correct_answer"]
            assert key["value"] == their["isTrue"]
            # who is shown which is told apart by Moodle (wrong first), the other parser names them by place
            told = sorted(filter(None, (seen(key.get(name)) for name in ("feedback_true", "feedback_false"))))
            assert told == sorted(filter(None, (plain(their[name]) for name in ("trueFeedback", "falseFeedback"))))
        case "Short":
            for row, choice in zip(fields["correct_answer"]["accepted"], their["choices"], strict=True):
                assert row["text"] == choice["text"]["text"]
                assert float(row["weight"]) == (100 if choice["weight"] is None else choice["weight"])
                assert seen(row.get("feedback")) == plain(choice["feedback"])
        case "Numerical":
            compare_numbers(fields["correct_answer"], their["choices"])
        case "Matching":
            sides, pairs = fields["options"], fields["correct_answer"]["pairs"]
            right = {item["id"]: item["text"] for item in sides["right"]}
            ours = [(seen(item["text"]), right[pairs[item["id"]]]) for item in sides["left"]]
            asked = [(plain(pair["subquestion"]), pair["subanswer"]) for pair in their["matchPairs"]]
            assert ours == [pair for pair in asked if pair[0]]
            assert set(right.values()) == {answer for _, answer in asked}


def compare_numbers(key: dict[str, Any], choices: Any) -> None:
    rows = [choices] if isinstance(choices, dict) else [choice["text"] for choice in choices]
    for row, number in zip(key.get("accepted", [key]), rows, strict=True):
        value, tolerance = float(row["value"]), float(row.get("tolerance", 0))
        if number["type"] == "high-low":
            assert value - tolerance == pytest.approx(number["numberLow"])
            assert value + tolerance == pytest.approx(number["numberHigh"])
        else:
            assert (value, tolerance) == (number["number"], number.get("range", 0))
