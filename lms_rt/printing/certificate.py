"""A certificate as it is printed: what is on one, in words. What it says, others decide; `certificate_sheet.py` draws it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colors:
    """As "#RRGGBB"."""

    accent: str
    ink: str
    paper: str


@dataclass(frozen=True, slots=True)
class Signer:
    """Who stands below a line, and as what."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class PrintedCertificate:
    """All that is on one, in words; the logo as `logo.py` made it small. `signers` stand beside each other in the order in which they are read."""

    language: str
    colors: Colors
    issuer: str
    heading: str
    lead: str
    student_name: str
    middle: str
    course_name: str
    text: str
    dated: str
    numbered: str
    check: str
    verify_url: str
    signers: tuple[Signer, ...]
    logo: bytes | None = None
    enclosed: bytes | None = None
    """JSON that lies within, for programs."""
    is_shaped: bool = True
    """False: as before words were set with their marks."""


def print_certificate(facts: PrintedCertificate) -> bytes:
    """The PDF: the same bytes for the same facts, in every process. Takes tens of milliseconds: not on the event loop."""
    from lms_rt.printing.certificate_sheet import drawn  # noqa: PLC0415 - 0.2 s and 8 MiB that only who prints needs

    return drawn(facts)
