"""Opening the database: the embedded store or a MongoDB server, behind the same driver's interface, with its indexes.

Chosen once, here, by the settings. No queries; those are in `documents/`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from beanie import init_beanie
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo.errors import OperationFailure, PyMongoError

from config.settings import Settings
from documents import DOCUMENTS
from lms_rt.errors import Code, Refused
from lms_rt.storage.embedded import EmbeddedClient, StoreError, open_store
from lms_rt.storage.faults import faults_translated, is_passing

STORE_NAME = "lms.db"
_SECONDS = 1000
_CLIENT_OPTIONS: dict[str, Any] = {
    "tz_aware": True,
    "w": "majority",
    "readConcernLevel": "majority",
    "serverSelectionTimeoutMS": 5 * _SECONDS,
    "connectTimeoutMS": 5 * _SECONDS,
    "socketTimeoutMS": 20 * _SECONDS,
    "waitQueueTimeoutMS": 10 * _SECONDS,
    "appname": "lms_rt",
}


@dataclass(frozen=True)
class OpenDatabase:
    """The database in use, whichever it is."""

    motor: AsyncIOMotorDatabase[dict[str, Any]]
    _embedded: EmbeddedClient | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether it lives in this process."""
        return self._embedded is not None

    @property
    def can_save(self) -> bool:
        """Whether the embedded store could save the last change; of a server nothing is known before asking it."""
        return self._embedded is None or self._embedded.store.can_save

    @property
    def is_new(self) -> bool:
        """Whether this is an embedded store without a single document."""
        return self._embedded is not None and self._embedded.store.document_count == 0

    async def settle(self) -> None:
        """Let what was removed leave the disk, as far as that is in our hands: a server sees to its own."""
        if self._embedded is not None:
            self._embedded.store.settle()

    async def find_size_bytes(self) -> int | None:
        """How much the data takes on disk; None where the server does not tell."""
        if self._embedded is not None:
            path = self._embedded.store.path
            return sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*") if part.is_file())
        try:
            with faults_translated():
                told = await self.motor.command("dbStats")
        except OperationFailure:
            return None
        return int(told.get("storageSize", 0)) + int(told.get("indexSize", 0))

    async def ping(self) -> None:
        """Return when the database takes writes as far as can be told, else raise `unavailable`."""
        if self._embedded is not None:
            if not self._embedded.store.probe():
                raise Refused(Code.UNAVAILABLE, "The store cannot save: see the disk and the log.")
            return
        with faults_translated():
            await self.motor.command("ping")


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[OpenDatabase]:
    """The database of these settings with all indexes made; closed at the end. Raises `StoreError` in one line."""
    client = _embedded_client(settings) if settings.is_embedded else _server_client(settings)
    try:
        motor = client[settings.mongodb_database]
        try:
            await init_beanie(database=motor, document_models=list(DOCUMENTS))
        except PyMongoError as error:
            if not is_passing(error) or settings.is_embedded:
                raise
            reason = str(error).partition(" (configured")[0]  # without the driver's page of timeouts
            raise StoreError(f"no answer from MongoDB at {_hosts(client)}: {reason}") from error
        yield OpenDatabase(motor, client if isinstance(client, EmbeddedClient) else None)
    finally:
        client.close()


def _embedded_client(settings: Settings) -> EmbeddedClient:
    return open_store(settings.lms_data_dir / STORE_NAME, durability=settings.lms_durability)


def _server_client(settings: Settings) -> AsyncIOMotorClient[dict[str, Any]]:
    url = settings.mongodb_url.get_secret_value()
    try:
        return AsyncIOMotorClient(url, maxPoolSize=settings.mongodb_max_pool_size, **_CLIENT_OPTIONS)
    except (PyMongoError, ValueError) as error:
        raise StoreError(f"MONGODB_URL cannot be used: {error}") from error


def _hosts(client: AsyncIOMotorClient[dict[str, Any]]) -> str:
    """The addresses that were tried, without user and password."""
    return ", ".join(
        f"{host}:{port}" for host, port in sorted(client.delegate.topology_description.server_descriptions())
    )
