"""A process that makes a certificate and kills itself on the way: `python -m tests.workers.certifying_main ENROLLMENT POINT...`.

For each point it forks a worker, which dies as `kill -9` would once that step is done; how each ended is a line of its output.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from config.settings import Settings, load_settings
from documents.certificate import Certificate
from documents.stored_file import StoredFile
from lms_rt.bootstrap import open_services
from lms_rt.contracts.jobs import CertificateArgs
from lms_rt.services.certificate_drawing import Drawing
from lms_rt.storage.files.local import LocalFiles

POINTS: dict[str, tuple[Any, str]] = {
    "numbered": (Certificate, "add"),
    "drawn": (Drawing, "draw"),
    "its bytes kept": (LocalFiles, "save"),
    "its file named": (StoredFile, "add"),
    "told of": (Certificate, "change_at"),
}
"""Methods; the process dies after the first call of them that did something."""


def arm(point: str) -> None:
    """Let the method of this point kill."""
    owner, name = POINTS[point]
    call = getattr(owner, name)

    async def deadly(*args: Any, **options: Any) -> Any:
        result = await call(*args, **options)
        if result is not False:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


async def work(settings: Settings, enrollment_id: str) -> None:
    """The job, for as long as this process lives."""
    async with open_services(settings, is_worker=True) as services:
        await services.certificates.carry_out(CertificateArgs(enrollment_id=enrollment_id))


def lived(settings: Settings, enrollment_id: str, point: str) -> int:
    """How it ended: minus the signal, or an exit status."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        arm(point)
        asyncio.run(work(settings, enrollment_id))
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        print(wanted, lived(load_settings(), sys.argv[1], wanted), sep=": ", flush=True)  # noqa: T201
