"""What a 202 promises: in the database before the answer, done after it. By this process, or by a worker should it end before.

For everybody it is one row written, whatever it is about, so that the answer says nothing by its time either; and while the
database is away all are refused alike. What it says of people is sealed, and gone once it is done.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import orjson

from documents.job import Job
from lms_rt.clock import Clock
from lms_rt.contracts.base import encode
from lms_rt.errors import Refused
from lms_rt.ids import new_id
from lms_rt.security.keyring import Keyring
from lms_rt.security.sealing import Sealer, Unsealable
from lms_rt.services.jobs import Hopeless, Jobs
from lms_rt.services.later import Later

TASK = "accounts.promised"
PATIENCE = timedelta(seconds=60)
"""So long this process has for it before a worker takes it up."""

Keep = Callable[[Mapping[str, Any]], Awaitable[object]]
"""Does what was promised, upon these facts. Again with the same facts changes nothing."""


class Promises:
    """Gives promises and keeps them."""

    def __init__(self, *, clock: Clock, jobs: Jobs, later: Later, keyring: Keyring) -> None:
        self._clock, self._jobs, self._later = clock, jobs, later
        self._sealer = Sealer(keyring, purpose="promises")
        self._kinds: dict[str, Keep] = {}

    def add(self, kind: str, keep: Keep) -> None:
        """How promises of this kind are kept."""
        self._kinds[kind] = keep

    async def give(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Promise; when this returns it will be done, whatever becomes of this process."""
        job_id = new_id("job")
        sealed = self._sealer.seal(encode(facts).decode(), owner=job_id)
        args = {"kind": kind, "facts": {"sealed": sealed}}
        await self._jobs.put(job_id, TASK, args, due_at=self._clock.now() + PATIENCE)
        with contextlib.suppress(Refused):  # too much is to be done here: a worker comes to it
            self._later.put(f"what was promised ({kind})", partial(self._keep_here, job_id, kind, facts))

    async def keep(self, job_id: str, kind: str, facts: Mapping[str, Any]) -> None:
        """A worker keeps what its process did not. Raises `Hopeless` for what cannot be read any more, which is gone then.

        Or it lay in a dead letter, where nobody who erases an account finds it, and who has the former key could read it.
        """
        try:
            read = self._sealer.unseal(facts["sealed"], owner=job_id)
        except (KeyError, Unsealable):
            await Job.empty(job_id, "facts")
            raise Hopeless("sealed with a key that is not named any more") from None
        await self._kinds[kind](orjson.loads(read))

    async def _keep_here(self, job_id: str, kind: str, facts: Mapping[str, Any]) -> None:
        await self._kinds[kind](facts)
        await Job.withdraw(job_id)
