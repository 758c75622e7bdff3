"""Drawing, ordering and shuffling: what a paper is made of, over random pools and rules."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lms_rt.services.papers import candidates, choose, draw, totals, with_shuffled_options

TAGS = st.sampled_from(["easy", "hard", "new"])
CATEGORIES = st.sampled_from(["algebra", "algebra/lines", "geometry"])
RULES = st.lists(
    st.fixed_dictionaries({"tag": TAGS, "count": st.integers(1, 4)})
    | st.fixed_dictionaries({"category": CATEGORIES, "count": st.integers(1, 4)}),
    max_size=4,
)


@st.composite
def pools(pick: st.DrawFn) -> dict[str, Any]:
    drawn = pick(st.lists(st.tuples(st.sets(TAGS), CATEGORIES, st.booleans(), st.integers(0, 500)), max_size=10))
    return {
        f"q{number}": {
            "id": f"q{number}",
            "question_type": "description" if is_text and number % 3 == 0 else "true_false",
            "tags": sorted(tags),
            "category": category,
            "points": points,
        }
        for number, (tags, category, is_text, points) in enumerate(drawn)
    }


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable


def quiz(questions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"questions": questions, "question_ids": list(questions), "draw": [], **fields}


def asked(questions: dict[str, Any]) -> list[str]:
    return [one for one, question in questions.items() if question["question_type"] != "description"]


@given(pools(), RULES, st.integers())
def test_a_draw_meets_every_rule_with_different_questions(pool: dict[str, Any], rules: list[Any], seed: int) -> None:
    drawn = draw(pool, rules, dice(seed))
    if drawn is None:
        return
    assert len(drawn) == sum(rule["count"] for rule in rules)
    assert drawn <= set(asked(pool))
    for rule in rules:
        assert len(drawn & set(candidates(pool, rule))) >= rule["count"]
    assert drawn == draw(pool, rules, dice(seed)), "the same seed draws the same"


@given(pools(), RULES, st.integers())
def test_whether_a_draw_can_be_met_does_not_hang_on_luck(pool: dict[str, Any], rules: list[Any], seed: int) -> None:
    """Hall's condition over all sets of rules is what can be met at all."""
    sets = [set(candidates(pool, rule)) for rule in rules]
    can_be_met = all(
        sum(rules[place]["count"] for place in range(len(rules)) if chosen >> place & 1)
        <= len(set().union(*(sets[place] for place in range(len(rules)) if chosen >> place & 1)))
        for chosen in range(1 << len(rules))
    )
    assert (draw(pool, rules, dice(seed)) is not None) == can_be_met


def test_a_category_holds_those_below_it() -> None:
    pool: dict[str, Any] = {
        name: {"id": name, "question_type": "true_false", "tags": [], "category": category, "points": 100}
        for name, category in (("a", "algebra"), ("b", "algebra/lines"), ("c", "algebraic"))
    }
    assert candidates(pool, {"category": "algebra"}) == ["a", "b"]


@given(pools(), st.integers())
def test_shuffling_moves_what_is_asked_and_leaves_texts_in_their_places(pool: dict[str, Any], seed: int) -> None:
    plain, order = list(pool), choose(quiz(pool, shuffle_questions=True), dice(seed))
    assert sorted(order) == sorted(plain)
    for place, one in enumerate(plain):
        if pool[one]["question_type"] == "description":
            assert order[place] == one
    assert choose(quiz(pool), dice(seed)) == plain


def test_orderings_and_right_sides_are_shuffled_whatever_the_quiz_says() -> None:
    items = [{"id": f"i{number}", "text": str(number)} for number in range(20)]
    ordering: Any = {"question_type": "ordering", "options": items}
    matching: Any = {"question_type": "matching", "options": {"left": items, "right": items}}
    choice: Any = {"question_type": "multiple_choice", "options": items}
    rng = dice(1)
    shuffled: Any = with_shuffled_options(ordering, rng, is_wanted=False)
    assert shuffled["options"] != items
    assert sorted(shuffled["options"], key=items.index) == items
    pairs: Any = with_shuffled_options(matching, rng, is_wanted=False)
    assert pairs["options"]["left"] == items
    assert pairs["options"]["right"] != items
    assert with_shuffled_options(choice, rng, is_wanted=False) is choice
    assert with_shuffled_options(choice, rng, is_wanted=True)["options"] != items
    assert ordering["options"] is items


@given(pools())
def test_totals_count_what_is_asked(pool: dict[str, Any]) -> None:
    points = [pool[one]["points"] for one in asked(pool)]
    assert totals(quiz(pool)) == (len(points), sum(points))
    if points:
        rule = {"category": pool[asked(pool)[0]]["category"], "count": 1}
        best = max(pool[one]["points"] for one in candidates(pool, rule))
        assert totals(quiz(pool, draw=[rule])) == (1, best)
