"""What is printed: letters joined and ordered as each script wants them, by embedded fonts, the same bytes in every process."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pypdf
import pytest
from PIL import Image

from lms_rt.printing.certificate import Colors, PrintedCertificate, Signer, print_certificate
from lms_rt.printing.fonts import BOLD, REGULAR, has_glyphs, runs_of
from lms_rt.printing.invoice import Position, PrintedInvoice, print_invoice
from lms_rt.printing.logo import NoPicture, small_logo
from lms_rt.printing.scripts import drawn, is_right_to_left, pieces
from lms_rt.printing.shaping import Face, Word, face_of
from lms_rt.printing.sheet import About, Ink, Sheet

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
INVOICE = PrintedInvoice(
    language="ar",
    heading="فاتورة",
    number="INV-2026-000001",
    seller="مَدرسة",
    seller_lines=("Street 1", "حي"),
    buyer_heading="فاتورة إلى",
    buyer="محمد (Ali)",
    facts=(("التاريخ", "22 نوفمبر 2026"),),
    columns=("البيان", "الصافي", "الضريبة", "الإجمالي"),
    positions=(Position("الجبر", ("1.00 USD", "0.05 USD", "1.05 USD")),),
    sums=(Position("x", ("1.00 USD",)),),
    total=Position("الإجمالي", ("1.05 USD",)),
    total_in_words="1.05 دولار",
    notes=("n1",),
)
MARKED = ["مُحَمَّدٌ", "عَبْدُ ٱللَّٰهِ", "لَا إِلٰه", "الإِدَارَةُ", "الله", "پَرچم گاڑی ہے می\u200cخواهم"]
MARKS = "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0653\u0654\u0655\u0656\u0658\u0670"
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
def test_sheets_of_the_forms_before_have_letters_in_the_forms_that_join(meant: str, seen: str) -> None:
    assert drawn(meant) == seen


@pytest.mark.parametrize(
    ("meant", "seen"),
    [
        ("مُنَى (2026)", ["(2026)", " ", "مُنَى"]),
        ("Dr. مُنَى (2026)", ["Dr.", " ", "(2026)", " ", "مُنَى"]),
        ("محمد (Smith) [Jones]", ["[Jones]", " ", "(Smith)", " ", "محمد"]),
        ("محمد (Smith", ["Smith)", " ", "محمد"]),
        ("C++ (2026) لَا", ["C++", " ", "(2026)", " ", "لَا"]),
        ("«أحمد»", ["«", "أحمد", "»"]),
        ("smile :)", ["smile", " ", ":)"]),
        ("\u202eevil\u2066", ["evil"]),
        ("", []),
    ],
)
def test_a_line_is_drawn_from_left_to_right_and_each_word_keeps_its_order(meant: str, seen: list[str]) -> None:
    assert [word for word, _ in pieces(meant, is_back=is_right_to_left(meant))] == seen


def test_brackets_that_were_parted_by_a_line_break_open_as_their_title_is_read() -> None:
    rows = sheet().broken("الجبر الخطي (Linear Algebra)", Ink(10, "#000000"), most=90, lines=3)
    assert [row.text for row in rows] == ["الجبر الخطي (Linear", "Algebra)"]
    drawn_rows = ["".join(word for word, _ in pieces(row.text, is_back=row.is_back)) for row in rows]
    assert [row[:8] for row in drawn_rows] == ["Linear) ", "(Algebra"]


def test_every_arabic_letter_has_its_glyph_wherever_it_stands() -> None:
    words = [
        word
        for letter in LETTERS
        for word in (letter, letter * 3, f"ب{letter}", f"{letter}ب", f"ل{letter}", f"بل{letter}")
    ]
    for font in (REGULAR, BOLD):
        assert [word for word in words if not has_glyphs(drawn(word), font)] == []
        assert [word for word in words if any(letter.index == 0 for letter in shaped(word, font).letters)] == []
    assert has_glyphs("Ångström Źródło Привет Αθήνα İstanbul")
    assert [name for name, _ in runs_of("Ann 安 アン 안", REGULAR)] != [REGULAR]


@pytest.mark.parametrize("font", [REGULAR, BOLD])
@pytest.mark.parametrize("text", ["مُ", "دٌ", "حَ", "سْ", "نّ", "نَّ", "لَا", "لٰ", "ةُ", "أَ"])
def test_a_mark_stands_above_its_letter(text: str, font: str) -> None:
    [mark], letter, (start, end) = inked(text, font)
    assert start <= (mark.left + mark.right) / 2 <= end
    assert mark.bottom > letter.top - 60, "a tooth of some letters reaches a little higher than where their mark stands"


@pytest.mark.parametrize("font", [REGULAR, BOLD])
@pytest.mark.parametrize("text", ["بِ", "هِ", "كٍ", "رِ", "جِ", "حٍ"])
def test_a_mark_stands_below_its_letter(text: str, font: str) -> None:
    [mark], letter, (start, end) = inked(text, font)
    assert start <= (mark.left + mark.right) / 2 <= end
    assert mark.top < letter.bottom + 60


def test_a_mark_is_painted_where_it_stands() -> None:
    page = sheet()
    page.beside("لَا", (100, 200), Ink(50, "#000000", BOLD), most=500, is_before=False)
    drawing = pypdf.PdfReader(io.BytesIO(page.finished())).pages[0].get_contents()
    assert drawing is not None
    lines = [line.split()[:-1] for line in drawing.get_data().decode().splitlines() if line[-2:] in {" m", " l", " c"}]
    found = box([float(number) for line in lines for number in line])
    [mark], _, _ = inked("لَا", BOLD)
    assert found == pytest.approx([(100, 200)[place % 2] + side / 20 for place, side in enumerate(mark)], abs=0.001)


def test_letters_join_and_marks_take_no_room() -> None:
    for font in (REGULAR, BOLD):
        assert shaped("مُحَمَّدٌ", font).width == shaped("محمد", font).width
        assert len({letter.index for letter in shaped("ههه", font).letters}) == 3
        blank = face_of(font).blank
        assert [letter.index != blank for letter in shaped("لا", font).letters] == [False, True]


def test_every_mark_is_painted_or_left_out_and_always_said() -> None:
    for font in (REGULAR, BOLD):
        for mark in MARKS:
            assert shaped(f"ب{mark}", font).marks, hex(ord(mark))
        for text in (*(f"ل{mark}ا{mark}" for mark in MARKS), "ب\u06d6ت", *MARKED):
            word = shaped(text, font)
            assert "".join(letter.sign for letter in reversed(word.letters)) == text
            assert all(letter.index for letter in word.letters), "an empty box"


def test_what_is_long_is_made_smaller_then_broken_and_never_wider_than_its_place() -> None:
    ink = Ink(30, "#000000", BOLD)
    for is_shaped in (True, False):
        page = sheet(is_shaped=is_shaped)
        for name in ("Ann", "Ann " * 30, "W" * 200, "مُحَمَّد " * 20):
            rows, used = page.sized(name, ink, most=500, lines=2)
            assert len(rows) <= 2
            assert used.size >= ink.size / 2
            if len(name) < 100:
                assert all(page.measured(row, used) <= 500 for row in rows)
    assert print_certificate(replace(FACTS, student_name="W" * 200, course_name="محمد " * 40)).startswith(b"%PDF")


def test_its_text_can_be_read_out_as_it_was_written_and_its_fonts_are_in_it() -> None:
    bill = pypdf.PdfReader(io.BytesIO(print_invoice(replace(INVOICE, notes=tuple(MARKED))))).pages[0].extract_text()
    lines = [line.strip() for line in bill.splitlines()]
    assert [text for text in MARKED if unicodedata.normalize("NFC", text) not in lines] == []
    page = pypdf.PdfReader(io.BytesIO(print_certificate(replace(FACTS, student_name=MARKED[1])))).pages[0]
    said = page.extract_text()
    assert unicodedata.normalize("NFC", MARKED[1]) in said
    for word in ("شهادة إتمام", "قد أتمّ بنجاح", "CERT-2026-000001", "Tariq Aziz", FACTS.verify_url):
        assert word in said, word
    used = [font.get_object() for font in page["/Resources"]["/Font"].get_object().values()]  # type: ignore[index]
    ours = [font for font in used if "FiraGO-Bold" in str(font["/BaseFont"])]
    assert ours
    assert all(font["/FontDescriptor"]["/FontFile2"].get_data() for font in ours)


def test_more_signs_than_a_font_of_a_pdf_can_have_are_all_said() -> None:
    text = "".join(chr(code) for code in range(0xA1, 0x400) if has_glyphs(chr(code), BOLD))
    text = unicodedata.normalize("NFC", "".join(sign for sign in text if unicodedata.category(sign)[0] == "L"))
    page = pypdf.PdfReader(io.BytesIO(print_invoice(replace(INVOICE, language="en", seller=text)))).pages[0]
    assert len(set(text)) > 256
    assert text in page.extract_text().replace("\n", "")


@pytest.mark.parametrize(
    ("fields", "digest"),
    [
        ({}, "956647e07edca4b9159604f4f2a2e16fd9a3aa50a5e41f42436618f496f3ef0c"),
        (
            {"student_name": "مُحَمَّد (Ali)", "course_name": "Algebra 101 " * 20},
            "02bdde821c0ec1731b10227653e83a2d16a40fb5af08773368ef31d2b10b06e6",
        ),
    ],
)
def test_a_certificate_of_the_forms_before_is_printed_as_it_was(fields: dict[str, Any], digest: str) -> None:
    content = print_certificate(replace(FACTS, is_shaped=False, **fields))
    assert drawn_sha(content) == digest


def test_an_invoice_of_the_forms_before_is_printed_as_it_was() -> None:
    content = print_invoice(replace(INVOICE, is_shaped=False))
    assert drawn_sha(content) == "6767192690c39e62444fe26c8356f484d3ba74715c808e4cd7b0e11a0e7d6a00"


def test_an_invoice_goes_on_with_another_page() -> None:
    positions = tuple(Position(f"Item-{number}. {'long ' * 20}", ("1.00", "0.00", "1.00")) for number in range(60))
    pages = pypdf.PdfReader(io.BytesIO(print_invoice(replace(INVOICE, positions=positions)))).pages
    lowest: list[float] = []
    said = [
        page.extract_text(visitor_text=lambda text, _cm, tm, _font, _size: lowest.append(tm[5] if text.strip() else 99))
        for page in pages
    ]
    assert [sum(f"Item-{number}." in text for text in said) for number in range(60)] == [1] * 60
    assert [f"{INVOICE.number} – {number}" in text for number, text in enumerate(said, 1)] == [False] + [True] * (
        len(pages) - 1
    )
    assert min(lowest) > 40


def test_another_process_prints_the_same_bytes() -> None:
    facts = replace(FACTS, student_name=" ".join(MARKED))
    here = print_certificate(replace(facts, logo=small_logo(_picture("RGBA"))))
    program = (
        "import hashlib\nfrom dataclasses import replace\n"
        "from tests.unit.test_printing import FACTS, MARKED, _picture, print_certificate, small_logo\n"
        "facts = replace(FACTS, student_name=' '.join(MARKED), logo=small_logo(_picture('RGBA')))\n"
        "print(hashlib.sha256(print_certificate(facts)).hexdigest())"
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


def sheet(*, is_shaped: bool = True) -> Sheet:
    return Sheet((600, 600), About("", "", "", "ar"), is_shaped=is_shaped)


def shaped(text: str, font: str) -> Word:
    return face_of(font).word(text, is_right_to_left=True)


class Box(NamedTuple):
    """Ink, in thousandths of the size."""

    left: float
    bottom: float
    right: float
    top: float


def box(points: Sequence[float], x: float = 0, y: float = 0) -> Box:
    across, up = points[::2], points[1::2]
    return Box(x + min(across), y + min(up), x + max(across), y + max(up))


def inked(text: str, font: str) -> tuple[list[Box], Box, tuple[float, float]]:
    """What is painted, the one letter, and from where to where that goes."""
    face, word = face_of(font), shaped(text, font)
    [letter] = [letter for letter in word.letters if letter.index != face.blank]
    marks = [box(outline(face, mark.index), mark.x, mark.y) for mark in word.marks]
    return marks, box(outline(face, letter.index), letter.x), (letter.x, letter.x + face.width(letter.index))


def outline(face: Face, index: int) -> list[float]:
    return [point for _, points in face.outline(index) for point in points]


def drawn_sha(content: bytes) -> str:
    drawing = pypdf.PdfReader(io.BytesIO(content)).pages[0].get_contents()
    assert drawing is not None
    return hashlib.sha256(drawing.get_data()).hexdigest()
