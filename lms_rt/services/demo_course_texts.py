"""What the demo school teaches: the texts of its courses and lessons. Only data; `demo_courses.py` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DemoLesson:
    """One lesson as the demo has it."""

    title: str
    content: str
    content_type: str = "text"
    duration_minutes: int = 10
    is_free: bool = False
    video_url: str | None = None


@dataclass(frozen=True, slots=True)
class DemoCourse:
    """One course as the demo has it; `students` says how many of the class are in it."""

    key: str
    fields: Mapping[str, Any]
    lessons: tuple[DemoLesson, ...]
    students: int


_ALGEBRA = DemoCourse(
    key="algebra",
    students=30,
    fields={
        "title": "Algebra 1: straight lines",
        "short_description": "From letters that stand for numbers to lines that you can read at a glance.",
        "description": "A short course for everybody who wants to **see** what an equation says.\n\n"
        "You will learn to\n\n- write what you know with letters,\n- solve an equation step by step,\n"
        "- draw a line from its equation, and find the equation of a line.\n\n"
        "At the end there is a timed quiz. Your answers are saved as you choose them.",
        "category": "Mathematics",
        "tags": ["algebra", "equations", "lines"],
        "difficulty_level": "beginner",
        "estimated_duration_minutes": 60,
    },
    lessons=(
        DemoLesson(
            "Letters for numbers",
            "A letter holds the place of a number that we do not know yet.\n\n"
            "| in words | in letters |\n| --- | --- |\n| three more than a number | `n + 3` |\n"
            "| twice a number | `2n` |\n| half of a number, less one | `n / 2 − 1` |\n\n"
            "> The same letter always stands for the same number, all through one problem.\n\n"
            "**Try it.** Write with letters: *the price of five apples, if one costs p*.",
            is_free=True,
            duration_minutes=8,
        ),
        DemoLesson(
            "Solving an equation",
            "An equation is a pair of scales. Whatever you do on one side, do on the other.\n\n"
            "1. `3x + 4 = 19`\n2. take 4 from both sides: `3x = 15`\n3. divide both sides by 3: `x = 5`\n\n"
            "Put it back in to check: `3 × 5 + 4 = 19` ✓",
        ),
        DemoLesson(
            "Slope and intercept",
            "Every line that is not upright can be written as\n\n```\ny = mx + b\n```\n\n"
            "- **m**, the slope: how far up for one step to the right;\n- **b**, the intercept: where it meets the y axis.\n\n"
            "Two lines with the same slope are **parallel**. `y = 2x + 1` and `y = 2x − 1` never meet.",
            content_type="video",
            duration_minutes=12,
            video_url="https://www.khanacademy.org/math/algebra",
        ),
        DemoLesson(
            "Formulas on one page",
            "Print it, keep it, take it to the quiz.\n\n"
            "| what | formula |\n| --- | --- |\n| slope through two points | `m = (y₂ − y₁) / (x₂ − x₁)` |\n"
            "| line from slope and point | `y − y₁ = m(x − x₁)` |\n| where two lines meet | solve `m₁x + b₁ = m₂x + b₂` |",
            content_type="document",
            duration_minutes=5,
        ),
        DemoLesson(
            "Quiz: straight lines",
            "# Ready?\n\nFind a quiet place. The clock is the school's clock: a dropped line or a closed laptop costs you "
            "nothing that was saved. Good luck!",
            content_type="quiz",
            duration_minutes=20,
        ),
    ),
)

_WATER = DemoCourse(
    key="water",
    students=18,
    fields={
        "title": "The water cycle",
        "short_description": "Where the rain comes from, and where it goes.",
        "description": "Follow one drop of water from the sea to the clouds, over the mountains and home again.\n\n"
        "*Four short lessons with drawings to make and things to try at home.*",
        "category": "Science",
        "tags": ["nature", "weather", "experiments"],
        "difficulty_level": "beginner",
        "estimated_duration_minutes": 40,
    },
    lessons=(
        DemoLesson(
            "Up: evaporation",
            "The sun warms the sea, and a little of it rises as vapour that you cannot see.\n\n"
            "**At home:** put two equal glasses of water on a sunny sill, one with a saucer on top. "
            "Mark the level every day for a week. Which one falls, and why?",
            is_free=True,
        ),
        DemoLesson(
            "Together: clouds",
            "High up it is cold. Vapour gathers on grains of dust and becomes drops: a **cloud**.\n\n"
            "- *cirrus*: thin as feathers, made of ice\n- *cumulus*: heaps of cotton, fair weather\n"
            "- *nimbostratus*: grey blanket, take an umbrella",
        ),
        DemoLesson(
            "Down: rain and snow",
            "When drops grow heavy they fall. In cold air they freeze first, each flake with six arms.\n\n"
            "> A cubic metre of cloud holds about half a gram of water. A summer cloud weighs as much as a hundred elephants.",
        ),
        DemoLesson(
            "Home: rivers and the ground",
            "Some water runs off in streams, some sinks and rests under our feet for years, "
            "and all of it comes back to the sea. Then it begins again.",
        ),
    ),
)

_WRITING = DemoCourse(
    key="writing",
    students=12,
    fields={
        "title": "Writing that people finish",
        "short_description": "Short sentences, strong verbs, one thought at a time.",
        "description": "A workshop for students who have something to say. Bring a page of your own; leave with half of it, "
        "and twice as clear.",
        "category": "Languages",
        "tags": ["writing", "style"],
        "difficulty_level": "intermediate",
        "estimated_duration_minutes": 45,
    },
    lessons=(
        DemoLesson(
            "Begin with the end",
            "Say the most important thing first. If a reader stops after one line, what should they know?\n\n"
            "~~There are many reasons for which it could be argued that…~~ → **Ban cars from the school gate.**",
            is_free=True,
        ),
        DemoLesson(
            "Verbs do the work",
            "| heavy | light |\n| --- | --- |\n| make a decision | decide |\n| give consideration to | consider |\n"
            "| is in possession of | has |",
        ),
        DemoLesson(
            "Cut a third",
            "Read your page aloud. Strike out every word that you would not say to a friend. Then do it once more.",
        ),
    ),
)

_STATISTICS = DemoCourse(
    key="statistics",
    students=15,
    fields={
        "title": "أساسيات الإحصاء",
        "short_description": "كيف تقرأ الأرقام فلا تخدعك.",
        "description": "دورة قصيرة لكلّ من يريد أن **يفهم** ما تقوله البيانات.\n\nستتعلّم:\n\n- حساب المتوسّط والوسيط والمنوال،\n"
        "- قراءة الرسوم البيانيّة بعين ناقدة،\n- التفريق بين الصدفة والدليل.",
        "category": "رياضيات",
        "tags": ["إحصاء", "بيانات"],
        "difficulty_level": "beginner",
        "estimated_duration_minutes": 50,
    },
    lessons=(
        DemoLesson(
            "المتوسّط والوسيط",
            "**المتوسّط** مجموع القيم مقسومًا على عددها، و**الوسيط** القيمة التي تتوسّطها بعد ترتيبها.\n\n"
            "| القيم | المتوسّط | الوسيط |\n| --- | --- | --- |\n| 2، 3، 4 | 3 | 3 |\n| 2، 3، 40 | 15 | 3 |\n\n"
            "> قيمة واحدة شاذّة تجرّ المتوسّط بعيدًا، أمّا الوسيط فيثبت مكانه.",
            is_free=True,
        ),
        DemoLesson(
            "قراءة الرسوم",
            "قبل أن تصدّق رسمًا بيانيًّا اسأل:\n\n1. هل يبدأ المحور من الصفر؟\n2. ما عدد من سُئلوا؟\n3. ماذا لم يُرسم؟",
            content_type="video",
            video_url="https://ar.khanacademy.org/math/statistics-probability",
            duration_minutes=12,
        ),
        DemoLesson(
            "الصدفة والدليل",
            "ارمِ قطعة نقد عشر مرّات. هل ظهر وجه واحد سبع مرّات؟ هذا يحدث **مرّة من كلّ ستّ تقريبًا** دون أيّ غشّ.\n\n"
            "لذلك لا تكفي تجربة واحدة، ولا عشر.",
        ),
        DemoLesson(
            "ورقة القوانين",
            "| القانون | الصيغة |\n| --- | --- |\n| المتوسّط | `مجموع القيم ÷ عددها` |\n| المدى | `أكبر قيمة − أصغر قيمة` |",
            content_type="document",
            duration_minutes=5,
        ),
        DemoLesson(
            "اختبار قصير",
            "# هل أنت مستعدّ؟\n\nاختر مكانًا هادئًا. تُحفظ كلّ إجابة حال اختيارها، وانقطاع الاتصال لا يُضيع منها شيئًا. بالتوفيق!",
            content_type="quiz",
            duration_minutes=15,
        ),
    ),
)

DEMO_COURSES: tuple[DemoCourse, ...] = (_WRITING, _WATER, _STATISTICS, _ALGEBRA)
"""In the order in which they are made: the newest comes first in the catalogue."""
