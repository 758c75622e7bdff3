"""What is printed on certificates, in the language of each. Pure. How it is laid out is `printing/`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from babel.dates import format_date

from documents.base import Row
from lms_rt.printing.certificate import Colors, PrintedCertificate, Signer
from lms_rt.services.certificate_check import enclosed

SHEET_FORMAT = 3
"""With vowel marks. Those that were printed before stay as they were: the second has what was signed within, the first has not."""
_WITH_STATEMENT, _WITH_MARKS = 2, 3
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "heading": "Certificate of completion",
            "lead": "This is to certify that",
            "middle": "has successfully completed the course",
            "dated": "Completed on {date}",
            "numbered": "Certificate number {number}",
            "replaces": "Certificate number {number}, in place of {replaced}",
            "check": "Check that this certificate holds:",
            "instructor": "Instructor",
        },
        "ar": {
            "heading": "شهادة إتمام",
            "lead": "تشهد هذه الوثيقة بأنّ",
            "middle": "قد أتمّ بنجاح متطلّبات المقرّر",
            "dated": "تاريخ الإتمام: {date}",
            "numbered": "رقم الشهادة: {number}",
            "replaces": "رقم الشهادة: {number}، بدلًا من {replaced}",
            "check": "للتحقّق من صحة هذه الشهادة:",
            "instructor": "المدرّس",
        },
    }
)


def heading_of(language: str) -> str:
    """What stands on top of one whose template says nothing."""
    return _WORDS[language]["heading"]


def printed(row: Row, logo: bytes | None) -> PrintedCertificate:
    """All that is on a certificate, from what is stored of it."""
    language, look = row["language"], row["look"]
    words = _WORDS[language]
    number, replaced, form = row["certificate_number"], row.get("replaces_number"), row.get("sheet_format", 1)
    numbered = words["replaces" if replaced else "numbered"].format(number=number, replaced=replaced)
    return PrintedCertificate(
        language=language,
        colors=Colors(look["accent_color"], look["ink_color"], look["paper_color"]),
        issuer=row["issuer_name"],
        heading=look.get("heading") or words["heading"],
        lead=words["lead"],
        student_name=row["student_name"],
        middle=words["middle"],
        course_name=row["course_name"],
        text=look.get("text") or "",
        dated=words["dated"].format(date=_day(row["completion_date"], language)),
        numbered=numbered,
        check=words["check"],
        verify_url=row["verify_url"],
        signers=_signers(row, words),
        logo=logo,
        enclosed=enclosed(row) if form >= _WITH_STATEMENT and row.get("statement") else None,
        is_shaped=form >= _WITH_MARKS,
    )


def _day(iso: str, language: str) -> str:
    return str(format_date(date.fromisoformat(iso), "d MMMM y", locale=language))


def _signers(row: Row, words: Mapping[str, str]) -> tuple[Signer, ...]:
    look, signers = row["look"], []
    if look.get("shows_instructor") and row["instructor_name"]:
        signers.append(Signer(row["instructor_name"], words["instructor"]))
    if look.get("signer_name"):
        signers.append(Signer(look["signer_name"], look.get("signer_title") or ""))
    return tuple(signers)
