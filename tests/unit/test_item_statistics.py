"""The arithmetic of item analysis: against other packages' results, and where a figure cannot be had."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.services.item_statistics import (
    OptionFigures,
    QuestionFigures,
    Reliability,
    Sitting,
    correlation,
    question_figures,
    reliability_of,
    remarks_on,
    variance,
)

_DATA = Path(__file__).parents[1] / "data" / "statistics"


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("statistics_reference", _DATA / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = _reference()
EXPECTED: dict[str, Any] = json.loads((_DATA / "expected.json").read_text())
MATRICES = {
    "lsat6": (REFERENCE.lsat6(), (100,) * 5),
    "partial": (REFERENCE.partial(), REFERENCE.MOST),
}


def _sittings(rows: Sequence[Sequence[int]], most: Sequence[int]) -> list[Sitting]:
    could = {f"q{n}": points for n, points in enumerate(most)}
    return [Sitting({f"q{n}": points for n, points in enumerate(row)}, could, {}, {}) for row in rows]


@pytest.mark.parametrize("name", MATRICES)
def test_the_figures_are_those_of_pingouin_and_scipy(name: str) -> None:
    rows, most = MATRICES[name]
    sittings, expected = _sittings(rows, most), EXPECTED[name]
    reliability = reliability_of(sittings)
    assert reliability.alpha == pytest.approx(expected["alpha"], abs=1e-9)
    assert reliability.error == pytest.approx(expected["error"], abs=1e-9)
    for n, told in enumerate(expected["questions"]):
        found = question_figures(f"q{n}", sittings, reliability=reliability, has_options=False)
        for figure, value in told.items():
            assert getattr(found, figure) == pytest.approx(value, abs=1e-9), (n, figure)


def test_the_published_figures_of_a_real_exam_come_out() -> None:
    """As the manual of the R package ltm prints them for LSAT (`descript(LSAT)`), to four places."""
    sittings = _sittings(*MATRICES["lsat6"])
    reliability = reliability_of(sittings)
    figures = [question_figures(f"q{n}", sittings, reliability=reliability, has_options=False) for n in range(5)]
    assert [round(one.facility or 0, 3) for one in figures] == [0.924, 0.709, 0.553, 0.763, 0.870]
    assert [round(one.discrimination or 0, 4) for one in figures] == [0.1128, 0.1532, 0.1728, 0.1444, 0.1216]
    assert [round(one.point_biserial or 0, 4) for one in figures] == [0.3620, 0.5668, 0.6184, 0.5344, 0.4354]
    assert [round(one.alpha_without or 0, 4) for one in figures] == [0.2754, 0.2376, 0.2168, 0.2459, 0.2663]
    assert round(reliability.alpha or 0, 4) == 0.2950


@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=0, max_size=30))
def test_every_figure_is_one_that_can_be(rows: list[list[int]]) -> None:
    sittings = _sittings(rows, (4, 4, 4))
    reliability = reliability_of(sittings)
    assert (reliability.alpha is None) == (reliability.why_not is not None)
    assert reliability.alpha is None or reliability.alpha <= 1
    for n in range(3):
        found = question_figures(f"q{n}", sittings, reliability=reliability, has_options=False)
        assert found.facility is None or 0 <= found.facility <= 1
        assert found.facility is None or found.facility == pytest.approx(sum(row[n] for row in rows) / len(rows) / 4)
        for figure in (found.discrimination, found.point_biserial):
            assert figure is None or -1 <= figure <= 1


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30),
    st.integers(1, 100),
    st.integers(-50, 50),
)
def test_a_correlation_does_not_depend_on_the_unit(pairs: list[tuple[int, int]], scale: int, shift: int) -> None:
    xs, ys = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    found, moved = correlation(xs, ys), correlation([x * scale + shift for x in xs], ys)
    assert (found is None) == (moved is None)
    if found is not None and moved is not None:
        assert moved == pytest.approx(found, abs=1e-9)
        mirrored = correlation([-x for x in xs], ys)
        assert mirrored == pytest.approx(-found, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "why_not"),
    [
        ([], "few_attempts"),
        ([[1, 2]], "few_attempts"),
        ([[1], [0]], "one_question"),
        ([[1, 0], [0, 1]], "everybody_alike"),
        ([[1, 0], [1, 0]], "everybody_alike"),
        ([[1, 1], [0, 0]], None),
    ],
)
def test_it_is_said_why_there_is_no_reliability(rows: list[list[int]], why_not: str | None) -> None:
    assert reliability_of(_sittings(rows, [1] * len(rows[0]) if rows else [])).why_not == why_not


def test_drawn_papers_have_no_alpha_but_every_question_has_its_figures() -> None:
    could = {"a": 1, "b": 1, "c": 1}
    drawn = [{"a": 1, "b": 1}, {"a": 0, "b": 0}, {"b": 1, "c": 1}, {"a": 1, "c": 0}, {"b": 0, "c": 0}]
    sittings = [Sitting(points, could, {}, {}) for points in drawn]
    reliability = reliability_of(sittings)
    assert reliability.why_not == "papers_differ"
    found = question_figures("a", sittings, reliability=reliability, has_options=False)
    assert (found.attempts, found.alpha_without) == (3, None)
    assert found.facility == pytest.approx(2 / 3)
    assert found.discrimination == pytest.approx(correlation([1, 0, 1], [1, 0, 0]) or 0)


def test_other_points_for_the_same_question_are_another_paper() -> None:
    rows = [Sitting({"a": 1, "b": n % 2}, {"a": 1, "b": 1}, {}, {}) for n in range(4)]
    assert reliability_of([*rows, Sitting({"a": 0, "b": 0}, {"a": 2, "b": 1}, {}, {})]).why_not == "papers_differ"


def test_options_are_counted_with_how_their_choosers_did_otherwise() -> None:
    could = {"a": 1, "b": 4}
    chosen = [("x", 1, 4), ("x", 1, 4), ("y", 0, 0), (["x", "y"], 0, 2), (None, 0, 0), (True, 0, 1)]
    sittings = [
        Sitting({"a": a, "b": b}, could, {} if value is None else {"a": value}, {"a": n})
        for n, (value, a, b) in enumerate(chosen)
    ]
    found = question_figures("a", sittings, reliability=Reliability(), has_options=True)
    assert (found.attempts, found.answered) == (6, 5)
    assert {one: figures.chosen for one, figures in found.options.items()} == {"x": 3, "y": 2, "true": 1}
    assert found.options["x"].mean_rest == pytest.approx((1 + 1 + 0.5) / 3)
    rests = [1.0, 1.0, 0.0, 0.5, 0.0, 0.25]
    assert found.options["x"].discrimination == pytest.approx(correlation([1, 1, 0, 1, 0, 0], rests) or 0)
    assert found.seconds == [0, 1, 2, 3, 4, 5]


def test_a_question_without_points_has_no_facility() -> None:
    sittings = [Sitting({"a": 0, "b": n}, {"a": 0, "b": 3}, {"a": "Yes"}, {}) for n in range(4)]
    found = question_figures("a", sittings, reliability=reliability_of(sittings), has_options=False)
    assert (found.facility, found.discrimination, found.answers) == (None, None, {"Yes": (4, 0.0)})


def test_a_variance_of_equal_numbers_is_nothing_at_all() -> None:
    assert variance([0.1] * 10) == 0
    assert variance([1.0]) is None
    assert correlation([0.1] * 10, [float(n) for n in range(10)]) is None
    assert math.isclose(variance([1.0, 2.0, 4.0]) or 0, 7 / 3)


def _figures(**given: Any) -> QuestionFigures:
    plain: dict[str, Any] = {
        "attempts": 40, "answered": 40, "facility": 0.6, "deviation": 50.0, "discrimination": 0.4, "point_biserial": 0.5,
        "alpha_without": None, "seconds": [], "options": {}, "answers": {},
    }  # fmt: skip
    return QuestionFigures(**plain | given)


def _options(**given: tuple[int, float | None]) -> dict[str, OptionFigures]:
    return {one: OptionFigures(chosen, 0.5, discrimination) for one, (chosen, discrimination) in given.items()}


@pytest.mark.parametrize(
    ("figures", "remarks"),
    [
        (_figures(), []),
        (_figures(attempts=9, facility=0.0), ["few_answers"]),
        (_figures(facility=0.29), ["hard"]),
        (_figures(facility=0.91), ["easy"]),
        (_figures(discrimination=0.19), ["weak"]),
        (_figures(discrimination=-0.01), ["negative"]),
        (_figures(deviation=0.0, discrimination=None, facility=1.0), ["easy", "everybody_alike"]),
        (_figures(options=_options(right=(30, 0.3), wrong=(10, -0.3))), []),
        (_figures(options=_options(right=(30, -0.1), wrong=(10, 0.1))), ["key_suspect"]),
        (_figures(options=_options(right=(36, -0.1), wrong=(4, 0.1))), []),
        (_figures(options=_options(right=(39, 0.3), wrong=(1, -0.3))), ["unused_options"]),
        (_figures(options=_options(right=(40, None))), ["unused_options"]),
    ],
)
def test_what_a_teacher_should_look_at(figures: QuestionFigures, remarks: list[str]) -> None:
    right = {"right": True, "wrong": False} if figures.options else {}
    assert remarks_on(figures, right) == remarks
