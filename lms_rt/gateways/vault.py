"""HashiCorp Vault over HTTP: signs in, reads one KV v2 secret, keeps a token alive. When that is done, others decide.

Every call blocks, up to VAULT_TIMEOUT_SECONDS: before the loop runs, or in a thread. No word of a fault holds a secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from config.settings import Settings
from config.settings_sources import SecretsFault

PATIENCE_SECONDS = 15.0
"""A Vault that is sealed or away at the start is asked again for so long."""
_LEAST_SECONDS = 0.1
"""Of a lease: its last second is told as 0, which would be for ever."""
_WAITS_SECONDS = (0.25, 0.5, 1.0, 2.0)
"""Between one question and the next; the last for all that follow."""


class VaultFault(SecretsFault):
    """It gives nothing. `is_passing`: asking again may help; `is_refused`: not with this token."""

    def __init__(self, words: str, *, is_passing: bool = False, is_refused: bool = False) -> None:
        super().__init__(words)
        self.is_passing, self.is_refused = is_passing, is_refused


@dataclass(frozen=True, slots=True)
class Secrets:
    """What lies in Vault: the values by name, and which version of them."""

    values: Mapping[str, str]
    version: int


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a token lives, in seconds (0: for ever), and whether it may live longer."""

    seconds: float
    is_renewable: bool


class Vault:
    """One client of a Vault; it holds its token and nothing else."""

    def __init__(self, settings: Settings) -> None:
        # Nobody waits for these at the start who has no Vault.
        import hvac  # noqa: PLC0415
        import requests  # noqa: PLC0415

        self._role_id, self._secret_id = settings.vault_role_id, settings.vault_secret_id.get_secret_value()
        self._mount, _, self._path = settings.vault_path.partition("/")
        self._path = self._path.removeprefix("data/")
        session = requests.Session()
        session.trust_env = False  # no proxy and no .netrc of this machine sees the token
        session.verify = str(settings.vault_cacert) if settings.vault_cacert else True
        self._client = hvac.Client(
            url=settings.vault_addr.rstrip("/"),
            token=settings.vault_token.get_secret_value(),
            namespace=settings.vault_namespace or None,
            timeout=settings.vault_timeout_seconds,
            allow_redirects=False,  # the token goes to VAULT_ADDR and nowhere else
            session=session,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._client.adapter.close()

    @property
    def has_role(self) -> bool:
        """Can it sign in by itself?"""
        return bool(self._role_id)

    def sign_in(self) -> Lease:
        """A token by AppRole; else how long the one that was given lives."""
        if self.has_role:
            self._client.token = ""
            told = self._ask(lambda: self._client.auth.approle.login(self._role_id, self._secret_id or None), "auth")
            return _lease(told, "lease_duration")
        told = self._ask(self._client.auth.token.lookup_self, "data")
        if told.get("expire_time") is None:
            return Lease(0.0, bool(told.get("renewable", False)))
        left = _lease(told, "ttl")
        return Lease(max(left.seconds, _LEAST_SECONDS), left.is_renewable)

    def renew(self) -> Lease:
        """Let the token live longer."""
        told = self._ask(self._client.auth.token.renew_self, "auth")
        return _lease(told, "lease_duration")

    def revoke(self) -> None:
        """A token that was made by signing in is of no more use."""
        if self.has_role and self._client.token:
            self._ask(self._client.auth.token.revoke_self, "")

    def read(self) -> Secrets:
        """The secret as it is now."""
        read = self._client.secrets.kv.v2.read_secret_version
        told = self._ask(lambda: read(self._path, mount_point=self._mount, raise_on_deleted_version=True), "data")
        values = told.get("data")
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise VaultFault(f"{self._mount}/{self._path} holds something else than texts")
        return Secrets(values, _version_of(told.get("metadata")))

    def _ask(self, call: Callable[[], Any], part: str) -> Any:
        """The part of the answer that counts. Raises `VaultFault`."""
        import hvac.exceptions  # noqa: PLC0415
        import requests  # noqa: PLC0415

        try:
            answer = call()
        except hvac.exceptions.VaultError as error:
            raise _fault_of(error) from None
        except (requests.RequestException, OSError) as error:
            raise VaultFault(f"it does not answer ({type(error).__name__})", is_passing=True) from None
        except (KeyError, TypeError, ValueError) as error:
            raise VaultFault(f"its answer is none of Vault's ({type(error).__name__})") from None
        if not part:
            return None
        if not isinstance(answer, dict) or not isinstance(answer.get(part), dict):
            raise VaultFault("its answer is none of Vault's")
        return answer[part]


def _lease(told: Mapping[str, Any], name: str) -> Lease:
    """How long it says under this name that a token lives. Raises `VaultFault` where it does not say so."""
    try:
        return Lease(float(told[name]), bool(told.get("renewable", False)))
    except (KeyError, TypeError, ValueError):
        raise VaultFault(f"its answer is none of Vault's (no {name})") from None


def _version_of(metadata: Any) -> int:
    """Which version of a secret it is; 0 where nothing is said of that."""
    version = metadata.get("version") if isinstance(metadata, dict) else None
    return version if isinstance(version, int) else 0


def _fault_of(error: Any) -> VaultFault:
    """In our words: what Vault itself says may repeat what it was asked."""
    import hvac.exceptions as told  # noqa: PLC0415

    if isinstance(error, told.VaultDown):
        return VaultFault("it is sealed or in maintenance", is_passing=True)
    if isinstance(error, told.VaultNotInitialized):
        return VaultFault("it is not initialised", is_passing=True)
    if isinstance(error, told.RateLimitExceeded | told.InternalServerError | told.BadGateway | told.PreconditionFailed):
        return VaultFault(f"it cannot answer now ({type(error).__name__})", is_passing=True)
    if isinstance(error, told.Forbidden | told.Unauthorized | told.InvalidRequest):
        return VaultFault("it refuses the token, the role, or the path", is_refused=True)
    if isinstance(error, told.InvalidPath):
        return VaultFault("there is nothing at VAULT_PATH")
    return VaultFault(f"it answers with an error ({type(error).__name__})")


def read_secrets(settings: Settings) -> Mapping[str, str]:
    """What Vault holds for the settings; asked again while it is sealed or away, but not for long. Raises `VaultFault`."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    waits = iter(_WAITS_SECONDS)
    with Vault(settings) as vault:
        while True:
            try:
                return _read_once(vault)
            except VaultFault as fault:
                wait_seconds = next(waits, _WAITS_SECONDS[-1])
                if not fault.is_passing or time.monotonic() + wait_seconds > give_up_at:
                    raise
                time.sleep(wait_seconds)


def _read_once(vault: Vault) -> Mapping[str, str]:
    if vault.has_role:
        vault.sign_in()
    try:
        return vault.read().values
    finally:
        _revoke(vault)


def _revoke(vault: Vault) -> None:
    try:
        vault.revoke()
    except VaultFault:
        return  # it ends by itself
