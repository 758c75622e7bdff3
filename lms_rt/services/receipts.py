"""Receipts: signed in the write that grades for the first time, and shown with every operation as it was saved.

Stored is only what cannot be made again: the head, the key's name and the signature. The statement that was signed follows
from the attempt and its paper, which do not change; once its student is erased, it can no longer be shown.
"""

from __future__ import annotations

from documents.attempt import Attempt
from documents.base import Row
from documents.paper import AttemptPaper
from documents.receipt_key import ReceiptKey
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.receipts import ReceiptKeysView, ReceiptKeyView, ReceiptView
from lms_rt.errors import Code, Refused
from lms_rt.security.access.quizzes import require_attempt_state
from lms_rt.security.signing import SigningKey, to_text
from lms_rt.services.attempt_views import is_closed
from lms_rt.services.receipt_chain import operations_of, signed_bytes, statement_of


class ReceiptSigning:
    """Signs what an attempt came to. A key is published before anything is signed by it."""

    def __init__(self, *, clock: Clock, key: SigningKey | None) -> None:
        self._clock, self.key = clock, key
        self._is_published = False

    async def fields_of(self, attempt: Row, paper: Row) -> Row:
        """What the first grade stores besides: the receipt, unless there is one, or its chain was never begun."""
        if self.key is None or "receipt" in attempt or "receipt_head" not in attempt:
            return {}
        await self.publish()
        count, head = attempt["receipt_head"]
        statement = statement_of(attempt, paper, link=(count, head), key_id=self.key.key_id)
        signature = to_text(self.key.sign(signed_bytes(statement)))
        return {"receipt": {"head": head, "count": count, "key_id": self.key.key_id, "signature": signature}}

    async def publish(self) -> None:
        """Keep the public half for ever, once for each process."""
        if self.key is not None and not self._is_published:
            await ReceiptKey.publish(self.key.key_id, to_text(self.key.public_key), self._clock.now())
            self._is_published = True


class Receipts:
    """Shows receipts and keys."""

    def __init__(self, *, signing: ReceiptSigning) -> None:
        self._signing = signing

    async def show(self, actor: Actor, attempt_id: str) -> ReceiptView:
        """The receipt of a closed attempt, to its student and to those who teach it."""
        attempt = await require_attempt_state(actor, attempt_id)
        if not is_closed(attempt) or ("receipt" not in attempt and "receipt_head" in attempt):
            raise Refused(Code.NOT_GRADED, "There is a receipt as soon as the attempt is closed and looked through.")
        marks, paper = await Attempt.find_operations(attempt_id), await AttemptPaper.find_row(attempt_id)
        if "receipt" not in attempt or marks is None or paper is None:
            raise Refused(Code.NOT_FOUND, "This attempt has no receipt.")
        kept = attempt["receipt"]
        link = (kept["count"], kept["head"])
        return ReceiptView(
            **statement_of(attempt, paper, link=link, key_id=kept["key_id"]),
            operations=operations_of(attempt_id, marks),
            signature=kept["signature"],
        )

    async def keys(self) -> ReceiptKeysView:
        """The public keys, former ones too."""
        await self._signing.publish()
        current = None if self._signing.key is None else self._signing.key.key_id
        rows = await ReceiptKey.find_published()
        keys = [
            ReceiptKeyView(key_id=row["_id"], public_key=row["public_key"], created_at=row["created_at"])
            for row in rows
        ]
        return ReceiptKeysView(current=current, keys=keys)
