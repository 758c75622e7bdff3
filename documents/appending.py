"""Collections that are only appended to, by places that are counted up: whoever comes second is told so. No rules."""

from __future__ import annotations

from collections.abc import Sequence

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.errors import BulkWriteError, DuplicateKeyError

from documents.base import Row

_DUPLICATE = 11000


async def append(collection: AsyncIOMotorCollection[Row], rows: Sequence[Row]) -> bool:
    """Insert them, in this order, at the places that they name. False when a place or an event was there already.

    What comes before the one that was there is inserted all the same: whoever is refused looks which are kept.
    """
    try:
        if len(rows) == 1:
            await collection.insert_one(rows[0])
        else:
            await collection.insert_many(rows, ordered=True)
    except DuplicateKeyError:
        return False
    except BulkWriteError as error:
        if any(fault.get("code") != _DUPLICATE for fault in (error.details or {}).get("writeErrors", [{}])):
            raise
        return False
    return True
