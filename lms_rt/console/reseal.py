"""`python3 run.py reseal`: seals anew what former keys sealed; works beside a running server."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

from lms_rt.bootstrap import Services
from lms_rt.console.store import ask_or_do, run_command, settings_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the data is."""
    parser.add_argument("--data", metavar="DIR", help="data directory of the embedded store")
    parser.epilog = "Exit status 0: former keys can be left out; 2: some secrets open with none of the keys."


def main(args: argparse.Namespace) -> int:
    """Seal anew, and say how many."""
    return run_command(lambda: _reseal(args))


async def _reseal(args: argparse.Namespace) -> int:
    done = await ask_or_do(settings_for(args.data), "reseal", {}, reseal)
    for row in done:
        sys.stdout.write(f"{row['purpose']}: {row['anew']} sealed anew, {row['lost']} open with no key\n")
    return 2 if any(row["lost"] for row in done) else 0


async def reseal(services: Services) -> list[dict[str, Any]]:
    """What was done, by purpose."""
    return [asdict(row) for row in await services.resealing.run()]
