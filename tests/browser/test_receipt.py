"""The receipt's page: the browser checks by itself, says the same as the server would, and asks nobody."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from lms_rt.contracts.base import encode
from lms_rt.security.signing import to_text
from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from lms_rt.services.receipt_chain import signed_bytes
from lms_rt.services.receipt_check import findings_of, keys_of
from tests.browser.window import DemoSchool, Window
from tests.unit.test_receipts import FORGER, KEY, NOT_RECEIPTS, VALUES, changed, receipt
from tests.unit.test_signing import vectors

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
OWNER = STUDENT_EMAILS[2]
KEYS = {
    "format": "lms-receipt-keys/1",
    "keys": [
        {"key_id": KEY.key_id, "algorithm": "Ed25519", "public_key": to_text(KEY.public_key)},
        {"key_id": "0" * 16, "algorithm": "Ed25519", "public_key": to_text(FORGER.public_key)},
    ],
}
MODULES = """async ([names, run, given]) => {
  const own = [...document.querySelectorAll("script[src]")].map((one) => one.src).find((path) => path.includes("/static/"));
  const modules = {};
  for (const name of names) Object.assign(modules, await import(own.replace(/[^/]+$/, name)));
  const bytes = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const runs = {
    hashes: (text) => [modules.hex(modules.sha256(bytes(text))), modules.hex(modules.sha512(bytes(text)))],
    signed: ([key, message, signature]) => modules.isSigned(bytes(key), bytes(message), bytes(signature)),
    found: (document) => modules.findingsOf(document, modules.keysOf(given.keys), "att_1"),
    digests: (value) => modules.valueDigest(value),
  };
  return given.items.map(runs[run]);
}"""


def in_browser(page: Page, name: str, run: str, items: list[Any]) -> list[Any]:
    """What our own script makes of these."""
    found: list[Any] = page.evaluate(MODULES, [[name, "receipt-sha.js"], run, {"items": items, "keys": KEYS}])
    return found


def damaged() -> Iterator[Any]:
    """Receipts with every kind of damage, and whole ones."""
    yield from (receipt(), receipt(count=0), receipt("att_2"), receipt(key=FORGER))
    yield from (one for one, _ in NOT_RECEIPTS if one != changed("operations.2.n", 3.0))  # which a browser reads as 3
    yield receipt(key=FORGER) | {"key_id": KEY.key_id}
    named = receipt(key=FORGER) | {"key_id": "0" * 16}
    yield named | {"signature": to_text(FORGER.sign(signed_bytes(named)))}  # by a key under a name that is not its own
    for path in ("operations.3.value_sha256", "operations.3.hash", "head"):
        yield changed(path, "0" * 64)
    for path, value in (
        ("student.full_name", "X"),
        ("quiz.version", 4),
        ("signature", "!"),
        ("attempt.is_preview", True),
    ):
        yield changed(path, value)
    for order in ([0, 1, 2], [0, 2, 1, 3, 4, 5, 6, 7], [1, 1], [0, 1, 2, 3, 5, 6, 7], [*range(8), 7]):
        edited = copy.deepcopy(receipt())
        edited["operations"] = [edited["operations"][place] for place in order]
        yield edited
    longer = copy.deepcopy(receipt())
    longer["operations"].append({**longer["operations"][-1], "n": 9})
    yield longer


def test_the_browser_finds_what_the_server_finds(open_window: Opener) -> None:
    page = open_window().page
    page.goto("/")
    documents = list(damaged())
    told = [
        json.loads(encode([vars_of(one) for one in findings_of(document, keys_of(KEYS), attempt_id="att_1")]))
        for document in documents
    ]
    assert in_browser(page, "receipt-check.js", "found", documents) == told
    assert sum(not found for found in told) == 2
    values = [*VALUES, {"b": "1", "a": ["x"], "B": None}, '\u0000\b\t\n\f\r"\\/\x7fé€😀']
    assert in_browser(page, "receipt-check.js", "digests", values) == [digest(value) for value in values]


def vars_of(finding: Any) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in ("kind", "first", "last", "place")}


def digest(value: Any) -> str:
    """By the standard library alone."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def test_hashes_and_signatures_are_those_of_the_standards(open_window: Opener) -> None:
    page = open_window().page
    page.goto("/")
    messages = [
        bytes(range(length % 251)) * (length // 251 + 1) for length in (*range(0, 131, 5), 55, 56, 64, 111, 112, 128)
    ]
    expected = [[hashlib.sha256(one).hexdigest(), hashlib.sha512(one).hexdigest()] for one in messages]
    assert in_browser(page, "receipt-sha.js", "hashes", [one.hex() for one in messages]) == expected
    sound = [[public, message, signature] for _, public, message, signature in vectors()]
    order = 2**252 + 27742317777372353535851937790883648493
    public, message, signature = sound[0]
    raised = (int.from_bytes(bytes.fromhex(signature[64:]), "little") + order).to_bytes(32, "little").hex()
    wrong = [
        [public, message + "00", signature],
        [public, message, signature[:-2] + "00"],
        [public, message, signature[:64] + raised],
        [sound[1][0], message, signature],
        ["ff" * 32, message, signature],
        [public[:-2], message, signature],
    ]
    verdicts = in_browser(page, "receipt-ed25519.js", "signed", sound + wrong)
    assert verdicts == [True] * len(sound) + [False] * len(wrong)


def test_a_student_checks_the_own_receipt_and_files_without_a_line(
    open_window: Opener, demo_school: DemoSchool, tmp_path: Path
) -> None:
    window = open_window(who=OWNER)
    page = window.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(demo_school.path("/attempts/{attempt}/receipt"))
    verdict = page.locator("#verdict")
    verdict.get_by_text("Checked in this browser").wait_for()
    assert page.locator("[data-question] [data-state=saved]").count() == 2
    assert all(url.startswith(demo_school.address) for url in asked)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the receipt").click()
    kept = json.loads(saved.value.path().read_bytes())
    whole, tampered = tmp_path / "whole.json", tmp_path / "tampered.json"
    whole.write_text(json.dumps(kept))
    kept["operations"][1]["value_sha256"] = kept["operations"][0]["value_sha256"]
    tampered.write_text(json.dumps(kept))
    page.context.set_offline(True)
    asked.clear()
    place = page.locator("#file-verdict")
    page.set_input_files("#receipt-file", whole)
    place.get_by_text("it is the receipt of this attempt").wait_for()
    page.set_input_files("#receipt-file", tampered)
    place.locator("[data-kind=changed]").get_by_text("Saved answer 2 was changed").wait_for()
    (tmp_path / "foreign.json").write_text(json.dumps(receipt()))
    page.set_input_files("#receipt-file", tmp_path / "foreign.json")
    place.locator("[data-kind=key_unknown]").wait_for()
    (tmp_path / "nothing.json").write_text("nothing")
    page.set_input_files("#receipt-file", tmp_path / "nothing.json")
    place.locator("[data-kind=not_receipt]").wait_for()
    assert [url for url in asked if not url.startswith("ws")] == []
    page.context.set_offline(False)


def test_an_answer_that_is_another_than_the_receipt_says_is_marked(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    """The server of this test lies: it shows another answer than was signed, and the browser says so."""
    window = open_window(who=OWNER)
    page = window.page
    attempt = demo_school.graded_attempt["id"]

    def lie(route: Any) -> None:
        shown = route.fetch().json()
        first = next(iter(shown["answers"]))
        shown["answers"][first]["value"] = ["b"]
        route.fulfill(json=shown)

    page.route(f"**/api/v1/attempts/{attempt}", lie)
    page.goto(f"/attempts/{attempt}/receipt")
    page.locator("#verdict [data-kind=answer_differs]").get_by_text("not the one in the receipt").wait_for()
    assert page.locator("[data-question] [data-state=refused]").count() == 1


def test_without_scripts_and_for_the_teacher_the_server_says_it(open_window: Opener, demo_school: DemoSchool) -> None:
    page = open_window(who=TEACHER_EMAIL, has_scripts=False).page
    page.goto(demo_school.path("/attempts/{attempt}/receipt"))
    page.get_by_text("The server has checked this receipt: it holds.").wait_for()
    assert page.locator("#receipt-file").is_hidden()
    assert page.locator("table tbody tr").count() == 2


def test_who_is_shown_a_receipt_checks_the_file_without_an_account(
    open_window: Opener, demo_school: DemoSchool, tmp_path: Path
) -> None:
    student = open_window(who=OWNER).page
    student.goto(demo_school.path("/attempts/{attempt}/receipt"))
    student.get_by_role("link", name="check receipts for everybody").wait_for()
    with student.expect_download() as saved:
        student.get_by_role("link", name="Save the receipt").click()
    kept = json.loads(saved.value.path().read_bytes())
    (tmp_path / "whole.json").write_text(json.dumps(kept))
    kept["student"]["full_name"] = "Somebody else"
    (tmp_path / "tampered.json").write_text(json.dumps(kept))
    page = open_window().page
    page.goto("/receipt")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    place = page.locator("#file-verdict")
    page.set_input_files("#receipt-file", tmp_path / "whole.json")
    place.get_by_text("this school signed it").wait_for()
    page.set_input_files("#receipt-file", tmp_path / "tampered.json")
    place.locator("[data-kind=signature]").wait_for()
    assert [url for url in asked if "/static/" not in url] == []
