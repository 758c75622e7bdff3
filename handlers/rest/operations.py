"""`Operation`: one row of the route table, with its access rule and everything that OpenAPI says of it.

A worked example, `handlers/rest/quizzes.py` in small::

    async def publish(call: Call) -> Reply:
        quiz_id = call.path["quiz_id"]
        return Reply(await call.services.quizzes.publish(call.actor, quiz_id, expected_version=call.expected_version))

    async def create(call: Call) -> Reply:
        quiz = await call.services.quizzes.create(call.actor, call.body)
        return Reply(quiz, made={"quiz_id": quiz.id})

    ROUTES: tuple[Operation, ...] = (
        Operation("GET", "/quizzes", list_quizzes, SIGNED_IN, reach=Reach.INSIDE, query=QuizQuery,
                  reply=Page[QuizView], summary="Quizzes"),
        Operation("POST", "/quizzes", create, needs("quizzes:manage"), reach=Reach.TAUGHT, body=QuizDraft,
                  reply=QuizView, status=201, location="/quizzes/{quiz_id}", summary="Create a quiz"),
        Operation(("PATCH", "PUT"), "/quizzes/{quiz_id}", change, needs("quizzes:manage"), reach=Reach.TAUGHT,
                  body=QuizChange, reply=QuizView, codes=(Code.VERSION_MISMATCH,), summary="Change a quiz"),
        Operation("POST", "/quizzes/{quiz_id}/publish", publish, needs("quizzes:manage"), reach=Reach.TAUGHT,
                  reply=QuizView, codes=(Code.QUIZ_NOT_READY, Code.VERSION_MISMATCH), summary="Publish a quiz"),
        Operation("POST", "/attempts", start, SIGNED_IN, reach=Reach.INSIDE, also=("/quizzes/{quiz_id}/attempts",),
                  body=AttemptDraft, reply=AttemptView, status=201, more_statuses=(200,),
                  location="/attempts/{attempt_id}", is_idempotent=True, summary="Start or resume"),
    )

What follows without being declared: 401 and 403 by the access rule, 404 for paths with an id, 400, 413, 415 and 422
for bodies and queries, 406, 412 on PUT, PATCH and DELETE, 409 of `Idempotency-Key`, 500 and 503. `codes` are those
that only this operation's service raises.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, get_args
from urllib.parse import quote

from pydantic import BaseModel

from config.settings import Settings
from handlers.rest.access import Access, refuse_impersonator
from handlers.rest.calls import Call, Reply
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.rate_limits import UNLIMITED, LimitClass
from lms_rt.security.rights import Reach

Endpoint = Callable[[Call], Awaitable[Reply]]

JSON = ("application/json",)
FORM = ("application/x-www-form-urlencoded",)
UPLOAD = ("multipart/form-data", "text/plain", "text/csv", "application/xml")

MAX_AUTH_BYTES = 16 << 10
MAX_JSON_BYTES = 1 << 20
MAX_UPLOAD_BYTES = 5 << 20
MAX_FORM_BYTES = 64 << 10
"""What a form may weigh beside its file."""

REFRESH = "refresh"
"""What a row says that only goes on with a session: of the class auth, but counted by session, since a class of thirty
comes back at one moment from one address."""
LIMIT_NAMES = frozenset({*(each.value for each in LimitClass), UNLIMITED, REFRESH})
"""What a row may say of how it is counted."""
_LIMITS_BY_WORD = {"auth": LimitClass.AUTH.value, "attempts": LimitClass.ATTEMPTS.value}
_PARAMETER = re.compile(r"\{([a-z_]+)\}")


class Place(Enum):
    """Where an operation's patterns hang."""

    API = "api"
    ROOT = "root"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    """The optional columns of the table, in a class of its own so that the required ones may come by position."""

    also: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    reply: Any = None
    status: int = 200
    more_statuses: tuple[int, ...] = ()
    location: str = ""
    summary: str
    description: str = ""
    codes: tuple[Code, ...] = ()
    takes: tuple[str, ...] = JSON
    gives: tuple[str, ...] = JSON
    is_streamed: bool = False
    form: type[BaseModel] | None = None
    always: Mapping[str, str] = field(default_factory=dict)
    tells: Callable[[Settings], Mapping[str, str]] | None = None
    is_idempotent: bool = False
    is_secret: bool = False
    limit: str = ""
    audit: str = ""
    is_own_alone: bool = False
    reach: Reach | None = None
    is_for_leaving: bool = False
    place: Place = Place.API
    is_documented: bool = True


