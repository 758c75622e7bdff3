"""`python3 run.py verify-receipt FILE`: does a receipt hold? Needs the file and the school's public keys, and nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import orjson

from lms_rt.clock import from_ms, rfc3339
from lms_rt.console.school_keys import Unreadable, add_key_arguments, content_of, json_of, school_keys
from lms_rt.console.store import run_command
from lms_rt.services.receipt_check import Finding, Kind, answer_findings, findings_of, unwrapped

MAX_FILE_BYTES = 16 * 1024 * 1024

_WORDS: dict[Kind, str] = {
    "not_receipt": "this is no receipt",
    "other_attempt": "this is the receipt of another attempt",
    "changed": "was changed, or does not follow the one before it",
    "missing": "was taken out",
    "moved": "stands in another place than it was saved in, or twice",
    "surplus": "was added",
    "tail_missing": "was cut off at the end",
    "head_differs": "the operations are not those that were signed",
    "key_unknown": "it is signed by a key that is not among the school's",
    "signature": "what is signed (attempt, student, quiz, closing, count, head or key) was changed, or the signature was",
    "answer_differs": "is answered otherwise than the receipt says",
    "answer_missing": "has an answer in the receipt, and none in the file",
}


class _Damaged(Exception):
    """The receipt is not even JSON; the words say where."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to check, by which keys, and what it is held against."""
    parser.add_argument("file", metavar="FILE", help="the receipt, as /attempts/{id}/receipt gives it")
    parser.add_argument("--attempt", metavar="ID", help="it has to be the receipt of this attempt")
    parser.add_argument(
        "--answers", metavar="FILE", help="hold these answers against it, as GET /attempts/{id} gives them"
    )
    add_key_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Check, and say what was found."""
    return run_command(lambda: _verify(args))


async def _verify(args: argparse.Namespace) -> int:
    try:
        receipt = unwrapped(_receipt(content_of(args.file, MAX_FILE_BYTES)))
        found = _found(receipt, await school_keys(args.keys, args.data), args)
    except Unreadable as fault:
        return fault.told()
    except _Damaged as fault:
        found = [Finding("not_receipt", place=str(fault))]
    for finding in found:
        print(_line(finding))
    if found:
        print("the receipt does NOT hold")
        return 2
    _print_facts(receipt)
    return 0


def _found(receipt: Any, keys: Mapping[str, bytes], args: argparse.Namespace) -> list[Finding]:
    answers = None if args.answers is None else _answers(args.answers)
    found = findings_of(receipt, keys, attempt_id=args.attempt)
    if answers is not None and not any(finding.kind == "not_receipt" for finding in found):
        found += answer_findings(receipt, answers)
    return found


def _receipt(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _Damaged(f"not JSON at line {error.lineno}, column {error.colno}") from None


def _answers(path: str) -> dict[str, Any]:
    """Values by question, of an attempt as the API shows it."""
    attempt = unwrapped(json_of(content_of(path, MAX_FILE_BYTES), path))
    answers = attempt.get("answers") if isinstance(attempt, dict) else None
    if not isinstance(answers, dict) or not all(isinstance(one, dict) and "value" in one for one in answers.values()):
        raise Unreadable(f"{path}: no attempt as GET /attempts/{{id}} gives it")
    return {question_id: answer["value"] for question_id, answer in answers.items()}


def _line(finding: Finding) -> str:
    words = _WORDS[finding.kind]
    if finding.first:
        is_one = finding.first == finding.last
        which = f"OPERATION {finding.first}" if is_one else f"OPERATIONS {finding.first}-{finding.last}"
        return f"{which} {words if is_one else words.replace('was ', 'were ')}"
    if finding.kind.startswith("answer"):
        return f"QUESTION {finding.place} {words}"
    return f"RECEIPT {words}{f': {finding.place}' if finding.place else ''}"


def _print_facts(receipt: Mapping[str, Any]) -> None:
    attempt, student, quiz = receipt["attempt"], receipt["student"], receipt["quiz"]
    print(f"attempt {attempt['id']} (number {attempt['number']}) of {student['full_name']!r} ({student['id']})")
    print(f"quiz {quiz['title']!r} ({quiz['id']}, version {quiz['version']})")
    print(f"closed {receipt['closed_at']} by {receipt['closed_by']}, {receipt['operations_count']} saved answers")
    if receipt["operations"]:
        print(f"last saved {rfc3339(from_ms(receipt['operations'][-1]['saved_at_ms']))}")
    print(f"signed by {receipt['key_id']}")
    print("the receipt holds")
