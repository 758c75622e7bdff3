"""`python3 run.py create-admin EMAIL`: the first administrator; works beside a running embedded server."""

from __future__ import annotations

import argparse
import sys

from lms_rt.bootstrap import Services
from lms_rt.console.store import ask_or_do, password_of, run_command, settings_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who the administrator is; the password is asked for, or read from LMS_PASSWORD."""
    parser.add_argument("email", help="address to sign in with")
    parser.add_argument("--name", default="Administrator", help="full name (default: Administrator)")
    parser.add_argument("--data", metavar="DIR", help="data directory of the embedded store")
    parser.epilog = "The password is read from LMS_PASSWORD, else asked for."


def main(args: argparse.Namespace) -> int:
    """Make the account; exit status 1 with one line when it cannot be made."""
    return run_command(lambda: _create(args))


async def _create(args: argparse.Namespace) -> int:
    settings = settings_for(args.data)
    arguments = {"email": args.email, "password": password_of(args.email), "full_name": args.name}

    async def work(services: Services) -> object:
        return await create_admin(services, **arguments)

    made = await ask_or_do(settings, "create_admin", arguments, work)
    sys.stdout.write(f"{made['email']} is an administrator now ({made['id']}).\n")
    return 0


async def create_admin(services: Services, *, email: str, password: str, full_name: str) -> dict[str, str]:
    """Make an administrator: `{id, email}`. Raises `Refused` (email_taken, validation_failed)."""
    user = await services.accounts.create_admin(email, password, full_name)
    return {"id": user.id, "email": user.email}
