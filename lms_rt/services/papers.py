"""Question papers: what an attempt is given. Drawn, ordered and shuffled once from a stored seed, then only read.

Reading a paper for saving an answer costs nothing after the first time: what its questions take is kept in memory. (No
correction changes that: a question keeps its type and its options.)
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from documents.base import Row
from documents.correction import find_corrections
from documents.enums import QuestionType
from documents.paper import AttemptPaper
from lms_rt import ids
from lms_rt.contracts.questions import AttemptQuestionView, StoredQuestion, attempt_question_view, is_counted
from lms_rt.services.corrections import corrected, is_void
from lms_rt.services.file_mentions import shown_mentions
from lms_rt.services.picture_sizes import NO_SIZES, rendering_with, sizes_of

Sheet = Mapping[str, StoredQuestion]
"""Of every question of a paper, what its answers are checked by."""

KEPT_SHEETS = 5_000
KEPT_QUIZZES = 100


# --- drawing and shuffling ---


def candidates(questions: Mapping[str, StoredQuestion], rule: Mapping[str, Any]) -> list[str]:
    """The questions that a rule may draw from: with its tag, or of its category and those below it."""
    tag, category = rule.get("tag"), rule.get("category")

    def fits(question: StoredQuestion) -> bool:
        if tag is not None:
            return tag in question["tags"]
        own = question.get("category", "")
        return own == category or own.startswith(f"{category}/")

    return [question_id for question_id, question in questions.items() if is_counted(question) and fits(question)]


def draw(
    questions: Mapping[str, StoredQuestion], rules: Sequence[Mapping[str, Any]], rng: random.Random
) -> set[str] | None:
    """Questions for all rules, none twice; None when that cannot be. Overlapping rules make room for each other."""
    if sum(rule["count"] for rule in rules) > len(questions):
        return None
    slots: list[list[str]] = []
    for rule in rules:
        found = candidates(questions, rule)
        rng.shuffle(found)
        slots += [found] * rule["count"]
    taken: dict[str, int] = {}
    if all(_place(slot, slots, taken, set()) for slot in range(len(slots))):
        return set(taken)
    return None


def _place(slot: int, slots: Sequence[Sequence[str]], taken: dict[str, int], tried: set[str]) -> bool:
    """Give the slot a question, moving others to other questions where needed (an augmenting path)."""
    free = next((question_id for question_id in slots[slot] if question_id not in taken), None)
    if free is not None:
        taken[free] = slot
        return True
    for question_id in slots[slot]:
        if question_id not in tried:
            tried.add(question_id)
            if _place(taken[question_id], slots, taken, tried):
                taken[question_id] = slot
                return True
    return False


def choose(quiz: Row, rng: random.Random) -> list[str]:
    """The questions of one paper in their order. Descriptions stay in their places; only what is asked is shuffled."""
    questions: dict[str, StoredQuestion] = quiz["questions"]
    chosen = draw(questions, quiz["draw"], rng) if quiz.get("draw") else set(questions)
    if chosen is None:  # the pool shrank after publishing: everything is better than nothing
        chosen = set(questions)
    order = [one for one in quiz["question_ids"] if one in chosen or not is_counted(questions[one])]
    if quiz.get("shuffle_questions"):
        asked = [one for one in order if is_counted(questions[one])]
        rng.shuffle(asked)
        following = iter(asked)
        order = [next(following) if is_counted(questions[one]) else one for one in order]
    return order


def with_shuffled_options(question: StoredQuestion, rng: random.Random, *, is_wanted: bool) -> StoredQuestion:
    """The question with its options in this paper's order. An ordering and a matching's right side always are shuffled."""
    options = question.get("options")
    if isinstance(options, dict):
        shuffled: Any = {**options, "right": rng.sample(options["right"], len(options["right"]))}
        if is_wanted:
            shuffled["left"] = rng.sample(options["left"], len(options["left"]))
    elif options and (is_wanted or question["question_type"] == QuestionType.ORDERING):
        shuffled = rng.sample(options, len(options))
    else:
        return question
    return cast("StoredQuestion", {**question, "options": shuffled})


def totals(quiz: Row) -> tuple[int, int]:
    """How many questions an attempt asks, and the most it can be worth in hundredths. Descriptions are in no count."""
    questions: dict[str, StoredQuestion] = quiz["questions"]
    rules = quiz.get("draw") or []
    if not rules:
        asked = [_points_of(question) for question in questions.values() if is_counted(question)]
        return len(asked), sum(asked)
    best = (sorted((_points_of(questions[one]) for one in candidates(questions, rule)), reverse=True) for rule in rules)
    return sum(rule["count"] for rule in rules), sum(
        sum(points[: rule["count"]]) for points, rule in zip(best, rules, strict=True)
    )


def _points_of(question: StoredQuestion) -> int:
    """A void question can be asked, and is worth nothing."""
    return 0 if is_void(question) else question["points"]


def paper_row(quiz: Row, attempt_id: str, *, at: datetime) -> Row:
    """The paper of a new attempt, made from a seed of its own. The quiz says which corrections its questions hold."""
    seed = ids.random_token(16)
    rng = random.Random(seed)  # noqa: S311 - repeatable by its stored seed; nobody's secret
    order = choose(quiz, rng)
    is_wanted = bool(quiz.get("shuffle_options"))
    return {
        "_id": attempt_id,
        "quiz_id": quiz["_id"],
        "quiz_version": quiz["version"],
        "key_version": quiz.get("key_version", 0),
        "seed": seed,
        "title": quiz["title"],
        "instructions": quiz.get("instructions", ""),
        "passing_score": quiz["passing_score"],
        "grading_policy": quiz["grading_policy"],
        "show_correct_answers": quiz["show_correct_answers"],
        "question_ids": order,
        "questions": {one: with_shuffled_options(quiz["questions"][one], rng, is_wanted=is_wanted) for one in order},
        "created_at": at,
    }


def shown_questions(paper: Row) -> list[AttemptQuestionView]:
    """The questions of a paper as the student sees them; images say their size where `picture_sizes` came with it."""
    render = rendering_with(paper.get("picture_sizes", NO_SIZES))
    return [
        attempt_question_view(paper["questions"][question_id], order=order, render=render)
        for order, question_id in enumerate(paper["question_ids"], 1)
    ]


async def written_paper(attempt_id: str) -> Row:
    """The whole paper of an attempt as it was written; that was before the attempt."""
    row = await AttemptPaper.find_row(attempt_id)
    if row is None:
        raise LookupError(f"attempt {attempt_id} has no paper")
    return row


async def corrected_paper(attempt: Row) -> Row:
    """The whole paper of an attempt as it is now: with the corrections that the attempt has reached."""
    paper, key_version = await written_paper(attempt["_id"]), attempt["key_version"]
    return corrected(paper, await corrections_of(paper, key_version), key_version)


async def corrected_papers(attempts: Iterable[Row]) -> dict[str, Row]:
    """The same of many, by attempt: read together, and what was corrected once for all that miss the same."""
    versions = {attempt["_id"]: attempt["key_version"] for attempt in attempts}
    known: dict[tuple[str, int, int], list[Row]] = {}
    papers: dict[str, Row] = {}
    for attempt_id, paper in (await AttemptPaper.find_rows(versions)).items():
        missed = paper["quiz_id"], paper["key_version"], versions[attempt_id]
        if missed not in known:
            known[missed] = await corrections_of(paper, versions[attempt_id])
        papers[attempt_id] = corrected(paper, known[missed], versions[attempt_id])
    return papers


async def corrections_of(paper: Row, key_version: int) -> list[Row]:
    """The corrections that came after a paper, up to that version of its keys."""
    return await find_corrections(paper["quiz_id"], after=paper["key_version"], until=key_version)


# --- what is kept in memory ---


class Papers:
    """Finds papers, and keeps what answers are checked by. A paper does not change, so what is kept stays right."""

    def __init__(self) -> None:
        self._sheets: OrderedDict[str, Sheet] = OrderedDict()
        self._questions: OrderedDict[tuple[str, int, int], dict[str, StoredQuestion]] = OrderedDict()

    async def store(self, row: Row) -> None:
        """Write a new paper."""
        await AttemptPaper.add(row)
        self._keep(row)

    async def withdraw(self, attempt_id: str) -> None:
        """Remove the paper of an attempt that did not come to be."""
        self._sheets.pop(attempt_id, None)
        await AttemptPaper.remove(attempt_id)

    async def sheet_of(self, attempt_id: str) -> Sheet:
        """What the answers of an attempt are checked by."""
        if (sheet := self._sheets.get(attempt_id)) is not None:
            self._sheets.move_to_end(attempt_id)
            return sheet
        return self._keep(await written_paper(attempt_id))

    async def require(self, attempt: Row) -> Row:
        """The whole paper of an attempt, with the corrections that the attempt has reached laid over it."""
        return await corrected_paper(attempt)

    async def require_shown(self, attempt: Row) -> Row:
        """The same, with how large the images are that its questions show, for who is shown them."""
        paper = await self.require(attempt)
        named = {one for question in paper["questions"].values() for one in shown_mentions(question)}
        return paper | {"picture_sizes": await sizes_of(named)}

    def _keep(self, row: Row) -> Sheet:
        shared = self._questions.setdefault((row["quiz_id"], row["quiz_version"], row["key_version"]), {})
        sheet = {one: shared.setdefault(one, _checked_by(question)) for one, question in row["questions"].items()}
        self._sheets[row["_id"]] = sheet
        while len(self._sheets) > KEPT_SHEETS:
            self._sheets.popitem(last=False)
        while len(self._questions) > KEPT_QUIZZES:
            self._questions.popitem(last=False)
        return sheet


def _checked_by(question: StoredQuestion) -> StoredQuestion:
    """Type and option ids, sorted: all attempts at a quiz, and all nodes, bring a value into the same form."""
    kept: Row = {"question_type": question["question_type"]}
    options = question.get("options")
    if isinstance(options, dict):
        kept["options"] = {side: _sorted_ids(items) for side, items in options.items()}
    elif options is not None:
        kept["options"] = _sorted_ids(options)
    return cast("StoredQuestion", kept)


def _sorted_ids(options: Sequence[Row]) -> list[Row]:
    return [{"id": one} for one in sorted(option["id"] for option in options)]
