"""Which field a refusal names: one of what was sent, in its own words."""

from __future__ import annotations

from typing import Any

import pytest

from lms_rt.contracts.base import read_model
from lms_rt.contracts.plans import PlanDraft
from lms_rt.contracts.questions import QuestionDraft
from lms_rt.errors import Refused

PLAN = {"plan_name": "All", "amount": 900, "currency": "USD", "interval": "month", "course_ids": "all"}
CHOICE = {"question_type": "multiple_choice", "question_text": "Which?", "correct_answer": {"option_id": "a"}}


@pytest.mark.parametrize(
    ("model", "sent", "fields"),
    [
        (PlanDraft, {**PLAN, "course_ids": "some"}, {"course_ids"}),
        (PlanDraft, {**PLAN, "course_ids": []}, {"course_ids"}),
        (PlanDraft, {**PLAN, "course_ids": ["a", 7]}, {"course_ids", "course_ids.1"}),
        (PlanDraft, {**PLAN, "course_ids": {"a": 1}}, {"course_ids"}),
        (PlanDraft, {name: value for name, value in PLAN.items() if name != "amount"}, {"amount"}),
        (PlanDraft, {**PLAN, "course": None}, {"course"}),
        (
            QuestionDraft,
            {**CHOICE, "options": [{"id": "a"}, {"id": "b", "text": 3}]},
            {"options.0.text", "options.1.text"},
        ),
    ],
)
def test_a_refusal_names_what_was_sent_and_nothing_of_ours(model: Any, sent: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(Refused) as refused:
        read_model(model, sent)
    assert {fault.field for fault in refused.value.fields} == fields
