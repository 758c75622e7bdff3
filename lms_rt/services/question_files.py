"""Files in questions: put to use when a question is written, so that students get them within their attempts and nowhere else.

What only the explanation shows is kept from them until they may see it. What was on a paper stays as long as there are papers.
"""

from __future__ import annotations

from documents.attempt import Attempt
from documents.base import Row
from documents.stored_file import FileUse
from lms_rt.contracts.actor import Actor
from lms_rt.services.file_mentions import question_mentions
from lms_rt.services.files import Files


class QuestionFiles:
    """Attaches and detaches."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def attach(self, actor: Actor, quiz: Row, question_id: str, said: Row) -> None:
        """Let what the question speaks of be used for it: 422 for files that are not the actor's to use."""
        shown, keys = question_mentions(said)
        for use, file_ids in ((FileUse.QUESTION, shown), (FileUse.QUESTION_KEY, keys)):
            await self._files.attach(
                actor,
                file_ids,
                use=use,
                subject_id=question_id,
                course_id=quiz["course_id"],
                field_name="question_text",
            )

    async def detach(self, quiz: Row, question_id: str, *, said: Row | None = None) -> None:
        """Let go of what it speaks of no more, unless somebody has it on their paper."""
        if await Attempt.has_any(quiz["_id"]):
            return
        shown, keys = ([], []) if said is None else question_mentions(said)
        await self._files.detach(FileUse.QUESTION, question_id, keep=shown)
        await self._files.detach(FileUse.QUESTION_KEY, question_id, keep=keys)
