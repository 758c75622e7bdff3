"""`python3 run.py openapi`: prints the OpenAPI document of the REST API. Needs neither a store nor a server."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from config.settings import SettingsError, load_settings
from handlers.routes import openapi_document
from lms_rt.gateways.vault import read_secrets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to write it."""
    parser.add_argument("--output", metavar="FILE", type=Path, help="write to this file instead of the terminal")


def main(args: argparse.Namespace) -> int:
    """Write the document, indented, in an order that does not change by itself."""
    try:
        document = openapi_document(load_settings(read_secrets))
    except SettingsError as error:
        sys.stderr.writelines(f"settings: {fault}\n" for fault in error.faults)
        return 1
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if args.output is None:
        sys.stdout.write(text)
    else:
        args.output.write_text(text, encoding="utf-8")
    return 0
