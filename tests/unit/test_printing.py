"""What is printed: letters joined and ordered as each script wants them, by embedded fonts, the same bytes in every process."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import unicodedata
from dataclasses import replace

import pypdf
import pytest
from PIL import Image

from lms_rt.printing.certificate import Colors, PrintedCertificate, Signer, print_certificate
from lms_rt.printing.fonts import BOLD, REGULAR, has_glyphs, runs_of, width_of
from lms_rt.printing.logo import NoPicture, small_logo
from lms_rt.printing.scripts import drawn
from lms_rt.printing.sheet import Ink, sized

FACTS = PrintedCertificate(
    language="ar",
    colors=Colors("#0B5F66", "#17211F", "#FFFFFF"),
    issuer="مدرسة الرياضيات",
    heading="شهادة إتمام",
    lead="تشهد هذه الوثيقة بأنّ",
    student_name="محمد عبد الرحمن",
    middle="قد أتمّ بنجاح",
    course_name="الجبر C++ (2026)",
    text="أربعون ساعة.",
    dated="تاريخ الإتمام: 22 نوفمبر 2026",
    numbered="رقم الشهادة: CERT-2026-000001",
    check="للتحقّق:",
    verify_url="https://lms.example.org/verify/CERT-2026-000001",
    signers=(Signer("Tariq Aziz", "المدرّس"),),
)
LETTERS = "ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأؤإئىةپچژگکیٹڈڑںہھے"


@pytest.mark.parametrize(
    ("meant", "seen"),
    [
        ("Sara Saleh", "Sara Saleh"),
        ("محمد", "ﺪﻤﺤﻣ"),
        ("(أحمد)", "(ﺪﻤﺣأ)"),
        ("Ali (أحمد)", "Ali (ﺪﻤﺣأ)"),
        ("محمد (Smith)", "(Smith) ﺪﻤﺤﻣ"),
        ("الجبر C++ (2026)", "C++ (2026) ﺮﺒﺠﻟا"),
        ("«أحمد»", "«ﺪﻤﺣأ»"),
        ("22 نوفمبر 2026", "2026 ﺮﺒﻤﻓﻮﻧ 22"),
        ("مُحَمَّد", "ﺪﻤﺤﻣ"),
        ("\u202eevil\u2066", "evil"),
    ],
)
def test_a_line_is_drawn_in_the_order_and_the_forms_of_its_script(meant: str, seen: str) -> None:
    assert drawn(meant) == seen


def test_every_arabic_letter_has_its_glyph_wherever_it_stands() -> None:
    words = [
        word
        for letter in LETTERS
        for word in (letter, letter * 3, f"ب{letter}", f"{letter}ب", f"ل{letter}", f"بل{letter}")
    ]
    for font in (REGULAR, BOLD):
        assert [word for word in words if not has_glyphs(drawn(word), font)] == []
    assert has_glyphs("Ångström Źródło Привет Αθήνα İstanbul")
    assert [name for name, _ in runs_of("Ann 安 アン 안", REGULAR)] != [REGULAR]


def test_what_is_long_is_made_smaller_then_broken_and_never_wider_than_its_place() -> None:
    ink = Ink(30, "#000000", BOLD)
    for name in ("Ann", "Ann " * 30, "W" * 200, "محمد " * 40):
        rows, used = sized(name, ink, most=500, lines=2)
        assert len(rows) <= 2
        assert used.size >= ink.size / 2
        if len(name) < 100:
            assert all(width_of(runs_of(drawn(row), BOLD), used.size) <= 500 for row in rows)
    assert print_certificate(replace(FACTS, student_name="W" * 200, course_name="محمد " * 40)).startswith(b"%PDF")


def test_its_text_can_be_read_out_and_its_fonts_are_in_it() -> None:
    page = pypdf.PdfReader(io.BytesIO(print_certificate(FACTS))).pages[0]
    said = unicodedata.normalize("NFKC", page.extract_text())
    for word in ("شهادة إتمام", "محمد عبد الرحمن", "C++ (2026)", "CERT-2026-000001", "Tariq Aziz", FACTS.verify_url):
        assert all(part in said for part in word.split()), word
    used = {str(font["/BaseFont"]) for font in page["/Resources"]["/Font"].get_object().values()}  # type: ignore[index]
    assert any("FiraGO-Bold" in name for name in used)


def test_another_process_prints_the_same_bytes() -> None:
    here = print_certificate(replace(FACTS, logo=small_logo(_picture("RGBA"))))
    program = (
        "import hashlib\nfrom dataclasses import replace\n"
        "from tests.unit.test_printing import FACTS, _picture, print_certificate, small_logo\n"
        "print(hashlib.sha256(print_certificate(replace(FACTS, logo=small_logo(_picture('RGBA'))))).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=60)
    assert there.stdout.strip() == hashlib.sha256(here).hexdigest()
    assert print_certificate(replace(FACTS, student_name="محمد")) != here


def test_what_is_no_picture_or_too_much_of_one_is_refused() -> None:
    with Image.open(io.BytesIO(small_logo(_picture("RGB")))) as made:
        assert (made.format, made.width) == ("PNG", 600)
    broken = _picture("RGB")[:60]
    bomb = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(bomb, "PNG")
    for content in (b"", b"GIF89a", broken, bomb.getvalue()):
        with pytest.raises(NoPicture):
            small_logo(content)


def _picture(mode: str) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (600, 200), "#0B5F66").save(out, "PNG")
    return out.getvalue()
