"""Markdown to safe HTML."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.services.rendering import MAX_MARKDOWN, plain_line, render


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("", ""),
        ("Hello **bold** ~~gone~~", '<p dir="auto">Hello <strong>bold</strong> <s>gone</s></p>'),
        ("# سلام", '<h1 dir="auto">سلام</h1>'),
        ("_____ is the largest.", '<p dir="auto">_____ is the largest.</p>'),
        ("[a](https://x.y)", '<p dir="auto"><a href="https://x.y" rel="nofollow noopener">a</a></p>'),
        ("![fig](/f.png)", '<p dir="auto"><img src="/f.png" alt="fig"></p>'),
        ("<p>own <b>HTML</b></p>", "<p>own <b>HTML</b></p>"),
        ("a<!-- unseen -->b", '<p dir="auto">ab</p>'),
        ("    x < 1", "<pre><code>x &lt; 1\n</code></pre>"),
    ],
)
def test_renders(markdown: str, html: str) -> None:
    assert render(markdown) == html


def test_tables_align_without_styles() -> None:
    html = render("|a|\n|-:|\n|1|")
    assert '<td dir="auto" align="right">1</td>' in html
    assert "style" not in html


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "<a href='java&#x73;cript:alert(1)'>x</a>",
        "<img src=x onerror=alert(1)>",
        "<iframe src='https://x.y'></iframe>",
        "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
        "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
        "<b style='position:fixed'>x</b>",
        "<form action=/x><input name=q></form>",
        "<style>*{display:none}</style>",
        "<img src='data:text/html,<script>'>",
        "<base href=//evil>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    ],
)
def test_nothing_dangerous_is_left(markdown: str) -> None:
    html = render(markdown)
    assert not re.search(
        r"<(script|iframe|svg|math|form|input|style|base|noscript)|<[^>]*(\son\w+|style|javascript:|data:)", html
    )


@given(st.text(alphabet="<>/\"'=abp &;#![]()*_`\n-", max_size=80))
def test_what_is_rendered_is_clean_already(markdown: str) -> None:
    html = render(markdown)
    assert set(re.findall(r"<([a-z]\w*)", html)) <= {
        *("a", "b", "p", "pre", "code", "em", "strong", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("blockquote", "hr", "img", "br", "table", "thead", "tbody", "tr", "td", "th", "s"),
    }


def test_a_text_beyond_measure_is_shown_plain() -> None:
    html = render("<b>*x*</b>" * (MAX_MARKDOWN // 10 + 1))
    assert html.startswith('<pre dir="auto">&lt;b&gt;*x*')


def test_deep_nesting_ends() -> None:
    assert "deep" in render(">" * 5_000 + "\n\ndeep")


@pytest.mark.parametrize(
    ("markdown", "line"),
    [
        ("ما **الوسيط** للأعداد؟", "ما الوسيط للأعداد؟"),
        ("Which is parallel to `y = 2x`?", "Which is parallel to y = 2x?"),
        ("Solve for x:\n\n```\n3x + 4 = 19\n```", "Solve for x: 3x + 4 = 19"),
        ("## Read\n> then\nanswer", "Read then answer"),
        ("3 * 4 # 5 > 2", "3 * 4 # 5 > 2"),
        ("What is *m* in [this](https://example.org/a_b)?", "What is m in this?"),
        (r"2 \* 3\_4 &amp; x < y", "2 * 3_4 & x < y"),
        ("<p>H<sub>2</sub>O&nbsp;is</p><p>wet<br>and <b>cold</b></p>", "H2O is wet and cold"),
        ('![a "triangle"](t.png) How many sides?', 'a "triangle" How many sides?'),
        ('<img src="t.png">', "…"),
        ("- x\n- y\n\n| a | b |\n|---|---|\n| 1 | 2 |", "x y a b 1 2"),
        (" \n", ""),
    ],
)
def test_a_line_for_lists_has_the_words_without_the_marks(markdown: str, line: str) -> None:
    assert plain_line(markdown, 160) == line


def test_a_line_for_lists_has_its_length() -> None:
    assert plain_line("**" + "a" * 40 + "**", 30) == "a" * 30
