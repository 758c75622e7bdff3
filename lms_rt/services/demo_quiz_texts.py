"""What the demo school asks: its quizzes and their questions. Only data; `demo_quizzes.py` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DemoQuiz:
    """One quiz as the demo has it, for the course with this key; `is_for_lesson`: it completes the course's quiz lesson."""

    course_key: str
    fields: Fields
    questions: tuple[Fields, ...]
    is_for_lesson: bool = False


def _options(**texts: str) -> list[dict[str, str]]:
    return [{"id": key, "text": text} for key, text in texts.items()]


_LINES: tuple[Fields, ...] = (
    {
        "question_type": "multiple_choice",
        "question_text": "Which line is parallel to `y = 2x`?",
        "points": "2.00",
        "options": _options(a="y = x + 2", b="y = 2x − 1", c="y = −2x", d="y = x / 2"),
        "correct_answer": {"option_id": "b"},
        "explanation": "Parallel lines have the same slope: 2.",
    },
    {
        "question_type": "true_false",
        "question_text": "The line `y = 3` is horizontal.",
        "points": "1.00",
        "correct_answer": {"value": True},
        "explanation": "Its slope is 0: it neither rises nor falls.",
    },
    {
        "question_type": "numeric",
        "question_text": "Solve for x:\n\n```\n3x + 4 = 19\n```",
        "points": "2.00",
        "correct_answer": {"value": "5", "tolerance": "0", "tolerance_type": "absolute"},
        "explanation": "Take 4 from both sides, then divide by 3.",
    },
    {
        "question_type": "multiple_select",
        "question_text": "Which of these lines go **up** from left to right? Choose all that do.",
        "points": "2.00",
        "partial_credit": True,
        "options": [
            {"id": "a", "text": "y = 4x", "weight": 50},
            {"id": "b", "text": "y = −x + 9", "weight": -50},
            {"id": "c", "text": "y = x / 3 − 2", "weight": 50},
            {"id": "d", "text": "y = −2", "weight": -50},
        ],
        "correct_answer": {"option_ids": ["a", "c"]},
        "explanation": "A line rises when its slope is positive.",
    },
    {
        "question_type": "short_answer",
        "question_text": "What is the number **m** in `y = mx + b` called?",
        "points": "1.00",
        "correct_answer": {
            "accepted": [
                {"text": "slope", "weight": 100, "feedback": ""},
                {"text": "gradient", "weight": 100, "feedback": "Also called the slope."},
            ],
            "ignore_case": True,
        },
        "explanation": "It says how far the line rises for one step to the right.",
    },
    {
        "question_type": "matching",
        "question_text": "Match each equation with where its line meets the y axis.",
        "points": "3.00",
        "partial_credit": True,
        "options": {
            "left": _options(l1="y = 2x + 1", l2="y = −x", l3="y = 5x − 4"),
            "right": _options(r1="(0, 1)", r2="(0, 0)", r3="(0, −4)", r4="(0, 5)"),
        },
        "correct_answer": {"pairs": {"l1": "r1", "l2": "r2", "l3": "r3"}},
    },
    {
        "question_type": "ordering",
        "question_text": "Put the steps that solve `2x − 6 = 8` in order.",
        "points": "2.00",
        "partial_credit": True,
        "options": _options(
            s1="Write the equation down", s2="Add 6 to both sides", s3="Divide both sides by 2", s4="Check x = 7"
        ),
        "correct_answer": {"sequence": ["s1", "s2", "s3", "s4"]},
    },
    {
        "question_type": "numeric",
        "question_text": "The slope of the line through (1, 2) and (4, 3), to two places?",
        "points": "2.00",
        "correct_answer": {"value": "0.33", "tolerance": "0.005", "tolerance_type": "absolute"},
        "explanation": "(3 − 2) / (4 − 1) = 1/3.",
    },
    {
        "question_type": "multiple_choice",
        "question_text": "Where do `y = x + 1` and `y = 5 − x` meet?",
        "points": "2.00",
        "options": _options(a="(1, 2)", b="(2, 3)", c="(3, 2)", d="nowhere"),
        "correct_answer": {"option_id": "b"},
        "explanation": "x + 1 = 5 − x gives x = 2.",
    },
    {
        "question_type": "true_false",
        "question_text": "Two different lines can meet in exactly two points.",
        "points": "1.00",
        "correct_answer": {"value": False},
    },
    {
        "question_type": "short_answer",
        "question_text": "Write the equation of the line with slope 2 through (0, −1), as `y = …`.",
        "points": "2.00",
        "correct_answer": {
            "accepted": [
                {"text": "y = 2x - 1", "weight": 100, "feedback": ""},
                {"text": "y=2x-1", "weight": 100, "feedback": ""},
                {"text": "2x-1", "weight": 50, "feedback": "Nearly: an equation needs its left side."},
            ],
            "ignore_case": True,
        },
    },
    {
        "question_type": "multiple_choice",
        "question_text": "Five apples at the price **p** and a bag for 2 cost 12. Which equation says so?",
        "points": "2.00",
        "options": _options(a="5p + 2 = 12", b="5 + 2p = 12", c="7p = 12", d="5(p + 2) = 12"),
        "correct_answer": {"option_id": "a"},
    },
)

