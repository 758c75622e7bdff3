"""Where certificates are drawn: one thread of their own, so that they keep waiting no other work of the process.

Who asks by a page or by REST is refused while too many wait (503 `busy`); a worker's jobs, which its queue bounds, wait.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from lms_rt.errors import Code, Refused
from lms_rt.printing.certificate import PrintedCertificate, print_certificate

MOST_WAITING = 4
"""So many who ask at once are drawn for; drawing one takes some hundredths of a second, a long one a second."""


class Drawing:
    """One thread, and a queue with an end."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="certificates")
        self._asked = 0

    async def draw(self, facts: PrintedCertificate) -> bytes:
        """The PDF, as soon as it has its turn: for jobs."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, print_certificate, facts)

    async def draw_now(self, facts: PrintedCertificate) -> bytes:
        """The PDF for somebody who waits for it; 503 where too many do."""
        if self._asked >= MOST_WAITING:
            raise Refused(Code.BUSY, "Too many certificates are being drawn.", retry_after_seconds=1)
        self._asked += 1
        try:
            return await self.draw(facts)
        finally:
            self._asked -= 1
