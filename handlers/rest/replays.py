"""`Idempotency-Key`: runs an operation once per key and writes the first answer again, byte for byte.

An answer that holds a secret is not kept: a repeat of that runs again, with the same seed, and meets its own work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from handlers.rest.answers import Answer
from handlers.rest.calls import Call
from handlers.rest.operations import Operation
from lms_rt.contracts.base import encode
from lms_rt.errors import Refused, Situation
from lms_rt.services.idempotency import Begun, Idempotency, Kept
from lms_rt.undoing import undoing

Run = Callable[[Call], Awaitable[Answer]]

_STATUS, _TYPE = ":status", ":type"
"""Names that no header can have."""


async def run_once(operation: Operation, call: Call, run: Run) -> Answer:
    """Run the operation, unless its key's answer is kept. Without a key it simply runs."""
    key = call.find_header("Idempotency-Key")
    if key is None or not operation.is_idempotent or call.actor.is_stranger:
        return await run(call)
    keys: Idempotency = call.services.idempotency
    route = f"{'|'.join(operation.methods)} {operation.path}"
    found = await keys.begin(call.actor, route=route, key=key, body_hash=_fingerprint(call))
    if isinstance(found, Kept):
        return _replayed(found)
    call = replace(call, idempotency_seed=found.seed)
    return await _run_first(keys, found, call, run, may_keep=not operation.is_secret)


async def _run_first(keys: Idempotency, begun: Begun, call: Call, run: Run, *, may_keep: bool) -> Answer:
    async with undoing(lambda: keys.give_up(begun)):  # it may be half done: the next one with this key goes on
        outcome = await _outcome(call, run)
    if isinstance(outcome, Refused):
        await keys.forget(begun)
        raise outcome
    answer = outcome
    if not may_keep:
        await keys.give_up(begun)
    elif 200 <= answer.status < 300:
        await keys.keep(begun, _head(answer), answer.body)
    else:
        await keys.forget(begun)
    return answer


async def _outcome(call: Call, run: Run) -> Answer | Refused:
    """The answer, or why there is none and nothing was changed."""
    try:
        return await run(call)
    except Refused as refused:
        if refused.code.situation is Situation.UNAVAILABLE:
            raise
        return refused


def _fingerprint(call: Call) -> str:
    """What must be the same in a repeat: the path, the query and the body."""
    place = f"{call.request.path.removesuffix('/')}?{call.request.query}"  # a trailing slash changes nothing
    digest = hashlib.sha256(place.encode("utf-8", "surrogatepass"))
    if call.upload is None:
        digest.update(b"\x00" + call.request.body)
    else:  # the boundary of a form may differ from try to try
        digest.update(encode([call.upload.media_type, call.upload.filename]))
        digest.update(b"\x00" + call.upload.content)
    return digest.hexdigest()


def _head(answer: Answer) -> dict[str, str]:
    return {_STATUS: str(answer.status), _TYPE: answer.content_type, **answer.headers}


def _replayed(kept: Kept) -> Answer:
    headers = {name: value for name, value in kept.head.items() if not name.startswith(":")}
    return Answer(int(kept.head[_STATUS]), kept.head[_TYPE], kept.content, headers)
