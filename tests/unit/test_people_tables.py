"""Tables of people as teachers have them: whatever saved them, they are read; what is wrong is said of the row, or of the file."""

from __future__ import annotations

import pytest

from lms_rt.contracts.bulk import MAX_ROWS
from lms_rt.errors import Refused
from lms_rt.interchange.tables import read_table
from lms_rt.services.people_tables import read_people

ENGLISH = "Email,Full name,Group\nsara@example.org,Sara Saleh,A\n"
ARABIC = "البريد الإلكتروني;الاسم الكامل;الشعبة\r\nsara@example.org;سارة صالح;أ\r\n"


@pytest.mark.parametrize(
    ("raw", "encoding", "separator", "name"),
    [
        (ENGLISH.encode(), "utf-8", ",", "Sara Saleh"),
        (b"\xef\xbb\xbf" + ENGLISH.replace(",", ";").encode(), "utf-8", ";", "Sara Saleh"),
        (ARABIC.encode(), "utf-8", ";", "سارة صالح"),
        (ARABIC.encode("cp1256"), "windows-1256", ";", "سارة صالح"),
        (ARABIC.replace(";", "\t").encode("utf-16"), "utf-16", "\t", "سارة صالح"),
        (ARABIC.replace(";", "\t").encode("utf-16-le"), "utf-16-le", "\t", "سارة صالح"),
        (ENGLISH.replace(",", "\t").encode("utf-16-be"), "utf-16-be", "\t", "Sara Saleh"),
        (b"sep=|\n" + ENGLISH.replace(",", "|").encode(), "utf-8", "|", "Sara Saleh"),
        (b"sara@example.org,Sara Saleh", "utf-8", ",", "Sara Saleh"),
        (b'"Sara Saleh","sara@example.org"\n', "utf-8", ",", "Sara Saleh"),
    ],
)
def test_a_table_is_read_however_it_was_saved(raw: bytes, encoding: str, separator: str, name: str) -> None:
    people = read_people(raw)
    assert (people.encoding, people.separator) == (encoding, separator)
    assert [(row.email, row.full_name, row.code) for row in people.rows] == [("sara@example.org", name, None)]


def test_names_may_stand_in_two_columns_and_other_columns_do_not_matter() -> None:
    raw = 'ID;Last-Name;FIRST_NAME;e-mail;Sprache;اللغة\n7;"Saleh";Sara; sara@example.org ;de;العربية\n'.encode()
    (row,) = read_people(raw).rows
    assert (row.full_name, row.email, row.locale) == ("Sara Saleh", "sara@example.org", "ar")


def test_each_row_says_what_is_wrong_with_it_and_on_which_line_it_stands() -> None:
    lines = [
        "email,name,group",
        "sara@example.org,Sara,A",
        "",
        '"omar@example.org","Omar\nNasser",A',
        "not an address,Nobody,A",
        "SARA@EXAMPLE.ORG,Again,A",
        ",Nameless,",
        f"lina@example.org,Lina,{'x' * 200}",
    ]
    rows = read_people("\n".join(lines).encode()).rows
    assert [(row.line, row.code) for row in rows] == [
        (2, None),
        (4, "full_name"),
        (6, "email"),
        (7, "duplicate"),
        (8, "email"),
        (9, "group"),
    ]
    assert "line 2" in (rows[3].reason or "")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty"),
        (b"name,group\nSara,A\n", "no_email"),
        (b'email,name\nsara@example.org,"Sara\n', "quotes"),
        (b"PK\x03\x04\x00\x00\x00\x00\x00\x01\x02", "binary"),
        (b"\xff\xfea", "encoding"),
        (b"email\n" + b"a@example.org," * 70 + b"\n", "too_long"),
        (b"email\n" + b"a@example.org\n" * (MAX_ROWS + 1), "too_many_rows"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_with_the_reason(raw: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        read_people(raw)
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [("file", code)]


def test_one_bad_byte_makes_no_other_letters_of_all_names() -> None:
    names = ["سارة", "عمر", "لينا", "طارق"]
    raw = "email,name\n" + "".join(f"p{place}@example.org,{name}\n" for place, name in enumerate(names))
    bad = raw.encode().replace("لينا".encode(), b"Andr\xe9")
    with pytest.raises(Refused) as refused:
        read_people(bad)
    assert [(one.code, one.message[:7]) for one in refused.value.fields] == [("encoding", "Line 4:")]
    said = read_people(raw.encode("cp1256"), "windows-1256")
    assert [row.full_name for row in said.rows] == names
    assert [row.full_name for row in read_people(raw.encode("utf-16"), "utf-16").rows] == names
    with pytest.raises(Refused) as refused:
        read_people(bad, "utf-8")
    assert [(one.code, one.message[:7]) for one in refused.value.fields] == [("encoding", "Line 4:")]
    assert [row.full_name for row in read_people("a@example.org,René".encode("cp1252"), "windows-1252").rows] == [
        "René"
    ]
    prose = "email,name\n" + "".join(f"p{n}@example.org,گلی، گک\n" for n in range(9))  # pairs that look like UTF-8
    assert read_people(prose.encode("cp1256", "ignore")).encoding == "windows-1256"


def test_a_separator_inside_quotes_separates_nothing() -> None:
    table = read_table(b'"a;b;c;d",e\n1,2\n', max_rows=5)
    assert [row.cells for row in table.rows] == [("a;b;c;d", "e"), ("1", "2")]
