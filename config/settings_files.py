"""The settings of files: where they lie, how large they may be, and how much room they may take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from config.settings_accounts import MAX_DAYS, Words

Provider = Literal["gridfs", "local", "s3", "azure"]
ALLOWED_EXTENSIONS = "mp4,webm,avi,mov,mp3,m4a,ogg,wav,pdf,doc,docx,ppt,pptx,xls,xlsx,odt,ods,odp,txt,csv,md,vtt,jpg,jpeg,png,gif,webp,zip"


class FileSettings(BaseSettings):
    """Files and their stores."""

    file_storage_provider: Literal["auto", "gridfs", "local", "s3", "azure"] = Field(
        "auto",
        description="Where files are kept: gridfs (auto, with MongoDB), local (auto, on the embedded store), s3 or azure.",
    )
    upload_dir: Path | None = Field(None, description="Directory of local files; default: uploads in LMS_DATA_DIR.")
    max_upload_mb: int = Field(100, ge=1, le=10_240, description="Largest file that may be uploaded, in MiB.")
    allowed_upload_extensions: Words = Field(
        tuple(ALLOWED_EXTENSIONS.split(",")), description="Kinds of files that may be uploaded, by their extensions."
    )
    max_image_pixels: int = Field(
        40_000_000, ge=1_000_000, le=500_000_000, description="Images with more pixels are refused."
    )
    max_storage_mb_per_user: int = Field(
        2_048, ge=1, le=10_000_000, description="So much room the files of one person may take, in MiB."
    )
    max_storage_mb_per_course: int = Field(
        20_480, ge=1, le=10_000_000, description="So much room the files of one course may take, in MiB."
    )
    file_download_url_expire_seconds: int = Field(900, ge=10, le=86_400, description="Life of a link to a file.")
    retention_untouched_uploads_days: int = Field(
        7, ge=1, le=MAX_DAYS, description="Uploads that are used for nothing and that nobody touches."
    )
    s3_bucket: str = Field("", description="S3: the bucket, which is there already.")
    s3_region: str = Field("us-east-1", description="S3: its region.")
    s3_endpoint_url: str = Field("", description="S3: address of another service that speaks it; default: Amazon's.")
    s3_access_key_id: SecretStr = Field(
        SecretStr(""), description="S3: the key's id; empty: that of the machine's role."
    )
    s3_secret_access_key: SecretStr = Field(SecretStr(""), description="S3: the key.")
    azure_storage_connection_string: SecretStr = Field(
        SecretStr(""), description="Azure Blob Storage: account, key and address."
    )
    azure_storage_container_name: str = Field(
        "", description="Azure Blob Storage: the container, which is there already."
    )

    @field_validator("allowed_upload_extensions", mode="before")
    @classmethod
    def _split_extensions(cls, value: object) -> object:
        words = value.split(",") if isinstance(value, str) else value
        return (
            tuple(str(word).strip().lstrip(".").lower() for word in words) if isinstance(words, list | tuple) else words
        )

    @field_validator("allowed_upload_extensions")
    @classmethod
    def _extensions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not all(re.fullmatch(r"[a-z0-9]{1,8}", word) for word in value):
            raise ValueError("use extensions such as pdf,png,mp4")
        return value

    @field_validator("s3_endpoint_url")
    @classmethod
    def _endpoint(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username):
            raise ValueError("use https://host:port")
        return value.rstrip("/")

    def file_faults(self, *, is_embedded: bool, is_production: bool) -> list[str]:
        """Why files cannot be kept so."""
        needed = {
            "s3": ("s3_bucket", "s3_region"),
            "azure": ("azure_storage_connection_string", "azure_storage_container_name"),
        }.get(self.file_storage_provider, ())
        values = {name: getattr(self, name) for name in needed}
        faults = [
            f"{name.upper()} must be set: FILE_STORAGE_PROVIDER is {self.file_storage_provider}"
            for name, value in values.items()
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value)
        ]
        has_id, has_key = (bool(one.get_secret_value()) for one in (self.s3_access_key_id, self.s3_secret_access_key))
        if has_id != has_key:
            faults.append("S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY go together")
        if self.file_storage_provider == "gridfs" and is_embedded:
            faults.append("FILE_STORAGE_PROVIDER is gridfs, but MONGODB_URL is not set")
        if is_production and self.s3_endpoint_url.startswith("http:"):
            faults.append("S3_ENDPOINT_URL is not https")
        return faults
