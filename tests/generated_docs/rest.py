"""`docs/rest-api.md` from the route table."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry

from config.settings import Settings
from handlers.live import asyncapi
from handlers.rest import docs, well_known
from handlers.rest.access import Access
from handlers.rest.dispatch import full_patterns
from handlers.rest.errors import status_of
from handlers.rest.health import metrics_routes
from handlers.rest.openapi import document_routes
from handlers.rest.operations import UPLOAD, Operation, Place
from handlers.routes import ROUTES
from lms_rt.errors import Code, Situation
from tests.generated_docs.shapes import MADE, code, table

_WHO = {
    "anonymous": "everybody (credentials are not read)",
    "public": "everybody",
    "signed in": "signed in",
}
_REST = f"""# REST API

<!-- {MADE} -->

Every operation that there is, from the one route table (`handlers/routes.py`). The full contract, with every field, is the
OpenAPI 3.1 document: `python3 run.py openapi`, `/api/v1/openapi.json`, and `/docs` in a browser. *Whose* course or attempt
it is, the services decide after loading it (`lms_rt/security/access/`): what is not yours and what is not there are the
same 404 ([permissions](permissions.md) says who is told what).

## Conventions

- JSON in and out. Unknown fields are refused (422 `validation_failed`, in `errors[].code` `unknown_field`); fields that can
  only be read are taken with the value that they have, else refused (`read_only`). An answer that does not fit its
  question is `invalid_answer`, whatever the state of the attempt. Bodies hold at most 1 MiB, imports 5 MiB.
  Times are RFC 3339 in UTC with milliseconds; ids are opaque strings; points and percentages are decimal strings with two
  places (`"70.00"`); money is integer minor units.
- Lists: `?page=1&page_size=20` (at most 100) gives `{{items, page, page_size, total, pages}}`; long lists take
  `?after=<cursor>&limit=` too, for `{{items, next, limit}}`. `?sort=field` or `-field`, from a list of each operation;
  any other, and any where the operation names no `sort`, is 422.
- Errors are problem documents (RFC 9457) with a stable `code`, the faults of each field in `errors`, and a `request_id`
  that the server's log knows too.
- `ETag` holds the `version` of what was read; `If-Match` with it makes a change conditional (412 `version_mismatch`).
  The pages in which courses, lessons, quizzes, questions, assignments, certificates and webhooks are edited send it: after a
  412 they take over what only the other has changed, show what is stored now beside what both have, and keep what was typed.
- What is made is answered 201, what is begun 202; the OpenAPI document says which of these answers tell in `Location` where it is
  found. What was there already is 200.
- `Idempotency-Key` is honoured where the table says so: the same key and body get the first answer again for 24 h.
- `PUT` and `PATCH` are the same partial change. `HEAD` and `OPTIONS` work everywhere. A trailing slash changes nothing.
- Sign in with `POST /api/v1/auth/login` and send `Authorization: Bearer …`; browsers use the cookie flow
  (`/api/v1/auth/login-cookie`) and send `X-CSRF-Token`.
- With `API_V1_PREFIX` everything below `/api/v1` answers below another path too; links lead to `/api/v1` all the same.
- With `API_RESPONSE_ENVELOPE_ENABLED` every JSON reply is wrapped: `{{success, message, data, meta}}`, the numbers of a
  list in `meta`; an error is `{{success, message, error}}`, the problem document in `error`.
"""


def rest_api() -> str:
    """The page."""
    parts = [_REST]
    by_word: dict[str, list[Operation]] = {}
    for operation in _all():
        by_word.setdefault(_word(operation), []).append(operation)
    for word, operations in by_word.items():
        rows = [_row(operation) for operation in operations]
        parts.append(f"## {word}\n\n{table(('method', 'path', 'who', 'what', 'body', 'reply'), rows)}\n")
    parts.append(f"## Error codes\n\n{_codes()}\n")
    return "\n".join(parts)


def _all() -> tuple[Operation, ...]:
    settings = Settings.model_construct()
    documents = (*document_routes(ROUTES, settings), *asyncapi.document_routes(settings))
    more = (*documents, *docs.ROUTES, *well_known.ROUTES, *metrics_routes(CollectorRegistry()))
    return (*ROUTES, *more)


def _word(operation: Operation) -> str:
    """The domain word that an operation belongs to."""
    first = operation.path.split("/")[1]
    return "operations" if operation.place is not Place.API or first.endswith("api.json") else first


def _row(operation: Operation) -> tuple[str, ...]:
    first, *also = full_patterns(operation)
    others = f"<br>also {', '.join(map(code, also))}" if also else ""
    notes = [operation.description] if operation.description else []
    notes += ["Honours `Idempotency-Key`."] if operation.is_idempotent else []
    what = " ".join([f"{operation.summary}.", *notes])
    return (
        ", ".join(operation.methods),
        code(first) + others,
        who(operation.access),
        what,
        _input(operation),
        _reply(operation),
    )


def who(access: Access) -> str:
    """Who passes a door, in a few words."""
    if access.permissions:
        return " and ".join(code(name) for name in sorted(access.permissions))
    if access.any_of:
        return " or ".join(code(name) for name in sorted(access.any_of))
    return _WHO[access.name]


def _input(operation: Operation) -> str:
    """Its query's parameters, and the model of its body."""
    fields = operation.query.model_fields if operation.query else {}
    query = ", ".join(field.alias or name for name, field in fields.items())
    body = "file or text" if operation.takes == UPLOAD else code(operation.body.__name__ if operation.body else "")
    return "; ".join(part for part in (code(f"?{query}") if query else "", body) if part)


def _reply(operation: Operation) -> str:
    statuses = "/".join(map(str, (operation.status, *operation.more_statuses)))
    shape = _name(operation.reply)
    return f"{statuses} {code(shape)}".strip()


def _name(reply: Any) -> str:
    if reply is None or reply is bytes:
        return ""
    return str(getattr(reply, "__name__", reply)).replace("lms_rt.contracts.", "")


def _codes() -> str:
    live = {"bad_frame", "unknown_command", "invalid_command", "not_subscribed", "too_many_subscriptions"}
    rows = [
        (
            "live" if one.situation is Situation.PROTOCOL and one.code in live else str(status_of(one)),
            code(one.code),
            one.words,
        )
        for one in sorted(Code, key=lambda one: (status_of(one), one.code))
    ]
    return table(("status", "code", "words"), rows)
