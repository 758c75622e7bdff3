"""Corrections of questions, read among the controls of a quiz. They never change once they are written."""

from __future__ import annotations

from documents.base import Row
from documents.quiz_control import QuizControl

CORRECT = "correct"


async def find_corrections(quiz_id: str, *, after: int, until: int) -> list[Row]:
    """Those with a number after `after` and up to `until`, in their order."""
    if after >= until:
        return []
    wanted = {"quiz_id": quiz_id, "kind": CORRECT, "n": {"$gt": after, "$lte": until}}
    fields = {"n": 1, "changes": 1, "reason": 1, "at": 1}
    return await QuizControl.rows().find(wanted, fields).sort("n", 1).to_list(None)
