"""A server that speaks S3 (moto's) for the tests: a process of its own on a free port, with one bucket, in memory."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import boto3

from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess

BUCKET = "school"
REGION = "eu-central-1"
KEY_ID, KEY = "AKIATESTTESTTESTTEST", "secretsecretsecret"


@dataclass(frozen=True)
class S3Server:
    """Where it is; and a client that is not ours."""

    url: str

    def client(self) -> object:
        return boto3.client(
            "s3", endpoint_url=self.url, region_name=REGION, aws_access_key_id=KEY_ID, aws_secret_access_key=KEY
        )


@contextlib.contextmanager
def running_s3() -> Iterator[S3Server]:
    """It answers while the body runs."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with ServerProcess(command, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
        process.line_with("Running on")
        server = S3Server(f"http://127.0.0.1:{port}")
        client: object = server.client()
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})  # type: ignore[attr-defined]
        yield server
