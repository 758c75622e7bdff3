#!/usr/bin/env python3
"""The one entry of lms_rt: sets itself up, then runs a sub-command. `python3 run.py --help` lists them.

Not for rules or wiring: each command lives in its room. This file must parse on any Python, or an old one could not be
told that it is too old.
"""

import os
import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit("lms_rt needs Python 3.11, 3.12 or 3.13; this is Python %d.%d. Try python3.11." % sys.version_info[:2])

import argparse
import gc
import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent

# sub-command: (module with add_arguments(parser) and main(args) -> exit status, what it does)
COMMANDS = {
    "serve": ("handlers.serve", "start the school (the default); on the embedded store, all in one process"),
    "worker": ("workers.run", "run background jobs, beside nodes on MongoDB and Redis"),
    "scheduler": ("workers.scheduler", "let what is scheduled fall due, beside nodes on MongoDB and Redis"),
    "test": ("tests.run", "set up and run the whole test suite"),
    "check": ("config.check", "show the effective settings, secrets masked, and every fault in them"),
    "check-code": ("tests.check_code", "format, lint, types and import directions, as CI checks them"),
    "create-admin": ("lms_rt.console.create_admin", "make an administrator; works beside a running embedded server"),
    "import-questions": ("lms_rt.console.import_questions", "import a GIFT file into a quiz, with a report"),
    "simulate": ("lms_rt.console.simulate", "let many students sit a quiz on a running server, and prove the result"),
    "backup": ("lms_rt.console.backup", "write a backup of the embedded store; works beside a running server"),
    "restore": ("lms_rt.console.restore", "restore a backup into an empty data directory"),
    "reseal": ("lms_rt.console.reseal", "seal anew with SECRET_KEY what former keys sealed"),
    "verify-audit": ("lms_rt.console.verify_audit", "follow the audit log's chain and say what does not hold"),
    "verify-receipt": ("lms_rt.console.verify_receipt", "check the receipt of an attempt, by the school's public keys"),
    "verify-certificate": ("lms_rt.console.verify_certificate", "check a certificate, by the school's public keys"),
    "bench": ("tests.perf.bench", "measure speed and memory beside other servers, on this machine"),
    "openapi": ("handlers.describe", "print the OpenAPI document of the REST API"),
}


def parsers():  # type: () -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]
    """The main parser, and one for each sub-command; a command's module is imported only when it is used."""
    main_parser = argparse.ArgumentParser("run.py", description="A learning platform whose every screen is live.")
    choices = main_parser.add_subparsers(dest="command", metavar="command")
    return main_parser, {
        name: choices.add_parser(name, help=row[1], description=row[1]) for name, row in COMMANDS.items()
    }


def main(arguments):  # type: (list[str]) -> int
    """Run the sub-command that `arguments` name and return its exit status."""
    main_parser, by_name = parsers()
    if arguments[:1] in (["-h"], ["--help"]):
        main_parser.parse_args(arguments)
    if not arguments or arguments[0].startswith("-"):
        arguments.insert(0, "serve")
    if arguments[0] not in COMMANDS:
        main_parser.error("there is no command '%s'; try --help" % arguments[0])
    from config.venv import enter

    enter(ROOT, has_test_tools=arguments[0] in ("test", "check-code", "bench"))
    gc.disable()  # nothing that is imported goes: to look through it again and again takes a tenth of the start
    command = importlib.import_module(COMMANDS[arguments[0]][0])
    command.add_arguments(by_name[arguments[0]])
    args = main_parser.parse_args(arguments)
    if arguments[0] == "serve":  # handlers and workers do not know each other
        args.open_beside = importlib.import_module("workers.beside").open_beside
    if arguments[0] == "check":  # the settings know nobody, Vault neither
        args.read_secrets = importlib.import_module("lms_rt.gateways.vault").read_secrets
    gc.enable()
    return int(command.main(args))


def run(arguments):  # type: (list[str]) -> int
    """`main`, for a process: who stops reading us (`run.py check | head -1`) or interrupts us sees no traceback."""
    try:
        status = main(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the interpreter's end
        return 141
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
