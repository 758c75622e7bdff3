"""A sample of the data of every mail, as JSON, for tests that render, send and look at all of them."""

from __future__ import annotations

from typing import Any

AT = "2026-01-05T22:30:00.000Z"
_COURSE = {"course_title": "Linear Algebra", "link": "/courses/linear-algebra"}
_PAYMENT = {"amount": 19_990, "currency": "KWD", "description": "Linear Algebra", "at": AT, "link": "/payments/pay_1"}
_SUBSCRIPTION = {"plan_name": "Yearly", "until": AT, "link": "/subscriptions"}

SAMPLES: dict[str, dict[str, Any]] = {
    "welcome": {},
    "password_reset": {"reset_token": "tok-1", "reset_url": "/reset?token=tok-1"},
    "email_verification": {"verify_url": "/verify?token=tok-2"},
    "mfa_code": {"code": "402719"},
    "enrollment_confirmation": _COURSE,
    "course_completion": _COURSE,
    "certificate_revoked": {**_COURSE, "certificate_number": "CERT-2026-000017", "reason": "Issued by mistake."},
    "certificate_issued": {**_COURSE, "certificate_number": "LMS-2026-000017"},
    "quiz_results": {**_COURSE, "quiz_title": "Matrices", "score": "82.50", "is_passed": True},
    "attempt_auto_closed": {**_COURSE, "quiz_title": "Matrices", "closed_at": AT},
    "pause_ended": {**_COURSE, "quiz_title": "Matrices", "closed_at": AT},
    "assignment_graded": {
        **_COURSE,
        "assignment_title": "Proofs",
        "grade": "8.50",
        "points": "10.00",
        "feedback": "Well argued.\nThe last step needs a reason.",
    },
    "announcement": {
        **_COURSE,
        "author_name": "Tina Teacher",
        "title": "No lesson on Monday",
        "body": "We meet again\nnext week.",
    },
    "chat_mention": {**_COURSE, "author_name": "Tina Teacher"},
    "weekly_progress": {
        "first_day": "2025-12-29",
        "last_day": "2026-01-04",
        "lessons_completed": 3,
        "courses": [
            {
                "title": "Linear Algebra",
                "progress_percentage": "37.50",
                "lessons_completed": 3,
                "lessons_total": 8,
                "link": "/learn/linear-algebra",
            }
        ],
    },
    "course_reminder": {
        "courses": [
            {
                "title": "Linear Algebra",
                "progress_percentage": "37.50",
                "days_away": 14,
                "link": "/learn/linear-algebra",
            }
        ]
    },
    "digest": {
        "kind": "attempt.graded",
        "items": [
            {"title": "Matrices: 82.5%", "body": "You passed.", "link": "/attempts/att_1/results", "at": AT},
            {"title": "Vectors: 40%", "at": AT},
        ],
        "more": 3,
    },
    "payment_confirmation": {**_PAYMENT, "reference": "pay_1"},
    "payment_failed": {**_PAYMENT, "reason": "The card was declined."},
    "payment_refunded": {**_PAYMENT, "amount": 123_456, "currency": "USD"},
    "subscription_cancelled": _SUBSCRIPTION,
    "subscription_past_due": _SUBSCRIPTION,
    "subscription_resumed": {
        "plan_name": "All courses",
        "amount": 1990,
        "currency": "USD",
        "until": AT,
        "link": "/payments",
    },
    "registration_existing": {},
    "account_locked": {"until": AT},
    "invitation": {"invited_by": "Ada Admin", "role": "instructor", "accept_url": "/invitations/tok-3"},
    "password_changed": {"at": AT},
    "mfa_changed": {"is_enabled": False, "at": AT},
    "new_device": {"device": "Firefox on Linux", "ip_address": "203.0.113.7", "at": AT},
    "export_ready": {"link": "/exports/exp_1", "expires_at": AT},
    "erasure_scheduled": {"erase_at": AT, "link": "/account"},
    "audit_checked": {"findings": 0, "place": f"12:{'0' * 64}", "at": AT, "link": "/admin/audit"},
    "audit_damaged": {"findings": 3, "place": f"12:{'0' * 64}", "at": AT, "link": "/admin/audit"},
    "webhook_disabled": {"url": "https://hooks.example/in", "reason": "503", "since": AT, "link": "/admin/webhooks"},
}
