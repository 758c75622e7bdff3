"""The one place that knows which file stores there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.settings import Settings
from lms_rt.clock import Clock
from lms_rt.storage.backup import UPLOADS_NAME
from lms_rt.storage.embedded import StoreError
from lms_rt.storage.files.base import FileStore
from lms_rt.storage.files.gridfs import GridFiles
from lms_rt.storage.files.local import LocalFiles
from lms_rt.storage.mongo import OpenDatabase


@asynccontextmanager
async def open_file_store(settings: Settings, clock: Clock, database: OpenDatabase) -> AsyncIterator[FileStore]:
    """The store that the settings name, closed at the end."""
    store = _store(settings, clock, database)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def _store(settings: Settings, clock: Clock, database: OpenDatabase) -> FileStore:
    kind = settings.file_store_kind
    if kind == "s3":
        return _s3(settings)
    if kind == "azure":
        return _azure(settings, clock)
    if kind == "gridfs":
        return GridFiles(database.motor, clock=clock)
    return LocalFiles(settings.upload_dir or settings.lms_data_dir / UPLOADS_NAME)


def _s3(settings: Settings) -> FileStore:
    from lms_rt.storage.files.s3 import Bucket, S3Files  # noqa: PLC0415 - 0.4 s and 30 MiB that only it needs

    bucket = Bucket(
        name=settings.s3_bucket,
        region=settings.s3_region,
        endpoint_url=settings.s3_endpoint_url,
        access_key_id=settings.s3_access_key_id.get_secret_value(),
        secret_access_key=settings.s3_secret_access_key.get_secret_value(),
    )
    return S3Files(bucket)


def _azure(settings: Settings, clock: Clock) -> FileStore:
    from lms_rt.storage.files.azure import AzureFiles  # noqa: PLC0415 - the same

    connection = settings.azure_storage_connection_string.get_secret_value()
    try:
        return AzureFiles(connection, settings.azure_storage_container_name, clock=clock)
    except ValueError as error:
        raise StoreError("AZURE_STORAGE_CONNECTION_STRING cannot be used") from error
