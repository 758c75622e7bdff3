"""The gradebook as its readers see it: one row for each student, and one student's grades explained. Pure: no storage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from documents.base import Row
from documents.course import CourseHead
from documents.grade_override import TOTAL
from lms_rt.clock import from_ms
from lms_rt.contracts.gradebook import (
    AttemptShareView,
    CategoryView,
    ExplainedGradeView,
    GradebookSettingsView,
    GradebookView,
    GradedItemView,
    GradesView,
    GradeView,
    LetterView,
    OverrideView,
    PartView,
    PastOverrideView,
    PlacedView,
    StudentRowView,
)
from lms_rt.services.gradebook_facts import Facts, GradedItem, Worked, policy_of
from lms_rt.services.gradebook_rules import WHOLE, Part, Standing, letter_of, percentage_of, standing_of
from lms_rt.services.grading import round_half_up

Names = Mapping[str, Row]


def settings_fields(settings: Row) -> dict[str, Any]:
    """How a course is graded, as fields of a view."""
    return {
        "course_id": settings["_id"],
        "categories": [CategoryView(**{name: one[name] for name in CategoryView.model_fields}) for one in settings["categories"]],
        "placed": [
            PlacedView(item_id=item_id, category_id=place or None)
            for item_id, place in sorted(settings["placed"].items())
        ],
        "scale": scale_views(settings),
        "missing": settings["missing"],
        "version": settings["version"],
        "created_at": settings.get("created_at"),
        "updated_at": settings.get("updated_at"),
    }  # fmt: skip


def settings_view(settings: Row) -> GradebookSettingsView:
    """How a course is graded."""
    return GradebookSettingsView(**settings_fields(settings))


def scale_views(settings: Row) -> list[LetterView]:
    """The letters, the highest first."""
    ordered = sorted(settings["scale"], key=lambda one: -one["minimum"])
    return [LetterView(letter=one["letter"], minimum=one["minimum"]) for one in ordered]


# --- the whole ---


@dataclass(slots=True)
class _Average:
    """What those who have a grade have of an item."""

    most: int
    count: int = 0
    points: int = 0

    def take(self, grade: GradeView) -> None:
        """Of what is shown, so that it can be checked."""
        if grade.points is not None:
            self.count += 1
            self.points += grade.points

    @property
    def percentage(self) -> int | None:
        return percentage_of(Fraction(self.points, self.count * self.most)) if self.count and self.most else None


def gradebook_view(facts: Facts, names: Names, *, has_averages: bool = True) -> GradebookView:
    """Every student of whom the facts are, by name, with every grade."""
    averages = {item.id: _Average(item.item.points) for item in facts.items}
    policy = facts.policy
    items = [one.item for one in facts.items]
    rows: list[StudentRowView] = []
    for learner in facts.learners:
        grades = facts.grades_of(learner)
        standing = standing_of(items, {one: worked.cell for one, worked in grades.items()}, policy)
        rows.append(row := _row(facts, learner, grades, standing=standing, names=names))
        for item_id, grade in row.grades.items():
            averages[item_id].take(grade)
    rows.sort(key=lambda row: ((row.full_name or "").casefold(), row.student_id))
    whole = [row.percentage for row in rows if row.percentage is not None]
    return GradebookView(
        **settings_fields(facts.settings),
        items=[_item_view(one, averages[one.id] if has_averages else None) for one in facts.items],
        students=rows,
        average_percentage=round_half_up(Fraction(sum(whole), len(whole))) if whole and has_averages else None,
        as_of=from_ms(facts.now_ms),
    )


def _row(
    facts: Facts, learner: Row, grades: Mapping[str, Worked], *, standing: Standing, names: Names
) -> StudentRowView:
    student_id = learner["student_id"]
    override = facts.overrides.get((student_id, TOTAL))
    percentage, letter = whole_of(standing, override, facts.settings)
    known = names.get(student_id, {})
    return StudentRowView(
        student_id=student_id,
        full_name=known.get("full_name"),
        email=known.get("email"),
        group=learner.get("group"),
        grades={one.id: grade_view(grades[one.id], one.item.points, standing, one.id) for one in facts.items},
        categories={part.category_id: percentage_of(part.share) for part in standing.parts if part.category_id},
        percentage=percentage,
        letter=letter,
        is_overridden=override is not None,
    )


def whole_of(standing: Standing, override: Row | None, settings: Row) -> tuple[int | None, str | None]:
    """The percentage of the whole and its letter: by hand, where somebody has said so."""
    scale = policy_of(settings).scale
    if override is not None and override.get("is_excused"):
        return None, None
    if override is not None:
        return override["points"], letter_of(override["points"], scale)
    exact = None if standing.share is None else standing.share * WHOLE
    return percentage_of(standing.share), letter_of(exact, scale)


def grade_view(worked: Worked, most: int, standing: Standing | None = None, item_id: str = "") -> GradeView:
    """One grade."""
    points = worked.cell.points
    share = None if points is None or not most else Fraction(points.numerator, points.denominator * most)
    return GradeView(
        state=worked.cell.state.value,
        points=None if points is None else round_half_up(points),
        percentage=percentage_of(share),
        is_dropped=standing is not None and item_id in standing.dropped,
        is_overridden=worked.override is not None,
    )


def _item_view(one: GradedItem, average: _Average | None = None) -> GradedItemView:
    return GradedItemView(**item_fields(one, average))


def item_fields(one: GradedItem, average: _Average | None = None) -> dict[str, Any]:
    """A graded item as fields of a view."""
    return {
        "item_id": one.id,
        "kind": one.kind,
        "title": one.row["title"],
        "points": one.item.points,
        "category_id": one.item.category_id,
        "due_at": one.due_at,
        "is_archived": bool(one.row.get("is_archived")),
        "graded_count": 0 if average is None else average.count,
        "average_percentage": None if average is None else average.percentage,
    }


# --- one student ---


def grades_view(facts: Facts, course: CourseHead, *, full_name: str | None, total: Row | None) -> GradesView:
    """The grades of the one student of whom the facts are, explained. `total`: what was said by hand of the whole, ever."""
    learner = facts.learners[0]
    grades = facts.grades_of(learner)
    items = [one.item for one in facts.items]
    standing = standing_of(items, {one: worked.cell for one, worked in grades.items()}, facts.policy)
    override = facts.overrides.get((learner["student_id"], TOTAL))
    percentage, letter = whole_of(standing, override, facts.settings)
    return GradesView(
        course_id=course.id,
        course_title=course.title,
        course_slug=course.slug,
        student_id=learner["student_id"],
        full_name=full_name,
        items=[_explained(one, grades[one.id], standing) for one in facts.items],
        parts=_parts(standing, facts),
        percentage=percentage,
        letter=letter,
        worked_out_percentage=percentage_of(standing.share),
        override=None if override is None else override_view(override),
        history=[] if total is None else past_views(total),
        scale=scale_views(facts.settings),
        missing=facts.settings["missing"],
        as_of=from_ms(facts.now_ms),
    )


def _explained(one: GradedItem, worked: Worked, standing: Standing) -> ExplainedGradeView:
    own, late = worked.own.points, worked.lateness
    return ExplainedGradeView(
        **item_fields(one),
        grade=grade_view(worked, one.item.points, standing, one.id),
        your_due_at=worked.due_at,
        grading_policy=one.row["grading_policy"] if one.kind == "quiz" else None,
        attempts=[
            AttemptShareView(attempt_id=row["_id"], attempt_number=row["attempt_number"], percentage=row["percentage"])
            for row in worked.attempts
        ],
        submitted_at=worked.submitted_at,
        raw_points=None if late is None else late.raw_grade,
        late_days=0 if late is None else late.late_days,
        penalty_percentage=None if late is None else late.penalty,
        worked_out_points=None if own is None else round_half_up(own),
        override=None if worked.override is None else override_view(worked.override),
        history=[] if worked.override is None else past_views(worked.override),
    )


def _parts(standing: Standing, facts: Facts) -> list[PartView]:
    named = {one["id"]: one["name"] for one in facts.settings["categories"]}
    places = {one.id: one.item.category_id for one in facts.items}
    return [
        PartView(
            category_id=part.category_id,
            name=named.get(part.category_id or ""),
            points=round_half_up(part.points),
            points_possible=part.most,
            percentage=percentage_of(part.share),
            weight=round_half_up(part.weight * WHOLE),
            dropped_count=_count_in(part, standing.dropped, places),
        )
        for part in standing.parts
    ]


def _count_in(part: Part, dropped: Iterable[str], places: Mapping[str, str | None]) -> int:
    return sum(places.get(one) == part.category_id for one in dropped)


def override_view(row: Row) -> OverrideView:
    """A grade by hand."""
    return OverrideView(
        student_id=row["student_id"],
        item_id=row["item_id"],
        points=row.get("points"),
        is_excused=row["is_excused"],
        reason=row["reason"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def past_views(row: Row) -> Sequence[PastOverrideView]:
    """What was said before, the newest first."""
    names = ("points", "is_excused", "reason", "at")
    return [PastOverrideView(**{name: one.get(name) for name in names}) for one in reversed(row["history"])]
