"""The school's public keys for those commands that check what it signed, and the reading of files and addresses for them."""

from __future__ import annotations

import codecs
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson

from lms_rt.bootstrap import Services
from lms_rt.console.store import ask_or_do, settings_for
from lms_rt.contracts.base import encode
from lms_rt.contracts.receipts import ReceiptKeysView
from lms_rt.services.receipt_check import keys_of

MAX_KEYS_BYTES = 1024 * 1024
FETCH_SECONDS = 15.0
WELL_KNOWN = "/.well-known/lms-receipt-keys.json"


class Unreadable(Exception):
    """It could not be looked at."""

    def told(self) -> int:
        """Say so; the exit status."""
        sys.stderr.write(f"{self}\n")
        return 1


def add_key_arguments(parser: ArgumentParser) -> None:
    """Where the keys are."""
    parser.add_argument(
        "--keys",
        metavar="FILE|URL",
        help=f"the school's public keys: a file, or an address (of the school, or of its {WELL_KNOWN}); "
        "without it, the keys of this installation",
    )
    parser.add_argument("--data", metavar="DIR", help="data directory of the embedded store")
    parser.epilog = "Exit status 0: it holds; 2: it does not, and the place is named; 1: it could not be looked at."


async def school_keys(source: str | None, data: str | None) -> dict[str, bytes]:
    """The keys by name, from where they were said to be. Raises `Unreadable`."""
    if source is None:
        found = await ask_or_do(settings_for(data), "receipt_keys", {}, receipt_keys)
    elif source.startswith(("https://", "http://")):
        found = json_of(_fetched(source), source)
    else:
        found = json_of(content_of(source, MAX_KEYS_BYTES), source)
    try:
        return keys_of(found)
    except ValueError:
        raise Unreadable(f"{source}: these are no keys of receipts") from None


async def receipt_keys(services: Services) -> dict[str, Any]:
    """The keys of this installation, as JSON."""
    view: ReceiptKeysView = await services.receipts.keys()
    keys: dict[str, Any] = orjson.loads(encode(view))
    return keys


def content_of(path: str, most: int, *, named: str = "receipt") -> bytes:
    """A file that is no larger than that, without the mark that some editors put before a text."""
    with Path(path).open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Unreadable(f"{path}: larger than any {named}")
    return content.removeprefix(codecs.BOM_UTF8)


def json_of(content: bytes, source: str) -> Any:
    """What it says, if it is JSON."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"{source}: not JSON (line {error.lineno}, column {error.colno})") from None


def _fetched(url: str) -> bytes:
    """The document at an address; the address of a school alone stands for its keys."""
    address = url if url.endswith(".json") else url.rstrip("/") + WELL_KNOWN
    request = urllib.request.Request(address, headers={"Accept": "application/json"})  # noqa: S310 - http(s) alone
    try:
        with urllib.request.urlopen(request, timeout=FETCH_SECONDS) as response:  # noqa: S310 - http(s) alone
            content: bytes = response.read(MAX_KEYS_BYTES + 1)
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        raise Unreadable(f"{address}: {getattr(error, 'reason', error)}") from None
    return content
