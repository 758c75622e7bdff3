"""The settings: every fault at once, secrets from files, warnings for what is read no more. Nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.settings import SettingsError, load_settings
from config.settings_checks import retired_settings

SECRET = "k9UJgXWtf5QXWKwFQ7wRVNKA44QnMpDgeJgTUz"
SIGNING_KEY = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
SOUND: dict[str, Any] = {
    "ENVIRONMENT": "production",
    "MONGODB_URL": "mongodb://db",
    "REDIS_URL": "redis://bus",
    "SECRET_KEY": SECRET,
    "PASSWORD_PEPPER": SECRET[::-1],
    "SIGNING_KEY": SIGNING_KEY,
    "COOKIE_SECURE": "true",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without any setting, and no `.env` beside."""
    monkeypatch.chdir(tmp_path)
    for name in (*SOUND, "PASSWORD_HASH_COST", "LMS_DATA_DIR", "HTTP_PORT", "REDIS_REPLICAS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def _faults(environment: pytest.MonkeyPatch, **values: str) -> list[str]:
    for name, value in values.items():
        environment.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.faults


def test_a_sound_production_starts(environment: pytest.MonkeyPatch) -> None:
    for name, value in SOUND.items():
        environment.setenv(name, value)
    assert load_settings().is_production


def test_production_names_every_fault_at_once_also_beside_a_value_that_is_none(
    environment: pytest.MonkeyPatch,
) -> None:
    unsafe = {
        "ENVIRONMENT": "production", "DEBUG": "1", "SECRET_KEY": "changeme", "PASSWORD_PEPPER": "", "REDIS_URL": "",
        "MONGODB_URL": "", "ENABLE_API_DOCS": "1", "TASKS_FORCE_INLINE": "1", "CORS_ORIGINS": "*",
        "ACCESS_TOKEN_BLACKLIST_FAIL_CLOSED": "0", "PASSWORD_HASH_COST": "4", "COOKIE_SECURE": "0",
        "HTTP_PORT": "99999", "TRUSTED_PROXIES": "nonsense",
    }  # fmt: skip
    named = {fault.split(" ")[0].rstrip(":") for fault in _faults(environment, **unsafe)}
    assert named == {
        "HTTP_PORT", "TRUSTED_PROXIES", "DEBUG", "SECRET_KEY", "PASSWORD_PEPPER", "MONGODB_URL", "ENABLE_API_DOCS",
        "TASKS_FORCE_INLINE", "CORS_ORIGINS", "ACCESS_TOKEN_BLACKLIST_FAIL_CLOSED", "PASSWORD_HASH_COST",
        "COOKIE_SECURE",
    }  # fmt: skip


@pytest.mark.parametrize("given", ["MONGODB_URL", "REDIS_URL"])
def test_a_database_and_its_bus_go_together(environment: pytest.MonkeyPatch, given: str) -> None:
    other = "REDIS_URL" if given == "MONGODB_URL" else "MONGODB_URL"
    keys = {"SECRET_KEY": SECRET, "PASSWORD_PEPPER": SECRET, "SIGNING_KEY": SIGNING_KEY}
    assert _faults(environment, **{given: "mongodb://x", **keys}) == [f"{given} is set without {other}"]


def test_nodes_share_the_key_that_signs_receipts(environment: pytest.MonkeyPatch) -> None:
    faults = _faults(environment, **{**SOUND, "SIGNING_KEY": ""})
    assert faults == ["SIGNING_KEY must be set: nodes share keys, never a directory"]


@pytest.mark.parametrize("given", ["short", "x" * 43, SIGNING_KEY[:-4], SIGNING_KEY + "AAAA", SECRET * 2])
def test_the_key_that_signs_receipts_is_32_bytes_in_base64(environment: pytest.MonkeyPatch, given: str) -> None:
    faults = _faults(environment, **{**SOUND, "SIGNING_KEY": given})
    assert faults[0].startswith("SIGNING_KEY: Value error, use 32 bytes in base64")
    assert given not in "".join(faults)


@pytest.mark.parametrize("spelling", [SIGNING_KEY, SIGNING_KEY.rstrip("="), f" {SIGNING_KEY}\n"])
def test_the_key_that_signs_receipts_is_read_in_every_spelling(environment: pytest.MonkeyPatch, spelling: str) -> None:
    for name, value in {**SOUND, "SIGNING_KEY": spelling}.items():
        environment.setenv(name, value)
    assert load_settings().signing_seed == b"0123456789abcdefghijklmnopqrstuv"


def test_production_refuses_a_key_for_receipts_that_anybody_guesses(environment: pytest.MonkeyPatch) -> None:
    assert _faults(environment, **{**SOUND, "SIGNING_KEY": "A" * 43 + "="}) == ["SIGNING_KEY is weak or a default"]


def test_replicas_are_those_of_a_redis(environment: pytest.MonkeyPatch) -> None:
    (fault,) = _faults(environment, REDIS_REPLICAS="1")
    assert fault == "REDIS_REPLICAS is set without REDIS_URL"


def test_secrets_come_from_files(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = tmp_path / "key"
    kept.write_text(f"{SECRET}\n")
    environment.setenv("SECRET_KEY_FILE", str(kept))
    settings = load_settings()
    assert settings.secret_key.get_secret_value() == SECRET
    assert settings.masked()["SECRET_KEY"] == "********"
    assert SECRET not in repr(settings)


def test_every_file_that_cannot_be_read_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    files = {"SECRET_KEY_FILE": "binary", "PASSWORD_PEPPER_FILE": "missing", "METRICS_TOKEN_FILE": "."}
    named = {fault.split(" ")[0] for fault in _faults(environment, **files, HTTP_PORT="x")}
    assert named == {*files, "HTTP_PORT:"}


def test_a_retired_setting_names_its_successor() -> None:
    assert retired_settings({"CELERY_BROKER_URL": "x", "DATABASE_URL": "", "REDIS_URL": "y"}) == [
        "CELERY_BROKER_URL is not read any more: use TASKS_REDIS_URL"
    ]


@pytest.mark.parametrize("value", ["true", "false"])
def test_what_is_always_so_cannot_be_switched_off(environment: pytest.MonkeyPatch, value: str) -> None:
    (warning,) = retired_settings({"STRICT_ROUTER_IMPORTS": value, "VERSION": "22.04"})
    assert warning.startswith("STRICT_ROUTER_IMPORTS is not read any more: ")
    environment.setenv("VERSION", "22.04")
    assert "22.04" not in load_settings().masked().values()


@pytest.mark.parametrize(
    "bad", ["school", "School <school@lms.example>", "a b@lms.example", "a@b@c", "school@", "a..b@c"]
)
def test_the_sender_of_mails_is_an_address(environment: pytest.MonkeyPatch, bad: str) -> None:
    faults = _faults(environment, EMAIL_FROM=bad)
    assert [fault for fault in faults if fault.startswith("EMAIL_FROM: ") and "EMAIL_FROM_NAME" in fault]


def test_a_file_may_be_named_in_the_env_file_too(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    (tmp_path / "name").write_text("school\n")
    (tmp_path / ".env").write_text(f"SECRET_KEY_FILE={tmp_path}/key\nSECRET_KEY={'e' * 40}\nSMTP_USERNAME_FILE=name\n")
    settings = load_settings()
    assert (settings.secret_key.get_secret_value(), settings.smtp_username) == (SECRET, "school")


def test_the_environment_names_the_file_before_the_env_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    (tmp_path / ".env").write_text("SECRET_KEY_FILE=missing\n")
    environment.setenv("SECRET_KEY_FILE", "key")
    assert load_settings().secret_key.get_secret_value() == SECRET


def test_a_file_that_the_env_file_names_and_that_is_missing_is_a_fault(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SECRET_KEY_FILE=missing\n")
    (fault,) = _faults(environment)
    assert fault.startswith("SECRET_KEY_FILE cannot be read")


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("VAULT_ADDR", "vault.example"), ("VAULT_ADDR", "https://token@vault.example"), ("VAULT_PATH", "school"),
        ("VAULT_PATH", "secret/../sys"), ("SENTRY_DSN", "https://sentry.example/7"),
        ("SENTRY_DSN", "https://key@sentry.example/"),
    ],
)  # fmt: skip
def test_addresses_elsewhere_are_well_formed(environment: pytest.MonkeyPatch, name: str, bad: str) -> None:
    (fault,) = _faults(environment, **{name: bad})
    assert fault.startswith(f"{name}: ")
    assert bad not in fault


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"FILE_STORAGE_PROVIDER": "s3"}, {"S3_BUCKET"}),
        (
            {"FILE_STORAGE_PROVIDER": "azure"},
            {"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_CONTAINER_NAME"},
        ),
        ({"FILE_STORAGE_PROVIDER": "gridfs"}, {"FILE_STORAGE_PROVIDER"}),
        ({"S3_ACCESS_KEY_ID": "AKIA"}, {"S3_ACCESS_KEY_ID"}),
        ({"S3_ENDPOINT_URL": "ftp://minio"}, {"S3_ENDPOINT_URL:"}),
        ({"ALLOWED_UPLOAD_EXTENSIONS": "pdf,../etc"}, {"ALLOWED_UPLOAD_EXTENSIONS:"}),
    ],
)
def test_a_store_of_files_that_cannot_be_used_is_named_at_the_start(
    environment: pytest.MonkeyPatch, given: dict[str, str], missing: set[str]
) -> None:
    assert {fault.split(" ")[0] for fault in _faults(environment, **given)} == missing


def test_files_lie_where_the_data_does_unless_it_is_said(environment: pytest.MonkeyPatch) -> None:
    assert load_settings().file_store_kind == "local"
    environment.setenv("ALLOWED_UPLOAD_EXTENSIONS", ".PDF, png")
    assert load_settings().allowed_upload_extensions == ("pdf", "png")
