"""How long a student was at each question, as far as saved answers tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lms_rt.clock import to_ms


def seconds_before(started_at: datetime, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """For each answer, the seconds since the one saved before it, or since the start."""
    before, spent = to_ms(started_at), {}
    for question_id, answer in sorted(answers.items(), key=lambda item: item[1]["saved_at_ms"]):
        spent[question_id] = max(0, answer["saved_at_ms"] - before) // 1000
        before = answer["saved_at_ms"]
    return spent
