"""Corrections laid over papers and quizzes: their order, what is taken back, and what later edits leave of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from documents.base import Row
from lms_rt.contracts.base import read_model
from lms_rt.contracts.questions import QuestionDraft, stored_question
from lms_rt.services.corrections import corrected, corrected_in_quiz
from lms_rt.services.paper_grading import graded_answers, paper_total
from lms_rt.services.regrade_changes import undoing

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
CHOICE = {
    "question_type": "multiple_choice",
    "question_text": "Which?",
    "points": 2,
    "options": [{"id": one, "text": one.upper()} for one in "abc"],
    "correct_answer": {"option_id": "b"},
}
WORD = {
    "question_type": "short_answer",
    "question_text": "Capital of Jordan?",
    "points": 1,
    "correct_answer": {"accepted": [{"text": "Amman"}]},
}
ORDERS = ("abc", "cab", "bca", "acb", "cba")
ACTIONS = ("void", "full_credit", "accept", "fix")


def made(**fields: Any) -> Any:
    """A stored question, its options in an order of their own."""
    draft = read_model(QuestionDraft, {**CHOICE, **fields})
    return stored_question(draft, question_id="q", at=AT, version=fields.pop("version", 1))


def paper(*, key_version: int = 0, question: Any = None, options: str = "cab") -> Row:
    """A paper of the one question."""
    asked = dict(question or made())
    asked["options"] = sorted(asked["options"], key=lambda one: options.index(one["id"]))
    return {"key_version": key_version, "question_ids": ["q"], "questions": {"q": asked}, "passing_score": 5000}


def change(action: str, was: Any, *, key: str = "a") -> Row:
    """One change of the question, made when it was so."""
    said: Row = {"question_id": "q", "action": action, "was": was, "version": was["version"] + 1}
    if action == "fix":
        said["question"] = {**made(correct_answer={"option_id": key}), "version": was["version"] + 1}
    if action == "accept":
        said["accepted"] = [{"option_id": key}]
    return said


def worth(paper_row: Row, value: str) -> tuple[int | None, int]:
    """Score and best possible score of who chose this."""
    total = paper_total(paper_row, graded_answers(paper_row, {"answers": {"q": {"value": value}}}))
    return total.score, total.max_score


def test_only_what_came_after_the_paper_and_was_reached_is_laid_over_it() -> None:
    corrections = [{"n": n, "changes": [change("fix", made(), key=key)]} for n, key in ((1, "a"), (3, "c"))]
    seen = [
        next(one for one in "abc" if worth(corrected(paper(key_version=made_with), corrections, reached), one)[0])
        for made_with, reached in ((0, 0), (0, 2), (0, 3), (1, 2), (1, 3), (3, 3))
    ]
    assert seen == ["b", "a", "c", "b", "c", "b"]


def test_a_fix_keeps_the_order_of_the_options_and_says_nothing_of_others() -> None:
    fixed = corrected(paper(), [{"n": 1, "changes": [change("fix", made())]}], 1)["questions"]["q"]
    assert [one["id"] for one in fixed["options"]] == ["c", "a", "b"]
    assert fixed["is_changed"]
    other = made(options=[{"id": one, "text": one} for one in "bc"])
    asked = corrected(paper(question=other, options="cb"), [{"n": 1, "changes": [change("fix", made())]}], 1)
    assert asked["questions"]["q"]["correct_answer"] == {"option_id": "b"}


def test_each_way_to_count() -> None:
    expected = {
        "void": [(0, 0), (0, 0)],
        "full_credit": [(200, 200)] * 2,
        "accept": [(200, 200)] * 2,
        "fix": [(200, 200), (0, 200)],
    }
    for action in ACTIONS:
        asked = corrected(paper(), [{"n": 1, "changes": [change(action, made())]}], 1)
        assert [worth(asked, one) for one in "ab"] == expected[action], action
    accepted = corrected(paper(), [{"n": 1, "changes": [change("accept", made())]}], 1)
    assert worth(accepted, "c") == (0, 200)


def test_a_further_word_counts_as_the_first_one_would() -> None:
    word = stored_question(read_model(QuestionDraft, WORD), question_id="q", at=AT)
    row: Row = {
        "question_ids": ["q"],
        "questions": {"q": {**word, "also_accepted": [{"accepted": [{"text": "عمّان", "weight": "50.00"}]}]}},
    }
    row["passing_score"] = 5000
    assert [worth(row, text)[0] for text in ("amman", "عمان", "عمّان", "Petra")] == [100, 50, 50, 0]


def test_what_people_marked_stands_above_a_key_and_not_above_what_is_for_all() -> None:
    attempt = {"answers": {"q": {"value": "b"}}, "marks": {"q": {"points": 50}}}
    found = {}
    for action in ACTIONS:
        asked = corrected(paper(), [{"n": 1, "changes": [change(action, made())]}], 1)
        total = paper_total(asked, graded_answers(asked, attempt))
        found[action] = (total.score, total.max_score)
    assert found == {"void": (0, 0), "full_credit": (200, 200), "accept": (50, 200), "fix": (50, 200)}


@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from("abc")), min_size=1, max_size=4), st.data())
def test_taking_one_back_is_as_if_it_had_never_been(told: list[tuple[str, str]], data: st.DataObject) -> None:
    """For papers from before all of them, and for those that were made from the quiz between any two."""
    quiz, papers, corrections = made(), [paper()], list[Row]()
    for n, (action, key) in enumerate(told, 1):
        said = change(action, quiz, key=key)
        corrections.append({"n": n, "changes": [said]})
        quiz = corrected_in_quiz(quiz, said, at=AT)
        papers.append(paper(key_version=n, question=quiz, options=ORDERS[n]))
    back = data.draw(st.sampled_from(corrections))
    n = len(corrections) + 1
    undone = [*corrections, {"n": n, "changes": undoing(back["changes"], back["n"])}]
    rest = [one for one in corrections if one is not back]
    expected = [worth(corrected(paper(), rest, n), one) for one in "abc"]
    assert [worth(corrected(papers[0], undone, n), one) for one in "abc"] == expected
    is_last = back["n"] == len(told)
    if is_last:
        quiz = corrected_in_quiz(quiz, undone[-1]["changes"][0], at=AT)
        for one_paper in papers:
            assert [worth(corrected(one_paper, undone, n), one) for one in "abc"] == expected
        assert [worth(paper(key_version=n, question=quiz), one) for one in "abc"] == expected
