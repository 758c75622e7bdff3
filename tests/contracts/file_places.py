"""The four file stores as the contract suite looks at them: each with a look behind it that does not go through it."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobBlock, ContainerClient

from lms_rt.clock import Clock
from lms_rt.storage.files.azure import AzureFiles
from lms_rt.storage.files.base import FileStore
from lms_rt.storage.files.gridfs import GridFiles
from lms_rt.storage.files.local import LocalFiles
from lms_rt.storage.files.s3 import Bucket, S3Files
from tests.servers import s3_server
from tests.servers.azurite_server import CONTAINER
from tests.servers.s3_server import S3Server


class Place(ABC):
    """One store, and what lies behind it."""

    files: FileStore
    shows_the_half_written = True
    """Does `find_ids` name what a crash left, or remove it?"""
    tells_when_it_was_begun = True
    """moto says of every upload that it was begun in 2010."""

    @abstractmethod
    async def pieces_left(self) -> int:
        """How many pieces of files there are, whole or not."""

    @abstractmethod
    async def leave_by_crash(self, file_id: str) -> None:
        """What a process leaves that dies while it writes: nothing is undone."""

    @abstractmethod
    async def bytes_of(self, file_id: str) -> bytes:
        """The file as other tools read it."""


class LocalPlace(Place):
    shows_the_half_written = False

    def __init__(self, directory: Path) -> None:
        self.files, self.directory = LocalFiles(directory), directory

    async def pieces_left(self) -> int:
        return len(list(self.directory.iterdir()))

    async def leave_by_crash(self, file_id: str) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / f".begun-{file_id}-abcdefgh").write_bytes(b"half")

    async def bytes_of(self, file_id: str) -> bytes:
        return (self.directory / file_id).read_bytes()


class GridPlace(Place):
    def __init__(self, motor: Any) -> None:
        self.files, self.motor = GridFiles(motor, clock=Clock()), motor

    async def pieces_left(self) -> int:
        return int(await self.motor["files.chunks"].count_documents({}))

    async def leave_by_crash(self, file_id: str) -> None:
        for number in range(2):
            await self.motor["files.chunks"].insert_one({"files_id": file_id, "n": number, "data": b"half"})

    async def bytes_of(self, file_id: str) -> bytes:
        from motor.motor_asyncio import AsyncIOMotorGridFSBucket

        bucket = AsyncIOMotorGridFSBucket(self.motor, bucket_name="files")
        stream: Any = await bucket.open_download_stream(file_id)
        return bytes(await stream.read())


class S3Place(Place):
    shows_the_half_written = False
    tells_when_it_was_begun = False

    def __init__(self, server: S3Server) -> None:
        self.client: Any = server.client()
        self.url = server.url
        self.files = S3Files(Bucket(s3_server.BUCKET, s3_server.REGION, server.url, s3_server.KEY_ID, s3_server.KEY))

    async def pieces_left(self) -> int:
        whole = self.client.list_objects_v2(Bucket=s3_server.BUCKET)["KeyCount"]
        return int(whole) + len(self.client.list_multipart_uploads(Bucket=s3_server.BUCKET).get("Uploads", ()))

    async def leave_by_crash(self, file_id: str) -> None:
        where = {"Bucket": s3_server.BUCKET, "Key": f"files/{file_id}"}
        begun = self.client.create_multipart_upload(**where)
        self.client.upload_part(**where, UploadId=begun["UploadId"], PartNumber=1, Body=b"half")

    async def bytes_of(self, file_id: str) -> bytes:
        return bytes(self.client.get_object(Bucket=s3_server.BUCKET, Key=f"files/{file_id}")["Body"].read())

    def empty(self) -> None:
        for item in self.client.list_objects_v2(Bucket=s3_server.BUCKET).get("Contents", ()):
            self.client.delete_object(Bucket=s3_server.BUCKET, Key=item["Key"])
        for upload in self.client.list_multipart_uploads(Bucket=s3_server.BUCKET).get("Uploads", ()):
            where = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
            self.client.abort_multipart_upload(Bucket=s3_server.BUCKET, **where)


class AzurePlace(Place):
    def __init__(self, connection: str) -> None:
        self.container = ContainerClient.from_connection_string(connection, CONTAINER)
        if not self.container.exists():
            self.container.create_container()
        self.files = AzureFiles(connection, CONTAINER, clock=Clock())

    async def pieces_left(self) -> int:
        return len(list(self.container.list_blobs(include=["uncommittedblobs"])))

    async def leave_by_crash(self, file_id: str) -> None:
        block = BlobBlock(base64.b64encode(b"00000000").decode())
        self.container.get_blob_client(f"files/{file_id}").stage_block(block.id, b"half")

    async def bytes_of(self, file_id: str) -> bytes:
        return bytes(self.container.download_blob(f"files/{file_id}").readall())

    def empty(self) -> None:
        for blob in self.container.list_blobs(include=["uncommittedblobs"]):
            one = self.container.get_blob_client(blob.name)
            one.upload_blob(b"", overwrite=True)
            one.delete_blob()
