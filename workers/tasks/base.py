"""What every task is given. A task is one call of a service; it may be run again at any moment, after any crash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lms_rt.bootstrap import Services
from lms_rt.services.jobs import Taken

Perform = Callable[[Services, Taken], Awaitable[None]]
"""Does the job once more. Raises `Failed` or `Hopeless` with words for people, `NotYet` to be run later."""
