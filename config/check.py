"""`python3 run.py check`: the effective settings with secrets masked, and every fault in them."""

from __future__ import annotations

import argparse
import json
import sys

from config.settings import SettingsError, load_settings
from config.settings_checks import retired_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own: the environment and `.env` are what is checked."""
    parser.epilog = "Exit status 0: the settings can be used; 1: the faults are listed."


def main(args: argparse.Namespace) -> int:
    """Print the settings, or every fault; warn of retired names. `args.read_secrets` asks Vault, if it is handed in."""
    for warning in retired_settings():
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
    try:
        settings = load_settings(getattr(args, "read_secrets", None))
    except SettingsError as error:
        print(*(f"fault: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)  # noqa: T201
        return 1
    for name, value in settings.masked().items():
        print(f"{name}={value if isinstance(value, str) else json.dumps(value)}")  # noqa: T201
    return 0
