"""The one route table: the rows of every domain's file, in one tuple. Dispatch and the OpenAPI document read it."""

from __future__ import annotations

from typing import Any

from config.settings import Settings
from handlers.rest import (
    admin_settings,
    admin_stats,
    admin_users,
    attempts,
    audit,
    auth,
    categories,
    courses,
    dashboards,
    dead_letters,
    enrollments,
    events,
    health,
    instructors,
    lessons,
    mfa,
    notifications,
    passwords,
    privacy,
    questions,
    quizzes,
    sessions,
    tasks,
    users,
    verification,
    webhooks,
)
from handlers.rest.openapi import build_document
from handlers.rest.operations import Operation

ROUTES: tuple[Operation, ...] = (
    *auth.ROUTES,
    *mfa.ROUTES,
    *verification.ROUTES,
    *sessions.ROUTES,
    *users.ROUTES,
    *passwords.ROUTES,
    *privacy.ROUTES,
    *instructors.ROUTES,
    *courses.ROUTES,
    *lessons.ROUTES,
    *categories.ROUTES,
    *enrollments.ROUTES,
    *quizzes.ROUTES,
    *questions.ROUTES,
    *attempts.ROUTES,
    *dashboards.ROUTES,
    *notifications.ROUTES,
    *events.ROUTES,
    *tasks.ROUTES,
    *dead_letters.ROUTES,
    *admin_users.ROUTES,
    *admin_stats.ROUTES,
    *admin_settings.ROUTES,
    *audit.ROUTES,
    *webhooks.ROUTES,
    *health.ROUTES,
)


def openapi_document(settings: Settings) -> dict[str, Any]:
    """The OpenAPI document of the whole table, for `python3 run.py openapi`."""
    return build_document(ROUTES, settings)