@dataclass(frozen=True, slots=True)
class Operation(_Described):
    """One operation: method(s), pattern, the function that answers, and who may call it.

    - `also`: the other documented spellings of the path, answered by the same function;
    - `body`: the model of the JSON (or form) body; with `takes=UPLOAD` there is none and `call.upload` holds the file;
    - `query`: the model of the query's parameters (those it does not know are ignored);
    - `reply`: a view class, `Page[View]`, or None for no body; `gives` names another media type of the reply;
    - `is_streamed`: its body is never held: it comes piece by piece as `call.incoming`, in one of the types that it `takes`,
      up to `MAX_UPLOAD_MB`; `form` is the model of the fields beside the `file` of its multipart form;
    - `always`: headers of each of its answers; `tells`: further ones of the answer to OPTIONS on its path;
    - `more_statuses`: further successful statuses that `Reply.status` may set;
    - `location`: a pattern of the table, where what it makes is found; `Reply.made` says what was made (`Location`);
    - `is_idempotent`: honours `Idempotency-Key`;
    - `is_secret`: the reply carries a token: it is never compressed nor stored by anybody on the way;
    - `limit`: the class of requests that it counts among, where its place does not say it (`counts_as`);
    - `audit`: the action under which a change by it stands in the audit log;
    - `reach`: whose things are reached behind the door (`lms_rt/security/rights.py`); everybody's where all may pass;
    - `is_own_alone`: nobody may do it in another's place: refused to who acts as somebody else;
    - `is_for_leaving`: who has closed their account may still do it.
    """

    method: str | tuple[str, ...]
    path: str
    endpoint: Endpoint
    access: Access

    @property
    def methods(self) -> tuple[str, ...]:
        """The verbs it answers to."""
        return (self.method,) if isinstance(self.method, str) else self.method

    @property
    def patterns(self) -> tuple[str, ...]:
        """The path and its other spellings."""
        return (self.path, *self.also)

    @property
    def is_upload(self) -> bool:
        """Does it take a file or a text instead of JSON?"""
        return self.takes == UPLOAD

    @property
    def takes_body(self) -> bool:
        """Is there a body to read?"""
        return self.is_upload or self.body is not None

    @property
    def max_body_bytes(self) -> int:
        """The largest body that is read, in bytes. Nobody's password is a novel; what is streamed has its own bounds."""
        if self.is_streamed:
            return 1 << 62
        if self.is_upload:
            return MAX_UPLOAD_BYTES
        return MAX_AUTH_BYTES if self._first_word == "auth" else MAX_JSON_BYTES

    @staticmethod
    def streamed_bytes(settings: Settings) -> int:
        """The largest body that is streamed."""
        return (settings.max_upload_mb << 20) + MAX_FORM_BYTES

    @property
    def counts_as(self) -> str:
        """The class of requests that it counts among: what it says, else by its place."""
        if self.limit:
            return self.limit
        if self.place is not Place.API:
            return UNLIMITED
        if self.is_upload:
            return LimitClass.UPLOADS.value
        return _LIMITS_BY_WORD.get(self._first_word, LimitClass.GENERAL.value)

    @property
    def reaches(self) -> Reach:
        """Whose things are reached: what it says, else what is everybody's."""
        return self.reach or Reach.ALL

    @property
    def is_list(self) -> bool:
        """Does it answer with a list, in which everybody finds what is theirs?"""
        shapes = get_args(self.reply) or (self.reply,)
        return "GET" in self.methods and all("items" in getattr(shape, "model_fields", ()) for shape in shapes)

    @property
    def _first_word(self) -> str:
        return self.path.split("/")[1]

    def is_located(self, status: int) -> bool:
        """Does an answer of this status say where what it made, or began, is found?"""
        return bool(self.location) and (status == 201 or status == self.status == 202)

    def location_of(self, made: Mapping[str, str]) -> str:
        """Where that is found which was made: the names in the braces filled in, as a path can hold them."""
        return self.location.format_map(
            {name: quote(value, safe=":@") for name, value in made.items()}
        )  # RFC 3986 §3.3

    def admit(self, actor: Actor) -> None:
        """Let the actor pass, or raise: by the rule of access, and kept from who acts in somebody else's place."""
        self.access.check(actor)
        if self.is_own_alone:
            refuse_impersonator(actor)
        if actor.is_leaving and not (self.is_for_leaving or self.access.is_public):
            raise Refused(Code.FORBIDDEN, "This account is closed: it can be kept, and nothing else.")

    def parameters(self, pattern: str) -> Iterator[str]:
        """The names in the braces of one of its patterns."""
        return (match.group(1) for match in _PARAMETER.finditer(pattern))
