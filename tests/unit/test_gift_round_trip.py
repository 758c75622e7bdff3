"""What is written as GIFT reads back the same, whatever questions hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lms_rt.contracts.questions import QuestionDraft
from lms_rt.interchange.gift import write_gift
from tests.unit.gift_cases import again, assert_same, draft, kept

TEXT = st.one_of(
    st.text(alphabet="ab é\u0627 \n\\*_~=#{}:%[]<>-/`.,1'\"$&|@\r\u2028\t", min_size=1, max_size=16),
    st.sampled_from(
        ["<p>x</p>\n\n<p>y</p>", "[html]x", "// x", "$CATEGORY: x", "%50%", "a -> b", "####", "::t::", "T", "a\n\nb"]
    ),
).filter(lambda text: bool(text.strip()))
LINE = TEXT.map(lambda text: " ".join(text.split()))
MAYBE = st.one_of(st.none(), TEXT)
WEIGHT = st.one_of(st.none(), st.sampled_from(["0", "100", "-100", "33.33333", "12.5"]))
NUMBER = st.decimals(-1000, 1000, places=3).map(str)
TOLERANCE: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"tolerance": st.decimals(0, 10, places=2).map(str), "tolerance_type": st.just("absolute")}),
    st.fixed_dictionaries({"tolerance": st.decimals(0, 1, places=2).map(str), "tolerance_type": st.just("relative")}),
    st.fixed_dictionaries({"tolerance": st.integers(1, 8), "tolerance_type": st.just("significant_figures")}),
    st.just({}),
)


def given_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@st.composite
def options(draw: st.DrawFn, *, with_weights: bool = True) -> list[dict[str, Any]]:
    has_ids = draw(st.booleans())
    rows = draw(st.lists(st.tuples(TEXT, WEIGHT if with_weights else st.none(), MAYBE), min_size=2, max_size=4))
    return [
        given_fields({"id": f"o-{n}" if has_ids else None, "text": text, "weight": weight, "feedback": feedback})
        for n, (text, weight, feedback) in enumerate(rows)
    ]


@st.composite
def choices(draw: st.DrawFn) -> dict[str, Any]:
    rows = [{**row, "id": f"o{n}"} for n, row in enumerate(draw(options()))]
    best = max(float(row.get("weight", 100)) for row in rows)
    right = [row["id"] for row in rows if float(row.get("weight", 100)) == best]
    return {"options": rows, "correct_answer": {"option_id": draw(st.sampled_from(right))}}


@st.composite
def selects(draw: st.DrawFn) -> dict[str, Any]:
    rows = [{**row, "id": f"o{n}"} for n, row in enumerate(draw(options()))]
    right = draw(st.lists(st.sampled_from([row["id"] for row in rows]), min_size=1, unique=True))
    return {"options": rows, "correct_answer": {"option_ids": right}}


@st.composite
def pairs(draw: st.DrawFn) -> dict[str, Any]:
    left, right = draw(st.lists(TEXT, min_size=1, max_size=3)), draw(st.lists(TEXT, min_size=3, max_size=4))
    return {"options": {"left": [{"text": text} for text in left], "right": [{"text": text} for text in right]}}


@st.composite
def truths(draw: st.DrawFn) -> dict[str, Any]:
    key = {"value": draw(st.booleans()), "feedback_true": draw(MAYBE), "feedback_false": draw(MAYBE)}
    return {"correct_answer": given_fields(key)}


@st.composite
def short_keys(draw: st.DrawFn) -> dict[str, Any]:
    rows = draw(st.lists(st.tuples(TEXT, st.sampled_from(["100", "50", "0"]), MAYBE, st.booleans()), max_size=3))
    accepted = [
        given_fields({"text": text, "weight": weight, "feedback": feedback, "is_wildcard": wild})
        for text, weight, feedback, wild in rows
    ]
    flags = {"ignore_case": draw(st.booleans()), "fold_arabic": draw(st.booleans())}
    return {"accepted": accepted, "pattern": "a+|b", **flags}


@st.composite
def number_keys(draw: st.DrawFn) -> dict[str, Any]:
    key: dict[str, Any]
    if draw(st.booleans()):
        key = {"value": draw(NUMBER), **draw(TOLERANCE)}
    else:
        rows = draw(st.lists(st.tuples(NUMBER, TOLERANCE, MAYBE), min_size=1, max_size=3))
        key = {"accepted": [given_fields({"value": value, "feedback": told, **near}) for value, near, told in rows]}
    return given_fields({**key, "feedback_otherwise": draw(MAYBE)})


KINDS: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "multiple_choice": choices(),
    "multiple_select": selects(),
    "true_false": truths(),
    "short_answer": st.fixed_dictionaries({"correct_answer": short_keys()}),
    "numeric": st.fixed_dictionaries({"correct_answer": number_keys()}),
    "matching": pairs(),
    "ordering": st.fixed_dictionaries({"options": options(with_weights=False)}),
    "essay": st.just({}),
    "description": st.just({}),
}


@st.composite
def drafts(draw: st.DrawFn) -> QuestionDraft:
    kind = draw(st.sampled_from(list(KINDS)))
    fields = {
        "question_type": kind,
        "question_text": draw(TEXT),
        "title": draw(st.one_of(st.none(), LINE)),
        "explanation": draw(MAYBE),
        "category": draw(st.one_of(st.none(), LINE)),
        "tags": draw(st.lists(LINE, max_size=2)),
        "points": draw(st.sampled_from([None, None, "2.50"])) if kind != "description" else None,
        "partial_credit": draw(st.sampled_from([None, None, True, False])),
        "metadata": draw(st.sampled_from([{}, {"idnumber": "7"}, {"idnumber": 7}, {"a": None, "b": ["]", {"c": 1}]}])),
    }
    return draft(**given_fields(fields), **draw(KINDS[kind]))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(drafts(), max_size=3))
def test_what_is_written_reads_back_the_same(made: list[QuestionDraft]) -> None:
    stored = [kept(one) for one in made]
    assert_same(stored, again(write_gift(stored)))
