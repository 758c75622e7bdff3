"""What pingouin and SciPy say of two response matrices: makes `expected.json`, by which the product's figures are checked.

Not part of the tests, which need neither package. In an environment of its own, from the repository's root:

    pip install pingouin
    python tests/data/statistics/reference.py > tests/data/statistics/expected.json

`lsat6` is what 1,000 people answered to the five questions of section 6 of the Law School Admission Test: how many gave each
of the 32 patterns, as R. D. Bock and M. Lieberman published it in 1970 (Psychometrika 35, table 1), and many after them.
`partial` are 60 people at eight questions with points in between, by a generator of our own with a fixed seed.
"""

from __future__ import annotations

import json
import math
import random
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

LSAT6 = (
    *(3, 6, 2, 11, 1, 1, 3, 4, 1, 8, 0, 16, 0, 3, 2, 15, 10, 29, 14, 81, 3, 28, 15, 80, 16, 56, 21, 173, 11, 61, 28),
    298,
)
"""How many people for each pattern 00000, 00001 … 11111; 1 is right."""
MOST = (100, 200, 200, 300, 400, 500, 1_000, 250)
"""What the questions of `partial` can give, in hundredths."""


def lsat6() -> list[list[int]]:
    """A row for each person: the points of five questions, in hundredths."""
    return [[100 * int(bit) for bit in f"{pattern:05b}"] for pattern, count in enumerate(LSAT6) for _ in range(count)]


def partial() -> list[list[int]]:
    """A row for each person: the points of eight questions, in hundredths; able people get more of most of them."""
    rng = random.Random(70)  # noqa: S311 - the same numbers every time is what it is for
    rows = []
    for _ in range(60):
        able = rng.random()
        parts = [min(1.0, max(0.0, able * (1.2 - n / 10) + rng.gauss(0, 0.25))) for n in range(len(MOST))]
        rows.append([round(part * 4) * most // 4 for part, most in zip(parts, MOST, strict=True)])
    return rows


def figures(rows: list[list[int]], most: tuple[int, ...]) -> dict[str, Any]:
    """Alpha, standard error and the figures of each question, by the packages."""
    pd, pg, stats = (import_module(name) for name in ("pandas", "pingouin", "scipy.stats"))

    frame = pd.DataFrame(rows)
    total, alpha = frame.sum(axis=1), float(pg.cronbach_alpha(data=frame)[0])
    questions = [
        {
            "facility": float(frame[n].mean() / most[n]),
            "deviation": float(frame[n].std()),
            "discrimination": float(stats.pearsonr(frame[n], total - frame[n])[0]),
            "point_biserial": float(stats.pearsonr(frame[n], total)[0]),
            "alpha_without": float(pg.cronbach_alpha(data=frame.drop(columns=n))[0]),
        }
        for n in range(len(most))
    ]
    if len(set(most)) == 1:  # right or wrong: SciPy has a function of that name
        for n, question in enumerate(questions):
            question["point_biserial"] = float(stats.pointbiserialr(frame[n] > 0, total)[0])
    return {"alpha": alpha, "error": float(total.std() * math.sqrt(1 - alpha)), "questions": questions}


def main() -> None:
    """Print them as JSON."""
    by = {name: version(name) for name in ("pingouin", "scipy", "pandas", "numpy")}
    found = {"by": by, "lsat6": figures(lsat6(), (100,) * 5), "partial": figures(partial(), MOST)}
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
