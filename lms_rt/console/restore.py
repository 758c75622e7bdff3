"""`python3 run.py restore FILE`: a backup into an empty data directory, with the server stopped."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from lms_rt.console.store import run_command, settings_for
from lms_rt.storage.backup import restore
from lms_rt.storage.embedded import StoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to restore, and where to."""
    parser.add_argument("file", metavar="FILE", help="archive that `backup` wrote")
    parser.add_argument("--data", metavar="DIR", help="data directory; it must be empty or missing")


def main(args: argparse.Namespace) -> int:
    """Unpack the archive and say what it held."""
    return run_command(lambda: _restore(args))


async def _restore(args: argparse.Namespace) -> int:
    settings = settings_for(args.data)
    if not settings.is_embedded:
        raise StoreError("MONGODB_URL is set: restore MongoDB with its own tools (mongorestore, or snapshots)")
    report = await asyncio.to_thread(restore, settings.lms_data_dir, Path(args.file))
    sys.stdout.write(f"{settings.lms_data_dir}: {report.documents} documents, {report.uploads} uploads restored.\n")
    return 0
