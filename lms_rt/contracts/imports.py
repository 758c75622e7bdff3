"""Imports and exports of question files: what is asked for, and the report with a row for every question of the file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from documents.enums import QuestionType
from lms_rt.contracts.base import View

MAX_IMPORT_BYTES = 5 << 20
SourceFormat = Literal["gift"]
ImportStatus = Literal["imported", "degraded", "skipped"]


class ImportQuery(BaseModel):
    """`?format=gift&dry_run=true`. A dry run reports and writes nothing."""

    model_config = ConfigDict(extra="ignore")

    format: SourceFormat = "gift"
    dry_run: bool = False


class ExportQuery(BaseModel):
    """`?format=gift`."""

    model_config = ConfigDict(extra="ignore")

    format: SourceFormat = "gift"


class ImportedQuestion(View):
    """What became of one question of the file: `reason` says what was lost (degraded) or why it was left out (skipped).

    `question_type` is null where the kind could not be told, `question_id` where nothing was written.
    """

    line: int
    title: str | None
    question_type: QuestionType | None
    status: ImportStatus
    reason: str | None
    question_id: str | None


class ImportReport(View):
    """The counts, and a row for every question of the file, in its order."""

    dry_run: bool
    imported: int
    degraded: int
    skipped: int
    questions: list[ImportedQuestion]
