"""MongoDB's operators, sent in every place of every model that comes in: each is refused by its name, or is but data.

So are texts with a line of their own, where one line is meant.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pydantic import BaseModel

from handlers.live.table import COMMANDS
from handlers.routes import ROUTES
from lms_rt.contracts.base import read_model
from lms_rt.errors import Refused
from tests.attacking import BROKEN_LINES, OPERATORS, Path, holding, places, takes

MODELS = sorted(
    {row.body for row in ROUTES if row.body is not None} | {command.model for command in COMMANDS.values()},
    key=lambda model: model.__name__,
)
FREE = {
    ("AnswerSave", "value"),
    ("AnswersDraft", "answers.value"),
    ("SubmitDraft", "answers.value"),
    ("AttemptSync", "have.value"),
    ("PlacedQuestionDraft", "correct_answer"),
    ("QuestionChange", "correct_answer"),
    ("PlacedQuestionDraft", "options"),
    ("QuestionChange", "options"),
    ("CorrectionDraft", "accepted"),
    ("CorrectionDraft", "question"),
    ("RegradeDraft", "changes.accepted"),
    ("RegradeDraft", "changes.question"),
    ("MarkDraft", "rubric"),
    ("GradeDraft", "rubric"),
}
"""What a student answers, and what is right, is read by the kind of the question: by `question_keys` and `answers`.

A corrected question is a `QuestionChange`; a rubric's mark names criteria and levels of that rubric.
"""

PROSE = {
    "text",
    "review",
    "description",
    "content",
    "bio",
    "instructions",
    "question_text",
    "explanation",
    "comment",
    "feedback",
}
"""Where people write as much as they like, on lines as they like."""
UNSHOWN = {
    "email", "username", "password", "current_password", "new_password", "token", "refresh_token", "challenge_token",
    "mentions", "ticket", "file_url", "code", "lease", "channel", "url", "slug", "after",
}  # fmt: skip
"""What is compared, looked up or made anew, and told to nobody as it came; ids as well."""


def name_of(path: Path) -> str:
    return ".".join(str(step) for step in path if isinstance(step, str))


def is_read_by_kind(model: type[BaseModel], path: Path) -> bool:
    return any((model.__name__, name_of(path[:length])) in FREE for length in range(len(path) + 1))


def faults(model: type[BaseModel], body: Any) -> list[tuple[str, str]]:
    try:
        read_model(model, body)
    except Refused as refused:
        return [(fault.field, fault.code) for fault in refused.fields]
    return []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_an_operator_is_refused_where_it_stands(model: type[BaseModel]) -> None:
    for path, operator in itertools.product(places(model), OPERATORS):
        told = [field for field, _ in faults(model, holding(path, operator)) if field.split(".")[0] == str(path[0])]
        assert told or is_read_by_kind(model, path), f"{model.__name__}.{name_of(path)} takes {operator}"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_names_of_free_facts_are_no_operators_and_no_paths(model: type[BaseModel]) -> None:
    free = [
        path for path in places(model) if takes(model, path, {"colour": "red"}) and not is_read_by_kind(model, path)
    ]
    assert {name_of(path) for path in free} <= {"metadata"}
    for path in free:
        for name in ("$set", "$where", "a.b", "a.$", "", "\u0000", "a b", "__proto__.x", "x" * 65, "ключ"):
            for facts in ({name: 1}, {"a": {name: 1}}, {"a": [{"b": {name: 1}}]}):
                told = faults(model, holding(path, facts))
                assert any(field.startswith("metadata") for field, _ in told), (model, facts)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("text", BROKEN_LINES[:-1], ids=repr)
def test_whatever_is_shown_in_a_line_is_one(model: type[BaseModel], text: str) -> None:
    taken = {
        name_of(path)
        for path in places(model)
        if not is_read_by_kind(model, path)
        and not any(field.split(".")[0] == path[0] for field, _ in faults(model, holding(path, text)))
    }
    lines = {name for name in taken if not name.rpartition(".")[2].endswith(("_id", "_ids"))}
    assert lines <= PROSE | UNSHOWN
