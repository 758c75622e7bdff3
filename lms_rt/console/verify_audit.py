"""`python3 run.py verify-audit`: is the audit log still what was written? Beside a running server, or without one."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

import orjson

from lms_rt.bootstrap import Services
from lms_rt.console.store import ask_or_do, run_command, settings_for
from lms_rt.contracts.audit import FindingKind
from lms_rt.contracts.base import encode
from lms_rt.security.audit_chain import Link

_WORDS: dict[FindingKind, str] = {
    "changed": "was changed after it was written",
    "forged": "was not written by this installation",
    "unlinked": "does not follow the record before it",
    "missing": "was removed",
    "front_missing": "was removed at the old end, and not by retention",
    "tail_missing": "was removed at the new end",
    "tail_differs": "is another one than was noted",
    "head_missing": "the signed head is gone",
    "head_forged": "the head is not signed by a key of this installation",
    "reason_changed": "has another reason than was given",
    "reason_missing": "has no reason any more, and one was given",
    "cut_forged": "the mark of the old end is not signed by a key of this installation",
}
_NOTED = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to compare with, and whether to begin anew."""
    parser.add_argument(
        "--head", metavar="SEQ:HASH", help="a place that was noted elsewhere, and has to be there still"
    )
    parser.add_argument("--sign-anew", action="store_true", help="sign what stands there now, after it was looked into")
    parser.add_argument("--data", metavar="DIR", help="data directory of the embedded store")
    parser.epilog = "Exit status 0: it is whole; 2: it is not; 1: it could not be looked at."


def main(args: argparse.Namespace) -> int:
    """Check, and say what was found."""
    return run_command(lambda: _verify(args))


async def _verify(args: argparse.Namespace) -> int:
    if args.head and not _NOTED.fullmatch(args.head):
        sys.stderr.write("--head takes what an earlier run has shown, SEQ:HASH\n")
        return 1
    arguments = {"noted": args.head, "is_signing": args.sign_anew}

    async def work(services: Services) -> Any:
        return await verify_audit(services, **arguments)

    verdict = await ask_or_do(settings_for(args.data), "verify_audit", arguments, work)
    _print(verdict)
    return 2 if verdict["findings"] else 0


async def verify_audit(services: Services, *, noted: str | None, is_signing: bool) -> dict[str, Any]:
    """Check the whole log; the verdict as JSON. Signing anew is recorded first, and by whom."""
    if is_signing:
        actor = services.console_actor
        await services.audit.record(actor, "audit.sign", kind="audit", target_id="head")
        await services.audit_check.sign_anew()
    found = _NOTED.fullmatch(noted) if noted else None
    place = None if found is None else Link(int(found[1]), found[2])
    verdict: dict[str, Any] = orjson.loads(encode(await services.audit_check.check(place)))
    return verdict


def _print(verdict: dict[str, Any]) -> None:
    for finding in verdict["findings"]:
        first, last, words = finding["first_seq"], finding["last_seq"], _WORDS[finding["kind"]]
        if finding["kind"].startswith(("head", "cut")):
            print(f"AT {first}: {words}")
        else:
            print(f"RECORD{'' if first == last else 'S'} {first}{'' if first == last else f'-{last}'} {words}")
    if verdict["cut_seq"]:
        print(f"records up to {verdict['cut_seq']} were removed for their age")
    if verdict["findings"]:
        print("the audit log is NOT whole")
    elif verdict["first_seq"]:
        print(f"the audit log is whole from {verdict['first_seq']} to {verdict['last_seq']}")
    else:
        print("the audit log is empty")
    print(f"head {verdict['last_seq']}:{verdict['last_hash']}")
