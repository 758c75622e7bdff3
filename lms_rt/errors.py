"""The only error vocabulary: what went wrong (situation), its stable code, and its words. No HTTP numbers here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any


class Situation(StrEnum):
    """What kind of refusal it is; `handlers/rest/errors.py` gives each its status."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    UNPAID = "unpaid"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD = "method"
    NOT_ACCEPTABLE = "not_acceptable"
    CONFLICT = "conflict"
    CHECKSUM = "checksum"
    STALE = "stale"
    TOO_LARGE = "too_large"
    RANGE = "range"
    UNSUPPORTED = "unsupported"
    INVALID = "invalid"
    LIMITED = "limited"
    UNAVAILABLE = "unavailable"
    PROTOCOL = "protocol"


class Code(Enum):
    """Every code that a client may meet: (code, situation, default words). Codes never change their meaning."""

    MALFORMED_JSON = ("malformed_json", Situation.MALFORMED, "The body is not well-formed JSON.")
    MALFORMED_REQUEST = ("malformed_request", Situation.MALFORMED, "The request is malformed.")
    INVALID_SIGNATURE = ("invalid_signature", Situation.MALFORMED, "The signature does not fit what was sent.")
    # OAuth2's form wants 400 and `error: invalid_grant` beside it; the code is that of every other sign-in.
    INVALID_GRANT = ("invalid_credentials", Situation.MALFORMED, "The user name or the password is wrong.")
    MFA_REQUIRED = ("mfa_required", Situation.MALFORMED, "A code is needed as a second step.")

    UNAUTHENTICATED = ("unauthenticated", Situation.UNAUTHENTICATED, "Sign in first.")
    TOKEN_EXPIRED = ("token_expired", Situation.UNAUTHENTICATED, "The access token has expired.")
    TOKEN_REVOKED = ("token_revoked", Situation.UNAUTHENTICATED, "The session has ended.")
    INVALID_CREDENTIALS = ("invalid_credentials", Situation.UNAUTHENTICATED, "The address or the password is wrong.")
    INVALID_CODE = ("invalid_code", Situation.UNAUTHENTICATED, "The code is not valid, or no longer.")
    INVALID_TOKEN = ("invalid_token", Situation.UNAUTHENTICATED, "The token is not valid.")

    PAYMENT_REQUIRED = ("payment_required", Situation.UNPAID, "This course has to be paid for.")

    FORBIDDEN = ("forbidden", Situation.FORBIDDEN, "Your role does not allow this.")
    CSRF_FAILED = ("csrf_failed", Situation.FORBIDDEN, "The CSRF token is missing or wrong.")
    ORIGIN_REFUSED = ("origin_refused", Situation.FORBIDDEN, "This origin is not on the allow-list.")
    EMAIL_NOT_VERIFIED = ("email_not_verified", Situation.FORBIDDEN, "Verify your address first.")
    NOT_ENROLLED = ("not_enrolled", Situation.FORBIDDEN, "Enrol in the course first.")

    NOT_FOUND = ("not_found", Situation.NOT_FOUND, "There is nothing here under this id.")
    ROUTE_NOT_FOUND = ("route_not_found", Situation.NOT_FOUND, "There is no such path.")
    METHOD_NOT_ALLOWED = ("method_not_allowed", Situation.METHOD, "This path does not take this method.")
    NOT_ACCEPTABLE = ("not_acceptable", Situation.NOT_ACCEPTABLE, "None of the accepted media types can be given.")

    CONFLICT = ("conflict", Situation.CONFLICT, "The stored state is another one than you know.")
    EMAIL_TAKEN = ("email_taken", Situation.CONFLICT, "There is an account with this address.")
    SLUG_TAKEN = ("slug_taken", Situation.CONFLICT, "This slug is in use.")
    REFUND_UNDER_WAY = ("refund_under_way", Situation.CONFLICT, "The gateway was asked for this refund already.")
    ALREADY_ENROLLED = ("already_enrolled", Situation.CONFLICT, "The student is enrolled already.")
    COURSE_NOT_READY = ("course_not_ready", Situation.CONFLICT, "The course cannot be published yet.")
    COURSE_HAS_STUDENTS = (
        "course_has_students",
        Situation.CONFLICT,
        "Students are enrolled; archive the course instead.",
    )
    HAS_ATTEMPTS = ("has_attempts", Situation.CONFLICT, "The quiz has attempts; archive it instead.")
    NOT_COMPLETE = ("not_complete", Situation.CONFLICT, "Not everything is completed yet.")
    MINIMUM_TIME = ("minimum_time", Situation.CONFLICT, "The course asks for more time before it can be completed.")
    ATTEMPTS_EXHAUSTED = ("attempts_exhausted", Situation.CONFLICT, "No attempt is left.")
    QUIZ_NOT_OPEN = ("quiz_not_open", Situation.CONFLICT, "The quiz has not opened yet.")
    QUIZ_CLOSED = ("quiz_closed", Situation.CONFLICT, "The quiz has closed.")
    QUIZ_NOT_READY = ("quiz_not_ready", Situation.CONFLICT, "The quiz cannot be published yet.")
    QUIZ_PAUSED = ("quiz_paused", Situation.CONFLICT, "The quiz is paused.")
    ATTEMPT_CLOSED = ("attempt_closed", Situation.CONFLICT, "The attempt is closed.")
    ATTEMPT_PAUSED = ("attempt_paused", Situation.CONFLICT, "The attempt is paused.")
    NOT_WRITER = ("not_writer", Situation.CONFLICT, "Another device is writing this attempt.")
    NOT_GRADED = ("not_graded", Situation.CONFLICT, "The attempt is not graded yet.")
    OP_ID_REUSED = ("op_id_reused", Situation.CONFLICT, "This op_id named another operation before.")
    TOO_MANY_OPERATIONS = ("too_many_operations", Situation.CONFLICT, "The attempt holds as many operations as it may.")
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency_key_reused",
        Situation.CONFLICT,
        "This Idempotency-Key came with another body.",
    )
    IDEMPOTENCY_IN_PROGRESS = (
        "idempotency_in_progress",
        Situation.CONFLICT,
        "The first request with this key is running.",
    )

    CHECKSUM_MISMATCH = ("checksum_mismatch", Situation.CHECKSUM, "What came is not what its checksum says.")

    VERSION_MISMATCH = ("version_mismatch", Situation.STALE, "The resource has changed since that version.")
    TOO_LARGE = ("too_large", Situation.TOO_LARGE, "The body is too large.")
    RANGE_NOT_SATISFIABLE = ("range_not_satisfiable", Situation.RANGE, "Nothing of the file lies in this range.")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported_media_type", Situation.UNSUPPORTED, "This media type is not taken here.")
    VALIDATION_FAILED = ("validation_failed", Situation.INVALID, "Some fields are not valid.")

    ACCOUNT_LOCKED = ("account_locked", Situation.LIMITED, "Too many failed sign-ins; wait, or set a new password.")
    RATE_LIMITED = ("rate_limited", Situation.LIMITED, "Too many requests.")
    UNAVAILABLE = ("unavailable", Situation.UNAVAILABLE, "The service cannot do this at the moment.")
    BUSY = ("busy", Situation.UNAVAILABLE, "Too much is going on at once; try again.")

    BAD_FRAME = ("bad_frame", Situation.PROTOCOL, "The frame is not one JSON object.")
    UNKNOWN_COMMAND = ("unknown_command", Situation.PROTOCOL, "There is no such command.")
    INVALID_COMMAND = ("invalid_command", Situation.PROTOCOL, "Some fields of the command are not valid.")
    NOT_SUBSCRIBED = ("not_subscribed", Situation.PROTOCOL, "This connection is not subscribed to the channel.")
    TOO_MANY_SUBSCRIPTIONS = (
        "too_many_subscriptions",
        Situation.PROTOCOL,
        "A connection holds 100 subscriptions at most.",
    )

    def __init__(self, code: str, situation: Situation, words: str) -> None:
        self.code, self.situation, self.words = code, situation, words


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of one field. `field` is a dotted path into the body; `code` is stable, `message` is for people."""

    field: str
    message: str
    code: str = "invalid"


class Refused(Exception):
    """A rule said no. The only exception that services raise on purpose.

    `data` holds the facts that a code brings (`stored`, `current_version`, `missing`, `retry_after_seconds` …): further
    members of a problem document, `error.data` in a live reply.
    """

    def __init__(
        self, code: Code, detail: str | None = None, *, fields: Sequence[FieldError] = (), **data: Any
    ) -> None:
        super().__init__(detail or code.words)
        self.code, self.detail, self.fields, self.data = code, detail or code.words, tuple(fields), data


def invalid(field: str, message: str, code: str = "invalid") -> Refused:
    """The refusal for one field that is not valid."""
    return Refused(Code.VALIDATION_FAILED, fields=(FieldError(field, message, code),))
