"""Files that are worked on after their upload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import FileArgs
from lms_rt.services.jobs import Taken
from workers.tasks.base import Perform


async def clean_image(services: Services, taken: Taken) -> None:
    """Draw an image anew."""
    is_last_try = taken.kind.retries.wait_seconds(taken.failures + 1) is None
    await services.images.clean(cast("FileArgs", taken.args).file_id, is_last_try=is_last_try)


TASKS: Mapping[str, Perform] = {"files.thumbnail": clean_image}
"""Those of files."""
