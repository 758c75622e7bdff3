"""Copies of people's data, and the end of their accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import ErasureArgs, ExportArgs
from lms_rt.services.jobs import Taken
from workers.tasks.base import Perform


async def build_export(services: Services, taken: Taken) -> None:
    """Make an export; after the last try nobody waits for it any more."""
    export_id = cast("ExportArgs", taken.args).export_id
    try:
        await services.exports.build(export_id)
    except Exception:
        if taken.kind.retries.wait_seconds(taken.failures + 1) is None:
            await services.exports.give_up(export_id)
        raise


async def erase(services: Services, taken: Taken) -> None:
    """Erase somebody."""
    await services.erasure.run(cast("ErasureArgs", taken.args).user_id, job_id=taken.job_id)


async def sweep(services: Services, taken: Taken) -> None:  # noqa: ARG001 - as every task is called
    """Ask again for erasures that have been lost."""
    await services.erasure_sweep.sweep()


TASKS: Mapping[str, Perform] = {"exports.build": build_export, "erasure.run": erase, "erasure.sweep": sweep}
