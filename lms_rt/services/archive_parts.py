"""The parts of an archive of a course, read under ids that follow from a run, each held to be what it should be.

What stands in them is looked at by `course_portable.py`. All work on megabytes is done beside the event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any

from lms_rt.contracts.json_reader import parse_json
from lms_rt.errors import invalid
from lms_rt.ids import derived_id
from lms_rt.interchange import course_archive as form
from lms_rt.interchange.course_archive import canonical_id, canonical_ids, renamed
from lms_rt.services.archive_reading import ReadArchive
from lms_rt.services.course_packages import course_id_of

_COURSE = canonical_id("crs", 1)


class PartReader:
    """Reads parts one after the other. `names` are the new ids of all that were met so far."""

    def __init__(self, archive: ReadArchive, run_id: str) -> None:
        self._archive, self._run_id = archive, run_id
        self.names: dict[str, str] = {_COURSE: course_id_of(run_id)}

    async def parts(self, name: str, kind: type[Any]) -> Any:
        """One part; lists of files keep the id that they have in the archive, too."""
        raw = await self._archive.text(name)
        return await asyncio.to_thread(self._read, raw, name, kind)

    async def some(self, name: str) -> Any:
        """The same of a part that need not be there."""
        return await self.parts(name, dict) if name in self._archive.names else None

    def _read(self, raw: bytes, name: str, kind: type[Any]) -> Any:
        if hashlib.sha256(raw).hexdigest() != self._archive.told[name].sha256:
            raise invalid("file_id", f"{name} is damaged: it is not what was written.", "damaged")
        ids = canonical_ids(raw)
        new = ids - self.names.keys()
        if len(self.names) + len(new) > form.MAX_IDS:
            raise invalid("file_id", f"The archive has more than {form.MAX_IDS} different ids.", "too_large")
        self.names |= {one: derived_id(one[:3], self._run_id, one) for one in new}
        here = {one: self.names[one] for one in ids}
        value = parse_json(renamed(raw, here))
        _check_shape(value, name, kind, own_ids=set(here.values()))
        if name == form.FILES:
            back = {new: old for old, new in here.items()}
            for one in value:
                one["archived_id"] = back[one["id"]]
        return value


def _check_shape(value: Any, name: str, kind: type[Any], *, own_ids: set[str]) -> None:
    """Is it a list of objects, or an object, whose ids are all the archive's own? An id of the school is taken over by nobody."""
    items = value if kind is list else [value]
    if not isinstance(value, kind) or not all(isinstance(one, dict) for one in items):
        raise invalid("file_id", f"{name} is not what it should be.", "malformed_part")
    if not all(isinstance(one, str) and one in own_ids for one in _ids_told(items, name)):
        raise invalid("file_id", f"{name} has an id that is not one of an archive.", "malformed_part")


def _ids_told(items: list[Any], name: str) -> Iterator[Any]:
    """The ids under which a part puts things into the school."""
    if name in (form.COURSE, form.GRADEBOOK, form.CERTIFICATE):
        return
    for item in items:
        yield item.get("id")
        questions = item.get("questions")
        if isinstance(questions, list):
            yield from (one.get("id") if isinstance(one, dict) else None for one in questions)
