"""An attempt's receipt: what was saved and signed, each answer beside it. Checked by the server, and again in the browser.

A file of a receipt can be checked by everybody, at an address of its own.
"""

from __future__ import annotations

from typing import Any

from handlers.rest.access import PUBLIC, SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.shown_answers import shown_question
from lms_rt.clock import from_ms, rfc3339
from lms_rt.contracts.receipts import ReceiptView
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach
from lms_rt.services.receipt_check import Finding, answer_findings, findings_of, keys_of

PAGE_SIZE = 100


class ReceiptPage(PageHandler):
    """/attempts/{id}/receipt."""

    access = SIGNED_IN
    reach = Reach.SHARED

    async def get(self, attempt_id: str) -> None:
        """The receipt; before there is one, the page that waits for the grade."""
        try:
            receipt = await self.services.receipts.show(self.actor, attempt_id)
        except Refused as refused:
            if refused.code is not Code.NOT_GRADED:
                raise
            self.redirect(f"/attempts/{attempt_id}/results", status=303)
            return
        results = shape(await self.services.results.show(self.actor, attempt_id))
        keys = shape(await self.services.receipts.keys())
        shown, answers = shape(receipt), {one: row["value"] for one, row in results["answers"].items()}
        found, differing = findings_of(shown, keys_of(keys), attempt_id=attempt_id), answer_findings(shown, answers)
        screen = Screen(
            "receipt.html",
            title=(self.t("receipt.title"), receipt.quiz.title),
            data={"attempt_id": attempt_id, "keys": keys},
            groups=("receipt",),
            scripts=("shell.js", "receipt.js"),
            sheets=("pages.css",),
        )
        self.show(
            screen,
            receipt=shown,
            site_address=site_address(self),
            is_own=receipt.student.id == self.actor.user_id,
            findings=[self._words(one, results) for one in (*found, *differing)],
            questions=_questions(results, shown, {one.place for one in differing}, self.t),
            **self._operations(receipt, results),
        )

    def _words(self, finding: Finding, results: dict[str, Any]) -> str:
        """What does not hold, questions by their number."""
        name, is_many = f"receipt.found_{finding.kind}", finding.first != finding.last
        place = _numbers(results).get(finding.place, finding.place)
        values = {"first": finding.first, "last": finding.last, "place": place}
        words: str = self.t(f"{name}_many" if is_many else name, **values)
        return words

    def _operations(self, receipt: ReceiptView, results: dict[str, Any]) -> dict[str, Any]:
        """One page of the operations, and where it lies among the others."""
        numbers = _numbers(results)
        pages = max(1, -(-len(receipt.operations) // PAGE_SIZE))
        page = min(self._page(), pages)
        begin = (page - 1) * PAGE_SIZE
        rows = [shape(one) for one in receipt.operations[begin : begin + PAGE_SIZE]]
        operations = [row | {"number": numbers.get(row["question_id"]), "at": _at(row["saved_at_ms"])} for row in rows]
        return {"operations": operations, "listed": {"page": page, "pages": pages}}

    def _page(self) -> int:
        asked = self.get_query_argument("page", "1")
        return max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) <= 6 else 1


class ReceiptCheckPage(PageHandler):
    """/receipt: the check of a file for whoever is shown one, without an attempt and without signing in."""

    access = PUBLIC

    async def get(self) -> None:
        """The form, and the keys that the browser checks by; the file goes nowhere."""
        screen = Screen(
            "receipt_check.html",
            title=(self.t("receipt.elsewhere"),),
            data={"attempt_id": None, "keys": shape(await self.services.receipts.keys())},
            groups=("receipt",),
            scripts=("shell.js", "receipt.js"),
            sheets=("pages.css",),
        )
        self.show(screen, site_address=site_address(self))


def site_address(page: PageHandler) -> str:
    """Where this school is found, for who checks elsewhere."""
    return page.services.settings.public_url or f"{page.request.protocol}://{page.request.host}"


def _numbers(results: dict[str, Any]) -> dict[str, int]:
    """The questions' numbers in this attempt."""
    return {row["question_id"]: row["order"] for row in results["questions"]}


def _at(saved_at_ms: int) -> str:
    return rfc3339(from_ms(saved_at_ms))


def _questions(results: dict[str, Any], receipt: dict[str, Any], differing: set[str], t: Any) -> list[dict[str, Any]]:
    """Each question with its answer in words, when that was saved, and whether the receipt says the same."""
    saved = {row["question_id"]: row["saved_at_ms"] for row in receipt["operations"]}
    asked = (row for row in results["questions"] if row["question_type"] != "description")
    return [
        {
            "id": row["question_id"],
            "number": row["order"],
            "given": shown_question(row, t).given,
            "at": None if row["question_id"] not in saved else _at(saved[row["question_id"]]),
            "is_same": row["question_id"] not in differing,
        }
        for row in asked
    ]


PAGES = [(r"/attempts/([^/]+)/receipt", ReceiptPage), (r"/receipt", ReceiptCheckPage)]
