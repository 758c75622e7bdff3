"""Runs over many things: people into a course, courses copied, taken out and put in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import ImportArgs
from lms_rt.services.jobs import NotYet, Taken
from workers.tasks.base import Perform


async def run(services: Services, taken: Taken) -> None:
    """Do a run, or go on with it; after the last try nobody waits for it any more."""
    import_id = cast("ImportArgs", taken.args).import_id
    try:
        await services.import_runs.run(import_id)
    except NotYet:
        raise
    except Exception:
        if taken.kind.retries.wait_seconds(taken.failures + 1) is None:
            await services.import_runs.give_up(import_id)
        raise


TASKS: Mapping[str, Perform] = {"imports.run": run}
