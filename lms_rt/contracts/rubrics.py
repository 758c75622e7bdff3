"""Rubrics: by what an essay is marked. Criteria with levels; the best levels together are the points of the question.

Students see one only in their results, and as far as the quiz allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from documents.enums import QuestionType
from lms_rt.contracts.base import Draft, Hundredths, HundredthsIn, Key, View, check_line, check_shown, hundredths_text
from lms_rt.contracts.question_keys import fault_at

MAX_CRITERIA = 20
MAX_LEVELS = 12

Rubric = dict[str, Any]
"""As stored: `{criteria: [{id, title, description?, levels: [{id, title, description?, points}]}]}`, in hundredths."""

_Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]
_Words = Annotated[str, StringConstraints(max_length=2_000)]


class LevelDraft(Draft):
    """How well a criterion is met, and what that is worth."""

    id: Key | None = None
    title: _Title
    description: _Words | None = None
    points: Annotated[HundredthsIn, Field(ge=0, le=1_000_000)]


class CriterionDraft(Draft):
    """One thing that is looked at."""

    id: Key | None = None
    title: _Title
    description: _Words | None = None
    levels: Annotated[list[LevelDraft], Field(min_length=1, max_length=MAX_LEVELS)]


class RubricDraft(Draft):
    """The criteria of an essay. What the best levels come to are the points of the question."""

    criteria: Annotated[list[CriterionDraft], Field(min_length=1, max_length=MAX_CRITERIA)]

    @model_validator(mode="after")
    def _check_ids(self) -> RubricDraft:
        _refuse_doubled(self.criteria, ("criteria",))
        for place, criterion in enumerate(self.criteria):
            _refuse_doubled(criterion.levels, ("criteria", place, "levels"))
        return self

    @property
    def points(self) -> int:
        """What the best levels come to, in hundredths."""
        return sum(max(level.points for level in criterion.levels) for criterion in self.criteria)

    def stored(self, new_id: Callable[[], str]) -> Rubric:
        """As it is stored: ids made where none were given."""
        return {
            "criteria": [
                {
                    **_said(criterion, new_id),
                    "levels": [{**_said(level, new_id), "points": level.points} for level in criterion.levels],
                }
                for criterion in self.criteria
            ]
        }


ItemT = TypeVar("ItemT", LevelDraft, CriterionDraft)


def _refuse_doubled(items: Sequence[ItemT], path: tuple[int | str, ...]) -> None:
    seen: set[str] = set()
    for place, item in enumerate(items):
        if item.id is not None and item.id in seen:
            raise fault_at((*path, place, "id"), "not_unique", "This id is used twice", item.id)
        seen.add(item.id or "")


def _said(item: LevelDraft | CriterionDraft, new_id: Callable[[], str]) -> dict[str, Any]:
    words = {"description": item.description} if item.description else {}
    return {"id": item.id or new_id(), "title": item.title, **words}


class LevelView(View):
    """A level of a criterion."""

    id: str
    title: str
    description: str | None = None
    points: Hundredths


class CriterionView(View):
    """A criterion with its levels."""

    id: str
    title: str
    description: str | None = None
    levels: list[LevelView]


class RubricView(View):
    """By what an essay is marked."""

    criteria: list[CriterionView]


class CriterionMarkView(View):
    """What was found of one criterion."""

    criterion_id: str
    title: str
    description: str | None
    level_id: str
    level_title: str
    level_description: str | None
    points: Hundredths
    max_points: Hundredths


def check_rubric(rubric: RubricDraft | None, question_type: str, points: int | None) -> None:
    """Refuse a rubric where nobody marks by it, or that comes to other points than the question has."""
    if rubric is None:
        return
    if question_type != QuestionType.ESSAY:
        raise fault_at((), "no_rubric", "Only essays have a rubric")
    if points is not None and points != rubric.points:
        words = f"The best levels come to {hundredths_text(rubric.points)}, the question to {hundredths_text(points)}"
        raise fault_at((), "rubric_points", words)


def rubric_json(rubric: Mapping[str, Any] | RubricDraft | None) -> Any:
    """The JSON value from which `RubricDraft` makes the same rubric again."""
    if rubric is None:
        return None
    plain: dict[str, Any] = rubric.model_dump(exclude_none=True) if isinstance(rubric, RubricDraft) else dict(rubric)
    return {
        "criteria": [
            {**one, "levels": [{**level, "points": hundredths_text(level["points"])} for level in one["levels"]]}
            for one in plain["criteria"]
        ]
    }


def rubric_points(rubric: Mapping[str, Any], chosen: Mapping[str, str]) -> int:
    """What the chosen levels come to, in hundredths. `chosen` is level by criterion, and was checked."""
    levels = ((level, one["id"]) for one in rubric["criteria"] for level in one["levels"])
    return sum(level["points"] for level, criterion_id in levels if chosen.get(criterion_id) == level["id"])


def criterion_marks(
    rubric: Mapping[str, Any] | None, chosen: Mapping[str, str] | None
) -> list[CriterionMarkView] | None:
    """What was found of each criterion, in the order of the rubric; None when nobody marked by it."""
    if rubric is None or not chosen:
        return None
    found = []
    for one in rubric["criteria"]:
        level = next((level for level in one["levels"] if level["id"] == chosen.get(one["id"])), None)
        if level is not None:
            found.append(
                CriterionMarkView(
                    criterion_id=one["id"],
                    title=one["title"],
                    description=one.get("description"),
                    level_id=level["id"],
                    level_title=level["title"],
                    level_description=level.get("description"),
                    points=level["points"],
                    max_points=max(other["points"] for other in one["levels"]),
                )
            )
    return found
