"""`python3 run.py backup FILE`: a backup of the embedded store, its keys and uploads, beside a running server or not."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from lms_rt.console.store import run_command, settings_for
from lms_rt.storage.backup import back_up
from lms_rt.storage.embedded import StoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to write it."""
    parser.add_argument("file", metavar="FILE", help="archive to write; an existing file is never overwritten")
    parser.add_argument("--data", metavar="DIR", help="data directory of the embedded store")


def main(args: argparse.Namespace) -> int:
    """Write the archive and say what it holds."""
    return run_command(lambda: _back_up(args))


async def _back_up(args: argparse.Namespace) -> int:
    settings = settings_for(args.data)
    if not settings.is_embedded:
        raise StoreError("MONGODB_URL is set: back up MongoDB with its own tools (mongodump, or snapshots)")
    report = await asyncio.to_thread(back_up, settings.lms_data_dir, Path(args.file))
    sys.stdout.write(
        f"{report.file}: {report.documents} documents, {report.uploads} uploads, {report.size_bytes} bytes.\n"
        "It holds the installation's keys: keep it as safe as the school itself.\n"
    )
    return 0