_STATISTICS: tuple[Fields, ...] = (
    {
        "question_type": "multiple_choice",
        "question_text": "ما **الوسيط** للأعداد 3، 9، 4، 7، 5؟",
        "points": "2.00",
        "options": _options(a="4", b="5", c="5.6", d="7"),
        "correct_answer": {"option_id": "b"},
        "explanation": "بعد الترتيب: 3، 4، **5**، 7، 9.",
    },
    {
        "question_type": "numeric",
        "question_text": "ما المتوسّط الحسابي للأعداد 2 و4 و9؟",
        "points": "2.00",
        "correct_answer": {"value": "5", "tolerance": "0", "tolerance_type": "absolute"},
        "explanation": "مجموعها 15، وعددها 3.",
    },
    {
        "question_type": "true_false",
        "question_text": "قد يكون لمجموعة من البيانات أكثر من منوال واحد.",
        "points": "1.00",
        "correct_answer": {"value": True},
    },
    {
        "question_type": "short_answer",
        "question_text": "ماذا نسمّي القيمة الأكثر تكرارًا في البيانات؟",
        "points": "1.00",
        "correct_answer": {
            "accepted": [
                {"text": "المنوال", "weight": 100, "feedback": "أحسنت."},
                {"text": "منوال", "weight": 100, "feedback": "أحسنت."},
            ],
            "ignore_case": True,
            "fold_arabic": True,
        },
    },
    {
        "question_type": "matching",
        "question_text": "صِل كلَّ مقياس بمعناه.",
        "points": "3.00",
        "partial_credit": True,
        "options": {
            "left": _options(l1="المتوسّط", l2="الوسيط", l3="المدى"),
            "right": _options(r1="مجموع القيم مقسومًا على عددها", r2="القيمة في الوسط", r3="أكبر قيمة ناقص أصغرها"),
        },
        "correct_answer": {"pairs": {"l1": "r1", "l2": "r2", "l3": "r3"}},
    },
)

DEMO_QUIZZES: tuple[DemoQuiz, ...] = (
    DemoQuiz(
        "algebra",
        {
            "title": "Midterm: straight lines",
            "instructions": "Twenty minutes, twelve questions. Every answer is saved as you give it; you may change it "
            "until the end.",
            "time_limit_minutes": 20,
            "passing_score": "60.00",
            "show_correct_answers": "after_submit",
        },
        _LINES,
        is_for_lesson=True,
    ),
    DemoQuiz(
        "statistics",
        {
            "title": "اختبار قصير: مقاييس النزعة المركزية",
            "instructions": "خمس عشرة دقيقة. تُحفظ كلُّ إجابة فور اختيارها، ويمكنك تغييرها حتى النهاية.",
            "time_limit_minutes": 15,
            "passing_score": "50.00",
            "quiz_type": "practice",
        },
        _STATISTICS,
        is_for_lesson=True,
    ),
)
