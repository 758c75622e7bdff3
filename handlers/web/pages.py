"""The table of pages: every address that answers HTML, and the static files. Domain modules list their own rows."""

from __future__ import annotations

from collections.abc import Iterable

from tornado.web import RequestHandler

from handlers.rest.access import Access
from handlers.web import (
    accounts,
    admin,
    admin_audit,
    admin_payments,
    admin_prices,
    admin_settings,
    admin_stats,
    admin_users,
    assets,
    assignment_desk,
    assignments,
    attempt_log,
    bulk,
    calendar_feed,
    catalogue,
    certificates,
    chat,
    checkout,
    dashboard,
    files,
    forgot,
    gradebook,
    grades,
    grading,
    home,
    impersonating,
    keeping,
    learning,
    mailbox,
    me,
    notifications,
    payments,
    plans,
    quiz_editor,
    quizzes,
    receipt,
    regrades,
    reset,
    revenue,
    reviews,
    room,
    sandbox,
    second_step,
    security,
    statistics,
    teaching,
    two_steps,
    unsubscribe,
    verify_email,
    webhooks,
)
from handlers.web.base import MissingPage, PageHandler

Row = tuple[str, type[RequestHandler]]


class PageTableError(Exception):
    """The table of pages cannot be served: a page does not say who may open it, or whose things. The server does not start."""


def checked(rows: Iterable[Row]) -> list[Row]:
    """The rows, when every page says who may open it, and whose things are reached by it where not everybody may."""
    table = list(rows)
    for pattern, handler in table:
        if not issubclass(handler, PageHandler):
            continue
        access = getattr(handler, "access", None)
        if not isinstance(access, Access):
            raise PageTableError(f"{pattern} declares no access rule")
        if handler.reach is None and not access.is_public:
            raise PageTableError(f"{pattern} does not say whose things it reaches")
    return table


PAGES: list[Row] = checked(
    [
        (r"/static/([0-9a-f]{12})/([\w./-]+)", assets.StaticHandler),
        *accounts.PAGES,
        *forgot.PAGES,
        *reset.PAGES,
        *verify_email.PAGES,
        *second_step.PAGES,
        *chat.PAGES,
        *reviews.PAGES,
        *grades.PAGES,
        *catalogue.PAGES,
        *checkout.PAGES,
        *plans.PAGES,
        *payments.PAGES,
        *home.PAGES,
        *keeping.PAGES,
        *learning.PAGES,
        *calendar_feed.PAGES,
        *me.PAGES,
        *security.PAGES,
        *two_steps.PAGES,
        *notifications.PAGES,
        *files.PAGES,
        *quizzes.PAGES,
        *assignments.PAGES,
        *assignment_desk.PAGES,
        *receipt.PAGES,
        *attempt_log.PAGES,
        *room.PAGES,
        *sandbox.PAGES,
        *bulk.PAGES,
        *certificates.PAGES,
        *gradebook.PAGES,
        *revenue.PAGES,
        *teaching.PAGES,
        *quiz_editor.PAGES,
        *dashboard.PAGES,
        *grading.PAGES,
        *regrades.PAGES,
        *statistics.PAGES,
        *admin_audit.PAGES,
        *admin_payments.PAGES,
        *admin_prices.PAGES,
        *admin_settings.PAGES,
        *admin_stats.PAGES,
        *impersonating.PAGES,
        *admin_users.PAGES,
        *admin.PAGES,
        *mailbox.PAGES,
        *unsubscribe.PAGES,
        *webhooks.PAGES,
        (r"/.*", MissingPage),
    ]
)
"""Pages and static files, in the order in which they are tried; at last what has no page."""
