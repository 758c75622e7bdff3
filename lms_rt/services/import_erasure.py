"""What becomes of runs over many things when a person is erased: their own go, rows about them speak of nobody. May be run again."""

from __future__ import annotations

from documents import erasing
from documents.base import Row
from documents.import_run import ImportPart, ImportRun
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.import_runs import file_ids_of

_ABOUT = ("email", "email_key", "full_name")


async def runs(ground: Ground) -> None:
    """Those that the person asked for: files first, then the rows, then what tells of them."""
    async for page in erasing.walk(ImportRun, {"user_id": ground.leaving.user_id}, ("tries",)):
        for row in page:
            for file_id in file_ids_of(row):
                await ground.files.remove(file_id)
            await ImportPart.forget_of(row["_id"])
    await erasing.remove_all(ImportRun, {"user_id": ground.leaving.user_id})


async def parts(ground: Ground) -> None:
    """Rows of others' tables that name the person."""
    leaving = ground.leaving
    about = {"$or": [{"student_ids": leaving.user_id}, {"emails": {"$in": sorted(leaving.addresses)}}]}
    async for page in erasing.walk(ImportPart, about):
        for part in page:
            await _blank(part, leaving.user_id, set(leaving.addresses))


async def _blank(part: Row, user_id: str, addresses: set[str]) -> None:
    unset, gone = [], dict[str, str]()
    for place, row in part["rows_by_place"].items():
        is_theirs = part["results"].get(place, {}).get("student_id") == user_id
        if is_theirs or row.get("email_key") in addresses:
            unset += [f"rows_by_place.{place}.{name}" for name in _ABOUT]
            unset.append(f"results.{place}.student_id")
            gone[f"rows_by_place.{place}.code"] = "withheld"  # a run that comes to it later passes it over
    kept = {
        "emails": [one for one in part["emails"] if one not in addresses],
        "student_ids": [one for one in part["student_ids"] if one != user_id],
    }
    await erasing.blank(ImportPart, part["_id"], kept | gone, unset)
