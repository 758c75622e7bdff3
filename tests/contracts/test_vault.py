"""Secrets from a Vault over HTTP: at the start, for as long as a process runs, and when it is sealed, away or says no."""

from __future__ import annotations

import asyncio
import logging
import threading
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import check
from config.settings import Settings, SettingsError, load_settings
from lms_rt.gateways import vault as gateway
from lms_rt.gateways.vault import VaultFault, read_secrets
from lms_rt.services import vault_keeper
from lms_rt.services.background import running
from lms_rt.services.vault_keeper import VaultKeeper
from tests.servers.ports import free_port
from tests.servers.vault_server import PATIENCE_SECONDS, ROLE, ROLE_SECRET, VaultServer, vault_running

KEY = "k9UJgXWtf5QXWKwFQ7wRVNKA44QnMpDgeJgTUz"
RENEW, SIGN_IN, READ = "/v1/auth/token/renew-self", "/v1/auth/approle/login", "/v1/secret/data/lms"


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[VaultServer]:
    """A Vault with a token; the environment names nothing, and nobody waits for long."""
    monkeypatch.chdir(tmp_path)
    for name in ("SECRET_KEY", "VAULT_TOKEN", "VAULT_ADDR", "MONGODB_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gateway, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(gateway, "_WAITS_SECONDS", (0.05,))
    with vault_running() as server:
        server.values = {"SECRET_KEY": KEY, "SMTP_USERNAME": "school"}
        server.give_token()
        yield server


def loaded(vault: VaultServer, **more: Any) -> Settings:
    access = {} if "vault_role_id" in more else {"vault_token": "hvs.root"}
    return load_settings(read_secrets, **{"_env_file": None, "vault_addr": vault.address} | access | more)


def faults(vault: VaultServer, **more: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(vault, vault_required=True, **more)
    assert not [fault for fault in caught.value.faults if "hvs." in fault or ROLE_SECRET in fault or KEY in fault]
    return caught.value.faults


def settings_of(vault: VaultServer, **more: Any) -> Settings:
    return Settings(_env_file=None, vault_addr=vault.address, **more)


# --- at the start ---


def test_what_lies_there_goes_before_files_and_the_environment(
    vault: VaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("f" * 40)
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SECRET_KEY", "e" * 40)
    settings = loaded(vault)
    assert (settings.secret_key.get_secret_value(), settings.smtp_username) == (KEY, "school")
    assert KEY not in repr(settings)


def test_without_an_address_nobody_is_asked(vault: VaultServer) -> None:
    assert load_settings(read_secrets, _env_file=None).secret_key.get_secret_value() == ""
    assert vault.asked == []


@pytest.mark.parametrize("path", ["secret/lms", "secret/data/lms"])
def test_both_spellings_of_a_path_lead_there(vault: VaultServer, path: str) -> None:
    assert loaded(vault, vault_path=path).secret_key.get_secret_value() == KEY


def test_a_role_signs_in_reads_and_gives_its_token_back(vault: VaultServer) -> None:
    settings = loaded(vault, vault_role_id=ROLE, vault_secret_id=ROLE_SECRET, vault_namespace="school")
    assert settings.secret_key.get_secret_value() == KEY
    assert list(vault.tokens) == ["hvs.root"]
    assert {headers["x-vault-namespace"] for headers in vault.headers} == {"school"}
    assert "x-vault-token" not in vault.headers[0]


def test_a_sealed_one_is_waited_for(vault: VaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "PATIENCE_SECONDS", PATIENCE_SECONDS)
    vault.is_sealed = True

    def unseal() -> None:
        vault.wait_for(READ, 2)
        vault.is_sealed = False

    thread = threading.Thread(target=unseal)
    thread.start()
    assert loaded(vault).secret_key.get_secret_value() == KEY
    thread.join()


def test_one_that_stays_sealed_is_named_among_all_faults(vault: VaultServer) -> None:
    vault.is_sealed = True
    assert faults(vault, http_port=99999) == [
        "HTTP_PORT: Input should be less than or equal to 65535",
        "VAULT_ADDR: it is sealed or in maintenance",
    ]


def test_one_that_is_away_is_named(vault: VaultServer) -> None:
    assert faults(vault, vault_addr="http://127.0.0.1:1") == ["VAULT_ADDR: it does not answer (ConnectionError)"]


def test_what_will_not_pass_is_not_waited_for(vault: VaultServer) -> None:
    assert faults(vault, vault_token="hvs.unknown") == ["VAULT_ADDR: it refuses the token, the role, or the path"]
    assert faults(vault, vault_role_id=ROLE, vault_secret_id="no") == [
        "VAULT_ADDR: it refuses the token, the role, or the path"
    ]
    assert faults(vault, vault_path="secret/other") == ["VAULT_ADDR: there is nothing at VAULT_PATH"]
    vault.is_deleted = True
    assert faults(vault) == ["VAULT_ADDR: there is nothing at VAULT_PATH"]
    assert len(vault.asked) == 4


def test_only_secrets_and_texts_may_lie_there(vault: VaultServer) -> None:
    vault.values = {"SECRET_KEY": KEY, "DEBUG": "1", "VAULT_TOKEN": "x"}
    assert faults(vault) == [
        "VAULT_PATH holds DEBUG, which is no secret of ours",
        "VAULT_PATH holds VAULT_TOKEN, which is no secret of ours",
    ]
    vault.values = {"SECRET_KEY": 7}
    assert faults(vault) == ["VAULT_ADDR: secret/lms holds something else than texts"]


def test_a_weak_key_is_a_fault_also_from_there(vault: VaultServer) -> None:
    vault.values = {"SECRET_KEY": "short"}
    assert faults(vault) == ["SECRET_KEY is shorter than 32 bytes"]


def test_where_it_is_not_required_what_is_set_elsewhere_holds(
    vault: VaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    vault.is_sealed = True
    settings = loaded(vault, vault_required=False, secret_key="e" * 40)
    assert settings.secret_key.get_secret_value() == "e" * 40
    assert "Vault: it is sealed or in maintenance; what is set elsewhere is used" in caplog.text


def test_production_wants_it_and_over_https(vault: VaultServer) -> None:
    assert not settings_of(vault).is_vault_required
    assert settings_of(vault, environment="production").is_vault_required
    with pytest.raises(SettingsError) as caught:
        loaded(vault, environment="production")
    assert "VAULT_ADDR is not https" in caught.value.faults


@pytest.mark.parametrize("path", [SIGN_IN, "/v1/auth/token/lookup-self", RENEW])
def test_an_answer_without_a_duration_is_none_of_its(vault: VaultServer, path: str) -> None:
    """Something that speaks half of Vault's language stops nobody with a fault that nobody can read."""
    real = vault.answer

    def halved(method: str, asked: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        status, told = real(method, asked, headers, body)
        for part in (told or {}).values() if asked == path else ():
            part.pop("lease_duration", None)
            part.pop("ttl", None)
        return status, told

    vault.answer = halved  # type: ignore[method-assign, assignment]
    vault.give_token("hvs.short", ttl_seconds=60)
    access = (
        {"vault_role_id": ROLE, "vault_secret_id": ROLE_SECRET} if path == SIGN_IN else {"vault_token": "hvs.short"}
    )
    with gateway.Vault(settings_of(vault, **access)) as client:
        if path == RENEW:
            client.sign_in()
        with pytest.raises(VaultFault, match="none of Vault's"):
            client.renew() if path == RENEW else client.sign_in()


def test_a_redirect_is_not_followed_with_the_token(vault: VaultServer) -> None:
    with vault_running() as stranger:
        stranger.values = {"SECRET_KEY": KEY}
        stranger.give_token()
        vault.elsewhere = stranger.address
        with pytest.raises(VaultFault, match="none of Vault's"):
            read_secrets(settings_of(vault, vault_token="hvs.root"))
        assert stranger.asked == []


def test_the_command_check_asks_it_too(vault: VaultServer, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("VAULT_ADDR", vault.address)
    monkeypatch.setenv("VAULT_TOKEN", "hvs.root")
    assert check.main(Namespace(read_secrets=read_secrets)) == 0
    shown = capsys.readouterr().out
    assert "SECRET_KEY=********\n" in shown
    assert KEY not in shown
    assert "hvs." not in shown


# --- while it runs ---


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(vault_keeper, "LEAST_SECONDS", 0.02)
    return caplog


async def heard(vault: VaultServer, path: str, count: int) -> None:
    await asyncio.to_thread(vault.wait_for, path, vault.count(path) + count)


async def test_a_token_is_renewed_for_as_long_as_the_process_runs(
    vault: VaultServer, keeping: pytest.LogCaptureFixture
) -> None:
    token = vault.tokens[vault.give_token("hvs.short", ttl_seconds=0.2)]
    async with running({"vault": VaultKeeper(settings_of(vault, vault_token="hvs.short")).run}):
        for _ in range(3):
            await heard(vault, RENEW, 1)
            vault.now += 0.9 * token.ttl_seconds
        await heard(vault, READ, 1)
        assert token.is_alive(vault.now)
    assert "hvs." not in keeping.text


async def test_a_role_whose_token_cannot_live_longer_signs_in_anew(
    vault: VaultServer, keeping: pytest.LogCaptureFixture
) -> None:
    vault.role_ttl_seconds = 0.2
    access = {"vault_role_id": ROLE, "vault_secret_id": ROLE_SECRET}
    async with running({"vault": VaultKeeper(settings_of(vault, **access)).run}):
        await heard(vault, RENEW, 1)
        for token in vault.tokens.values():
            token.longest_until = 0  # its longest life is over
        await heard(vault, SIGN_IN, 1)
        await heard(vault, RENEW, 1)


async def test_a_role_whose_token_was_taken_away_signs_in_anew(
    vault: VaultServer, keeping: pytest.LogCaptureFixture
) -> None:
    vault.role_ttl_seconds = 0.2
    access = {"vault_role_id": ROLE, "vault_secret_id": ROLE_SECRET}
    async with running({"vault": VaultKeeper(settings_of(vault, **access)).run}):
        await heard(vault, READ, 1)
        vault.tokens.clear()
        await heard(vault, SIGN_IN, 1)
        await heard(vault, RENEW, 1)


async def test_sealed_and_away_for_a_while_is_told_once_and_costs_nothing(
    vault: VaultServer, keeping: pytest.LogCaptureFixture
) -> None:
    keeping.set_level(logging.INFO, vault_keeper.__name__)
    vault.give_token("hvs.long", ttl_seconds=0.2)
    async with running({"vault": VaultKeeper(settings_of(vault, vault_token="hvs.long")).run}):
        await heard(vault, READ, 1)
        vault.is_sealed = True
        await heard(vault, RENEW, 3)
        assert keeping.text.count("Vault: it is sealed") == 1
        vault.is_sealed = False
        await heard(vault, READ, 2)
        assert keeping.text.count("Vault answers again") == 1


async def test_a_newer_version_is_told_and_used_from_the_next_start(
    vault: VaultServer, keeping: pytest.LogCaptureFixture
) -> None:
    vault.give_token("hvs.short", ttl_seconds=0.5)
    async with running({"vault": VaultKeeper(settings_of(vault, vault_token="hvs.short")).run}):
        await heard(vault, READ, 1)
        vault.version = 2
        await heard(vault, READ, 2)
    assert "Vault holds version 2 of the secrets; this process goes on with 1" in keeping.text


async def test_one_that_comes_back_at_its_place_is_found(keeping: pytest.LogCaptureFixture) -> None:
    with vault_running(port=free_port()) as vault:
        vault.values = {"SECRET_KEY": KEY}
        vault.give_token()
    keeper = VaultKeeper(settings_of(vault, vault_token="hvs.root"))
    told = asyncio.Event()
    loop, tell = asyncio.get_running_loop(), keeper._tell
    keeper._tell = lambda fault: (tell(fault), loop.call_soon_threadsafe(told.set))[0]  # type: ignore[method-assign]
    async with running({"vault": keeper.run}):
        await told.wait()
        with vault_running(vault, port=vault.port):
            await heard(vault, READ, 1)
    assert "Vault: it does not answer (ConnectionError); the secrets that were read" in keeping.text
