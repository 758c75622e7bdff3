"""From the text of a GIFT file to questions: one row for every question of the file, in its order, nothing dropped silently."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionDraft, new_option_id
from lms_rt.errors import Refused, invalid
from lms_rt.interchange.gift.annotations import (
    AnnotationError,
    Annotations,
    option_ids,
    read_annotations,
    set_fields,
    with_ids,
)
from lms_rt.interchange.gift.answers import Answers, Fields, GiftError, read_answers
from lms_rt.interchange.gift.chunks import Chunk, cut
from lms_rt.interchange.gift.escapes import SPACES, release
from lms_rt.interchange.gift.texts import missing_files, split_format, to_markdown

MAX_CHARACTERS = 200_000
"""Of one question in the file."""

MAX_QUESTIONS = 2_000
"""In a file: more than any quiz holds, so that every row of a sensible file is told."""

MAX_LINES = 300_000
"""In a file: 5 MiB of nothing but line ends would take seconds."""

_MAX_TITLE, _MAX_CATEGORY, _MAX_TAG, _MAX_TAGS = 200, 200, 50, 30


@dataclass(frozen=True, slots=True)
class ReadQuestion:
    """What became of one question of the file. `draft` is None when it was skipped; `reason` says what was lost, or why."""

    line: int
    title: str | None
    question_type: str | None
    status: Literal["imported", "degraded", "skipped"]
    reason: str | None = None
    draft: QuestionDraft | None = None


@dataclass(slots=True)
class _Reading:
    """A question while it is read."""

    title: str | None = None
    question_type: str | None = None
    fields: Fields = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def read_gift(text: str, *, make_id: Callable[[], str] = new_option_id) -> list[ReadQuestion]:
    """Every question of the file, in order. Options get ids of `make_id`, where the file does not name them.

    Refused: a file with more than `MAX_QUESTIONS`, or with more than `MAX_LINES`.
    """
    if text.count("\n") > MAX_LINES:
        raise invalid("file", f"The file has more than {MAX_LINES} lines. Divide it.", "too_many")
    chunks = list(islice(cut(text), MAX_QUESTIONS + 1))
    if len(chunks) > MAX_QUESTIONS:
        raise invalid("file", f"The file has more than {MAX_QUESTIONS} questions. Divide it.", "too_many")
    return [_read(chunk, make_id) for chunk in chunks]


def _read(chunk: Chunk, make_id: Callable[[], str]) -> ReadQuestion:
    reading = _Reading()
    try:
        draft = _draft(chunk, reading, make_id)
    except GiftError as error:
        kind = reading.question_type or error.question_type
        return ReadQuestion(chunk.line, reading.title, kind, "skipped", str(error)[:2_000])
    return ReadQuestion(
        line=chunk.line,
        title=draft.title,
        question_type=str(draft.question_type),
        status="degraded" if reading.lost else "imported",
        reason="; ".join(reading.lost)[:2_000] or None,
        draft=draft,
    )


def _draft(chunk: Chunk, reading: _Reading, make_id: Callable[[], str]) -> QuestionDraft:
    text = chunk.text
    if len(text) > MAX_CHARACTERS:
        raise GiftError(f"the question has more than {MAX_CHARACTERS} characters")
    notes = read_annotations(chunk.comments)
    if notes.lms and "question" in notes.lms:
        try:
            return _checked(notes.lms.pop("question"))
        except GiftError as error:
            reading.lost.append(f"the [lms: …] comment ({error})")
    _read_parts(text, reading)
    _note_comments(notes, chunk.category, reading)
    if files := missing_files(repr(reading.fields)):
        reading.lost.append(f"files that a GIFT file does not hold: {', '.join(files)}")
    if notes.lms:
        try:
            return _annotated(reading.fields, notes.lms, make_id)
        except (AnnotationError, GiftError) as error:
            reading.lost.append(f"the [lms: …] comment ({error})")
    return _checked(_with_new_ids(reading.fields, make_id))


def _read_parts(text: str, reading: _Reading) -> None:
    """Title, text and answers."""
    title, text = _split_title(text)
    _keep_title(title, reading)
    before, answers_text, after = _split_answers(text)
    text_format, stem = split_format(before, "moodle")
    if answers_text is None:
        answers = Answers("description", {"points": "0"})
    else:
        answers = read_answers(answers_text, text_format)
    if after.strip(SPACES):
        # Moodle's missing word: the answer stands inside the sentence
        stem = f"{split_format(before, 'moodle')[1]}{_gap(before)}_____{after}"
    reading.question_type = answers.question_type
    reading.lost += answers.lost
    reading.fields |= {
        "question_type": answers.question_type,
        "question_text": to_markdown(stem.strip(SPACES), text_format),
        **answers.fields,
    }
    if not reading.fields["question_text"]:
        raise GiftError("there is no question text")


def _gap(before: str) -> str:
    """The white space between the text and its opening brace."""
    bare = before.rstrip(SPACES)
    return " " if bare and len(bare) < len(before) else ""


def _split_title(text: str) -> tuple[str | None, str]:
    bare = text.lstrip(SPACES)
    end = bare.find("::", 2)
    return (bare[2:end], bare[end + 2 :]) if bare.startswith("::") and end > 0 else (None, text)


def _keep_title(held: str | None, reading: _Reading) -> None:
    title = " ".join(release(held or "").split())
    if len(title) > _MAX_TITLE:
        reading.lost.append(f"the title beyond {_MAX_TITLE} characters")
        title = title[:_MAX_TITLE].rstrip()
    reading.title = title or None
    if title:
        reading.fields["title"] = title


def _split_answers(text: str) -> tuple[str, str | None, str]:
    """What stands before, between and behind the braces."""
    opening, closing = text.find("{"), text.find("}")
    if opening < 0 and closing < 0:
        return text, None, ""
    if opening < 0 or -1 < closing < opening:
        raise GiftError("a } without its { (in a text it is written \\})")
    if closing < 0 or "{" in text[opening + 1 : closing]:
        why = "the { of the answers is never closed" if closing < 0 else "a { inside the answers"
        raise GiftError(f"{why} (in a text it is written \\{{)")
    after = text[closing + 1 :]
    if "{" in after or "}" in after:
        raise GiftError("more than one pair of braces (in a text they are written \\{ and \\})")
    return text[:opening], text[opening + 1 : closing], after


def _note_comments(notes: Annotations, category: str | None, reading: _Reading) -> None:
    reading.lost += notes.lost
    if notes.idnumber:
        reading.fields["metadata"] = {"idnumber": notes.idnumber}
    tags = list(dict.fromkeys(tag for tag in notes.tags if tag))
    kept = [tag for tag in tags if len(tag) <= _MAX_TAG][:_MAX_TAGS]
    if len(kept) < len(tags):
        reading.lost.append(f"tags: {', '.join(tag[:_MAX_TAG] for tag in tags if tag not in kept)}")
    if kept:
        reading.fields["tags"] = kept
    if category:
        reading.fields["category"] = category[:_MAX_CATEGORY].rstrip()
        if len(category) > _MAX_CATEGORY:
            reading.lost.append(f"the category beyond {_MAX_CATEGORY} characters")


# --- to a checked draft ---


def _annotated(fields: Fields, lms: Fields, make_id: Callable[[], str]) -> QuestionDraft:
    """The question as our own comment completes it; the plain one is left as it is."""
    made = copy.deepcopy(fields)
    try:
        if lms.get("type") == "ordering" and made["question_type"] == "matching":
            made = _as_ordering(made)
        set_fields(made, lms.get("set", {}))
        made = with_ids(made, lms["ids"]) if "ids" in lms else _with_new_ids(made, make_id)
    except (TypeError, KeyError, AttributeError):
        raise AnnotationError("it does not fit the question") from None
    return _checked(made)


def _as_ordering(fields: Fields) -> Fields:
    """Each item matched with its place."""
    places = {item["id"]: item["text"] for item in fields["options"]["right"]}
    pairs = fields["correct_answer"]["pairs"]
    if not all(place.isdecimal() and len(place) < 9 for place in places.values()):
        raise AnnotationError("the places of an ordering are not numbers")
    items = fields["options"]["left"]
    sequence = sorted((item["id"] for item in items), key=lambda one: int(places[pairs[one]]))
    return {
        **fields,
        "question_type": "ordering",
        "options": items,
        "correct_answer": {"sequence": sequence},
    }


def _with_new_ids(fields: Fields, make_id: Callable[[], str]) -> Fields:
    ids = option_ids(fields)
    if isinstance(ids, dict):
        return with_ids(fields, {side: [make_id() for _ in ids[side]] for side in ids})
    return with_ids(fields, [make_id() for _ in ids])


def _checked(fields: Fields) -> QuestionDraft:
    try:
        return read_model(QuestionDraft, fields)
    except Refused as refused:
        raise GiftError("; ".join(f"{fault.field}: {fault.message}" for fault in refused.fields[:5])) from None
