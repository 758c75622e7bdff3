"""How a sub-command reaches the data: through the running server's control socket, else by opening the store itself."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from config.settings import Settings, SettingsError, load_settings
from lms_rt.bootstrap import Services, StoreError, open_services
from lms_rt.errors import Refused
from lms_rt.gateways.vault import read_secrets
from lms_rt.storage.control import ControlFault, NotRunning, call

Work = Callable[[Services], Awaitable[Any]]


def settings_for(data_dir: str | None) -> Settings:
    """The settings, with another data directory when one is named. Raises `SettingsError`."""
    return load_settings(read_secrets, **({"lms_data_dir": Path(data_dir)} if data_dir else {}))


async def ask_or_do(settings: Settings, operation: str, arguments: dict[str, Any], work: Work) -> Any:
    """The result of `operation`, carried out by the running server, or by `work` when none is running.

    Both give plain JSON values. Raises `Refused`, `ControlFault` or `StoreError`.
    """
    if settings.is_embedded:
        try:
            return await call(settings.lms_data_dir, operation, timeout_seconds=600, **arguments)
        except NotRunning:
            pass
    async with open_services(settings) as services:
        return await work(services)


def password_of(email: str) -> str:
    """The password in LMS_PASSWORD, else asked for. Raises `EOFError` where there is no terminal to ask at."""
    if given := os.environ.get("LMS_PASSWORD"):
        return given
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would show what is typed
        try:
            return getpass.getpass(f"Password of {email}: ")
        except getpass.GetPassWarning:
            raise EOFError from None


def run_command(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a sub-command; what can go wrong becomes one line each on standard error, and exit status 1."""
    try:
        return asyncio.run(work())
    except SettingsError as error:
        print(*(f"settings: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
    except Refused as refused:
        print(_words(refused), file=sys.stderr)
    except (ControlFault, NotRunning, StoreError) as error:
        print(str(error), file=sys.stderr)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise  # run.py knows what to do when nobody reads
        print(f"{error.filename}: {error.strerror}" if error.filename else str(error), file=sys.stderr)
    except EOFError:
        print("there is no terminal to ask for a password: set LMS_PASSWORD", file=sys.stderr)
    return 1


def _words(refused: Refused) -> str:
    faults = "; ".join(f"{fault.field}: {fault.message}" for fault in refused.fields)
    return f"{refused.code.code}: {refused.detail}{f' ({faults})' if faults else ''}"
