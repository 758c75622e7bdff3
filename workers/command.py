"""What the commands of this room share: a start that fails in one line, and an end when they are told to. What they do is theirs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from config.logging import set_up_logging
from config.settings import Settings, SettingsError, load_settings
from lms_rt.bootstrap import StoreError
from lms_rt.gateways.error_reports import close_error_reports, open_error_reports
from lms_rt.gateways.vault import read_secrets

GIVES_WAY = 5
"""Of a core that both want a worker has a quarter, and all of it while no node wants any."""
UntilTold = Callable[[], Awaitable[Any]]
"""Waits for SIGTERM or Ctrl-C."""
Work = Callable[[Settings, UntilTold], Coroutine[Any, Any, None]]


def run_until_told(name: str, work: Work) -> int:
    """Run `work` on the MongoDB and the Redis of the nodes; exit status 1, with one line, when it cannot start."""
    reports = None
    try:
        settings = load_settings(read_secrets)
        set_up_logging(settings)
        reports = open_error_reports(settings, name)
        if settings.is_embedded:
            raise StoreError("the embedded store belongs to one process, `serve`, which does this too; set MONGODB_URL")
        asyncio.run(_run(settings, work))
    except SettingsError as error:
        print(*(f"settings: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)  # noqa: T201
    except (StoreError, OSError) as error:
        print(f"the {name} cannot start: {error}", file=sys.stderr)  # noqa: T201
    except KeyboardInterrupt:
        return 0
    else:
        return 0
    finally:
        close_error_reports(reports)
    return 1


async def _run(settings: Settings, work: Work) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await work(settings, stop.wait)


def give_way() -> None:
    """Let the nodes of the same machine go first: nobody waits for a job as one waits for an answer."""
    with contextlib.suppress(OSError):
        os.nice(GIVES_WAY)


def say(words: str) -> None:
    """A command's own output; it does not end because nobody reads it any more."""
    with contextlib.suppress(BrokenPipeError):
        print(words, flush=True)  # noqa: T201
