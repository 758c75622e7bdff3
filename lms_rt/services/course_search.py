"""How courses are found: the folded keys and tokens that a course carries, and the filters of its lists. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from documents.base import Row
from documents.course import Course
from lms_rt.contracts.courses import CourseQuery, OwnCourseQuery
from lms_rt.services.folding import fold, query_tokens, search_tokens
from lms_rt.services.lesson_rules import rules_of

_SORT_FIELDS = {"title": "title_key"}


def folded_key(text: str) -> str:
    """The form in which categories, tags and titles are compared."""
    return fold(text, fold_arabic=True)


def derived_fields(course: Course) -> dict[str, Any]:
    """What a course carries for look-ups, made from what it says now."""
    titles = [lesson.title for lesson in course.ordered_lessons if lesson.is_published]
    texts = [course.title, course.category, *course.tags, course.short_description, *titles, course.description]
    return {
        "title_key": folded_key(course.title),
        "category_key": folded_key(course.category) if course.category else None,
        "tag_keys": [folded_key(tag) for tag in course.tags],
        "published_lesson_ids": [lesson.id for lesson in course.ordered_lessons if lesson.is_published],
        "lesson_rules": rules_of(course),
        "search_tokens": search_tokens(texts),
    }


_FILTERS: dict[str, Callable[[Any], Row]] = {
    "category": lambda text: {"category_key": folded_key(text)},
    "difficulty_level": lambda level: {"difficulty_level": level},
    "tag": lambda text: {"tag_keys": folded_key(text)},
    "instructor_id": lambda user_id: {"instructor_id": user_id},
    "is_free": lambda is_free: {"price": 0 if is_free else {"$gt": 0}},
    "price_min": lambda amount: {"price": {"$gte": amount}},
    "price_max": lambda amount: {"price": {"$lte": amount}},
    "is_published": lambda is_published: {"is_published": is_published},
}


def catalogue_filter(query: CourseQuery) -> Row:
    """Which courses everybody may find by this query."""
    return {"is_published": True, "is_archived": False, **_and(query)}


def own_filter(query: OwnCourseQuery, instructor_id: str) -> Row:
    """Which courses of an instructor this query asks for."""
    return {"instructor_id": instructor_id, "is_archived": query.is_archived, **_and(query)}


def _and(query: CourseQuery) -> Row:
    asked = {name: getattr(query, name, None) for name in _FILTERS}
    parts = [_FILTERS[name](value) for name, value in asked.items() if value is not None]
    if query.q is not None and query.q.strip():
        tokens = query_tokens(query.q)
        parts.append({"search_tokens": {"$all": tokens}} if tokens else {"_id": {"$in": []}})
    return {"$and": parts} if parts else {}


def sorting(sort: str) -> Sequence[tuple[str, int]]:
    """The stored field and direction of a `sort` parameter."""
    name = sort.removeprefix("-")
    return [(_SORT_FIELDS.get(name, name), -1 if sort.startswith("-") else 1)]
