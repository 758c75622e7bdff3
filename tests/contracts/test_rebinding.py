"""A database to which the suite binds documents anew (`tests/rebinding.py`) is as Beanie alone would have made it."""

from __future__ import annotations

from typing import Any

from beanie import init_beanie

from config.settings import Settings
from documents import DOCUMENTS
from lms_rt.storage.mongo import open_database


async def _indexes(database: Any) -> dict[str, Any]:
    names = {document.get_collection_name() for document in DOCUMENTS}
    return {name: dict(await database[name].index_information()) for name in names}


async def test_every_collection_has_the_indexes_that_beanie_makes(settings: Settings) -> None:
    async with open_database(settings):
        pass  # the first one of a process is Beanie's own
    bound = settings.model_copy(update={"mongodb_database": f"{settings.mongodb_database}_bound"})
    async with open_database(bound) as opened:
        assert all(document.rows().database.name == bound.mongodb_database for document in DOCUMENTS)
        found, client = await _indexes(opened.motor), opened.motor.client
        alone = client[f"{settings.mongodb_database}_alone"]
        await init_beanie(database=alone, document_models=list(DOCUMENTS))
        assert found == await _indexes(alone)
        assert len(found) == len(DOCUMENTS)
        for name in (settings.mongodb_database, bound.mongodb_database, alone.name):
            await client.drop_database(name)
