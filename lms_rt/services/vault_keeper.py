"""Keeps a node's token of Vault alive, and tells operators when a newer version of the secrets lies there.

What was read at the start holds until the process ends: a Vault that is sealed or away meanwhile changes nothing but the log.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from config.settings import Settings
from lms_rt.gateways.vault import Lease, Vault, VaultFault

LOOK_SECONDS = 300.0
"""At least so often somebody looks whether the secrets have changed."""
LEAST_SECONDS = 0.5
"""Nobody asks more often, however short a token lives …"""
AGAIN_SECONDS = 60.0
"""… and while it does not answer, the pause doubles up to here."""

_log = logging.getLogger(__name__)


class VaultKeeper:
    """The renewal of one process."""

    def __init__(self, settings: Settings, vault_of: Callable[[Settings], Vault] = Vault) -> None:
        self._settings, self._vault_of = settings, vault_of
        self._version: int | None = None
        self._is_silent = False

    async def run(self) -> None:
        """Renew at half of each lease, until cancelled."""
        vault = await asyncio.to_thread(self._vault_of, self._settings)
        lease: Lease | None = None
        pause_seconds = LEAST_SECONDS
        try:
            while True:
                try:
                    lease = await asyncio.to_thread(self._kept, vault, lease)
                    pause_seconds = LEAST_SECONDS
                    self._hear()
                    wait_seconds = _half_of(lease)
                except VaultFault as fault:
                    self._tell(fault)
                    lease = None if fault.is_refused else lease  # signed in anew, where that is possible
                    wait_seconds = pause_seconds
                    pause_seconds = min(pause_seconds * 2, AGAIN_SECONDS)
                await asyncio.sleep(wait_seconds * random.uniform(0.8, 1.0))  # noqa: S311 - nodes shall not come together
        finally:
            vault.close()

    def _kept(self, vault: Vault, lease: Lease | None) -> Lease:
        """In a thread: the token lives on, by a renewal or by signing in anew; then a look at the secrets."""
        if lease is None or (vault.has_role and not lease.is_renewable):
            lease = vault.sign_in()
        elif lease.is_renewable:
            kept = vault.renew()
            # At the end of its longest life a renewal gives less and less: a role signs in anew.
            lease = vault.sign_in() if vault.has_role and kept.seconds < lease.seconds / 2 else kept
        version = vault.read().version
        if self._version is not None and version != self._version:
            _log.warning("Vault holds version %s of the secrets; this process goes on with %s", version, self._version)
        self._version = version
        return lease

    def _tell(self, fault: VaultFault) -> None:
        """Once, until it is well again."""
        if not self._is_silent:
            _log.warning("Vault: %s; the secrets that were read at the start are used on", fault)
        self._is_silent = True

    def _hear(self) -> None:
        if self._is_silent:
            _log.info("Vault answers again")
        self._is_silent = False


def _half_of(lease: Lease) -> float:
    """When to come again."""
    half = lease.seconds / 2 if lease.seconds else LOOK_SECONDS
    return min(max(half, LEAST_SECONDS), LOOK_SECONDS)
