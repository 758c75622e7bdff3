"""Which form of the pages does what an operation does that nobody may do in another's place, for the walk over pages."""

from __future__ import annotations

from collections.abc import Mapping

_ORDERS, _SUBSCRIPTIONS = r"/payments/orders/([^/]+)", r"/payments/subscriptions/([^/]+)/([a-z]+)"
_DESK = r"/admin/payments/orders/([^/]+)/?"
OWN_FORMS: Mapping[str, str] = {
    "POST /auth/mfa/enable/request": r"/me/security/two-steps",
    "POST /auth/mfa/enable/confirm": r"/me/security/two-steps/confirm",
    "POST /auth/mfa/disable": r"/me/security/two-steps/off",
    "DELETE /auth/sessions": r"/me/security/sessions",
    "DELETE /auth/sessions/{session_id}": r"/me/security/sessions",
    "POST /users": r"/admin/users/new",
    "DELETE /users/{user_id}": r"/admin/users/([^/]+)/([a-z]+)",
    "POST /users/me/password": r"/me/security/password",
    "POST /users/me/export": r"/me/security/export",
    "DELETE /users/me": r"/me/security/leave",
    "POST /users/me/keep": r"/me/keep",
    "POST /payments/orders": r"/checkout/([^/]+)/?",
    "POST /payments/orders/{order_id}/cancel": rf"{_ORDERS}/([a-z]+)",
    "POST /payments/create-subscription": r"/plans/?",
    "POST /payments/subscriptions/{subscription_id}/cancel": _SUBSCRIPTIONS,
    "POST /payments/subscriptions/{subscription_id}/resume": _SUBSCRIPTIONS,
    "POST /payments/subscriptions/{subscription_id}/change": _SUBSCRIPTIONS,
    "POST /payments/create-intent/{order_id}": rf"{_ORDERS}/pay",
    "POST /payments/create-payment-intent": r"/checkout/([^/]+)/?",
    "POST /payments/{payment_id}/refund": _DESK,
    "POST /payments/{payment_id}/refunds/{refund_id}/cancel": _DESK,
    "POST /payments/{payment_id}/release": _DESK,
    "POST /payments/{payment_id}/dispute": _DESK,
    "POST /payments/findings/{finding_id}/resolve": r"/admin/payments/findings/?",
    "POST /attempts": "",
    "PATCH /attempts/{attempt_id}/answers": "",
    "POST /attempts/{attempt_id}/sync": "",
    "POST /attempts/{attempt_id}/take-over": "",
    "POST /attempts/{attempt_id}/signals": "",
    "POST /attempts/{attempt_id}/submit": "",
    "PUT /assignments/{assignment_id}/draft": r"/assignments/([^/]+)/hand-in",
    "POST /assignments/{assignment_id}/submit": r"/assignments/([^/]+)/hand-in",
    "POST /calendar/feed": r"/me/calendar",
    "DELETE /calendar/feed": r"/me/calendar",
    "POST /calendar/feed/rotate": r"/me/calendar",
    "PATCH /admin/users/{user_id}": r"/admin/users/([^/]+)/([a-z]+)",
    "POST /admin/users/{user_id}/impersonate": r"/admin/users/([^/]+)/impersonate",
    "PATCH /admin/settings": r"/admin/settings/([a-z]+)",
    "POST /webhooks": "",
    "PATCH /webhooks/{webhook_id}": "",
}
"""By operation; "": no page has a form for it."""
