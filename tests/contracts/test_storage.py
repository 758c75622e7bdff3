"""Opening the database as the product does, on both engines; its faults in the house's words; the keys of a directory."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import (
    AutoReconnect,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
)

from config.settings import Settings
from documents import DOCUMENTS
from lms_rt.errors import Code, Refused
from lms_rt.storage import mongo
from lms_rt.storage.embedded import StoreError
from lms_rt.storage.faults import again_on_conflict, faults_translated, is_passing, translated
from lms_rt.storage.mongo import OpenDatabase, open_database
from lms_rt.storage.secrets import open_secrets, secrets_path


async def test_a_new_database_answers_and_has_every_index(database: OpenDatabase, engine: str) -> None:
    await database.ping()
    assert database.can_save
    assert database.is_embedded == (engine == "embedded")
    for document in DOCUMENTS:
        declared = getattr(document.Settings, "indexes", [])
        made = await document.rows().index_information()
        assert len(made) == (len(declared) + 1 if declared else 0), document.__name__


async def test_a_second_start_finds_the_data_and_makes_no_index_anew(settings: Settings) -> None:
    async with open_database(settings) as first:
        assert first.is_new == first.is_embedded
        await first.motor.things.insert_one({"_id": "a"})
        names = set(await first.motor.list_collection_names())
    async with open_database(settings) as second:
        assert not second.is_new
        assert await second.motor.things.count_documents({}) == 1
        assert set(await second.motor.list_collection_names()) == names
        if not second.is_embedded:
            await second.motor.client.drop_database(settings.mongodb_database)


async def test_a_server_that_is_not_there_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mongo._CLIENT_OPTIONS, "serverSelectionTimeoutMS", 50)
    settings = _elsewhere("mongodb://somebody:hidden@127.0.0.1:1/", tmp_path)
    with pytest.raises(StoreError, match=r"no answer from MongoDB at 127\.0\.0\.1:1: ") as caught:
        async with open_database(settings):
            pass
    assert "hidden" not in str(caught.value)
    assert "Topology" not in str(caught.value)


async def test_an_address_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="MONGODB_URL cannot be used"):
        async with open_database(_elsewhere("http://127.0.0.1/", tmp_path)):
            pass


def _elsewhere(url: str, tmp_path: Path) -> Settings:
    values: dict[str, Any] = {"mongodb_url": url, "redis_url": "redis://127.0.0.1:1/", "lms_data_dir": tmp_path}
    return Settings(_env_file=None, **values)


async def test_a_store_that_cannot_save_does_not_answer_the_ping(settings: Settings, engine: str) -> None:
    async with open_database(settings) as database:
        if engine == "real":
            await database.motor.client.drop_database(settings.mongodb_database)
            database.motor.client.close()
        else:
            database._embedded.close()  # type: ignore[union-attr]
            assert not database.can_save
        with pytest.raises(Refused) as caught:
            await database.ping()
        assert caught.value.code is Code.UNAVAILABLE


_PASSING = [
    StoreError("not saved"),
    AutoReconnect("lost"),
    NetworkTimeout("slow"),
    NotPrimaryError("stepped down"),
    ServerSelectionTimeoutError("nobody"),
    OperationFailure("write conflict", 112),
    OperationFailure("shutting down", 91),
    InvalidOperation("Cannot use MongoClient after close"),
]
_OURS = [
    DuplicateKeyError("E11000", 11000),
    OperationFailure("bad operator", 2),
    InvalidOperation("No operations to execute"),
    ValueError("not the driver's"),
]


@pytest.mark.parametrize("error", _PASSING, ids=lambda error: type(error).__name__ + str(getattr(error, "code", "")))
def test_what_passes_by_itself_is_unavailable(error: Exception) -> None:
    assert is_passing(error)
    refused = translated(error)
    assert refused is not None
    assert (refused.code, refused.data) == (Code.UNAVAILABLE, {"retry_after_seconds": 2})
    with pytest.raises(Refused), faults_translated():
        raise error


@pytest.mark.parametrize("error", _OURS, ids=lambda error: type(error).__name__)
def test_what_is_our_mistake_stays_one(error: Exception) -> None:
    assert translated(error) is None
    with pytest.raises(type(error)), faults_translated():
        raise error


def test_a_document_that_grew_too_large_is_told_so() -> None:
    refused = translated(DocumentTooLarge("17 MB"))
    assert refused is not None
    assert refused.code is Code.TOO_LARGE


async def test_an_update_that_met_another_runs_again() -> None:
    tries: list[int] = []

    async def write() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OperationFailure("write conflict", 112)
        return "done"

    assert await again_on_conflict(write) == "done"
    assert len(tries) == 3


def test_keys_are_made_once_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    made = open_secrets(tmp_path, can_make=True)
    assert open_secrets(tmp_path, can_make=False) == made
    assert stat.S_IMODE(secrets_path(tmp_path).stat().st_mode) == 0o600
    assert len({made.secret_key, made.password_pepper}) == 2
    assert min(len(made.secret_key), len(made.password_pepper)) >= 32
    assert made.secret_key not in repr(made)


def test_lost_keys_are_not_made_anew_beside_old_data(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="lacks SECRET_KEY and PASSWORD_PEPPER"):
        open_secrets(tmp_path, can_make=False)
    open_secrets(tmp_path, can_make=True)
    text = secrets_path(tmp_path).read_text().splitlines()
    secrets_path(tmp_path).write_text(text[0])
    with pytest.raises(StoreError, match="lacks PASSWORD_PEPPER"):
        open_secrets(tmp_path, can_make=False)


def test_a_key_for_receipts_is_made_where_a_store_has_none_yet(tmp_path: Path) -> None:
    made = open_secrets(tmp_path, can_make=True)
    text = secrets_path(tmp_path).read_text().splitlines()
    secrets_path(tmp_path).write_text("\n".join(line for line in text if not line.startswith("SIGNING_KEY")))
    later = open_secrets(tmp_path, can_make=False)
    assert (later.secret_key, later.password_pepper) == (made.secret_key, made.password_pepper)
    assert later.signing_key != made.signing_key
    assert len(base64.urlsafe_b64decode(later.signing_key)) == 32
    assert open_secrets(tmp_path, can_make=False) == later
