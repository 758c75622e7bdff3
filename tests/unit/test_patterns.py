"""No pattern of the product takes longer than the text is long: all of them are found, and each is tried with what hurts it.

Steps are counted, not seconds (`tests/unit/backtracking.py`). Patterns of contracts are pydantic's, whose engine cannot
go back; those of scripts are read out of the files. What libraries do with texts is tried where they are used.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from math import inf
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from tests.test_architecture import ROOMS, ROOT, sources, trees
from tests.unit.backtracking import Backtracker, TooManySteps, attacks

FEW, MANY = 40, 160
"""Signs. The latter lies beyond every bound that a pattern has of its own: then what is bounded no longer grows."""
STEEP = 1.3
"""In proportion, the third stretch of a text takes as long as the second; where it is the square, 5/3 of it."""
PATIENCE = 1_000
"""So many steps for each sign are too many in any case."""

BOUNDED = {"lms_rt.contracts.numbers": 100, "room-numbers.js": 100}
"""Modules whose patterns only ever see texts of so many characters: they may take the square of that."""
MADE_WHILE_RUNNING = {
    "config/settings.py": "settings of whoever runs the server",
    "lms_rt/services/withholding.py": "one name, escaped",
    "lms_rt/interchange/gift/answers.py": "one set of signs",
}
"""Where patterns are made of parts in a function."""
_CALLS = frozenset({"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"})
_ANCHORED = frozenset({"match", "fullmatch"})
_SCRIPT_PATTERN = re.compile(r"(?<=[(,=:\[?|&])\s*/((?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)/([a-z]*)(?=[.,;)\]])")


def modules() -> Iterator[ModuleType]:
    for room in ROOMS:
        package = importlib.import_module(room)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            yield importlib.import_module(found.name)


def patterns_in(value: Any, depth: int = 3) -> Iterator[re.Pattern[Any]]:
    """The patterns that a value is, or holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        for one in (*value, *value.values()):
            yield from patterns_in(one, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from patterns_in(one, depth - 1)


def of_module(module: ModuleType) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """What a module and its classes hold, by name."""
    for name, value in vars(module).items():
        held = vars(value) if inspect.isclass(value) and value.__module__ == module.__name__ else {name: value}
        for own_name, one in held.items():
            yield from ((own_name, pattern) for pattern in patterns_in(one))


def inline(node: ast.AST, *, is_inside: bool = False) -> Iterator[tuple[ast.Call, bool]]:
    """Every call of `re` with a pattern, and whether it stands in a function."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        owner = node.func.value.id
        if owner == "re" and node.func.attr in _CALLS:
            yield node, is_inside
    for child in ast.iter_child_nodes(node):
        yield from inline(child, is_inside=is_inside or isinstance(node, _FUNCTIONS))


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@cache
def calls() -> dict[str, list[tuple[ast.Call, bool]]]:
    """By path. Most modules have none, and are not looked through."""
    return {path: list(inline(tree)) for path, tree in trees(*ROOMS).items() if "re." in sources(*ROOMS)[path]}


@dataclass(frozen=True)
class Found:
    """A pattern: where it is, and whether only its beginning or its whole is asked for, or every place of a text."""

    module: str
    pattern: re.Pattern[Any]
    is_whole: bool = True
    is_sought: bool = True

    def __str__(self) -> str:
        return f"{self.module}: {self.pattern.pattern!r}"


def uses(tree: ast.Module) -> dict[str, set[str]]:
    """By what each name of a module is matched."""
    used: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _CALLS and isinstance(node.value, ast.Name | ast.Attribute):
            name = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            used.setdefault(name, set()).add(node.attr)
    for node in ast.walk(tree):  # what is gone through one by one is used as each of it is
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Name):
            for one in ast.walk(node.target):
                used.setdefault(node.iter.id, set()).update(used.get(one.id, ()) if isinstance(one, ast.Name) else ())
    return used


def matched_by(methods: set[str]) -> dict[str, bool]:
    return {"is_whole": bool(methods & _ANCHORED) or not methods, "is_sought": bool(methods - _ANCHORED) or not methods}


@cache
def found() -> tuple[Found, ...]:
    """Everything that Python's engine matches."""
    made: dict[Found, None] = {}
    texts = {name_of(path): tree for path, tree in trees(*ROOMS).items()}
    for module in modules():
        used = uses(texts[module.__name__]) if module.__name__ in texts else {}
        for name, pattern in of_module(module):
            made[Found(module.__name__, pattern, **matched_by(used.get(name, set())))] = None
    for path, made_there in calls().items():
        for call, is_inside in made_there:
            if is_inside and isinstance(call.args[0], ast.Constant) and isinstance(call.func, ast.Attribute):
                pattern = re.compile(call.args[0].value, _flags(call))
                made[Found(name_of(path), pattern, **matched_by({call.func.attr}))] = None
    return tuple(made)


def name_of(path: str) -> str:
    return path.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")


def _flags(call: ast.Call) -> int:
    parts = (node for part in (*call.args[1:], *(word.value for word in call.keywords)) for node in ast.walk(part))
    named = (getattr(re, node.attr, None) for node in parts if isinstance(node, ast.Attribute))
    return sum({flag.value for flag in named if isinstance(flag, re.RegexFlag)})


def scripts() -> Iterator[Found]:
    """The same of the pages' scripts, read as Python would: the few differences do not matter here."""
    for path in sorted((ROOT / "handlers/web/static").glob("*.js")):
        for source, flags in _SCRIPT_PATTERN.findall(path.read_text(encoding="utf-8")):
            if "\\p{" not in source:
                wanted = sum(getattr(re, flag.upper()).value for flag in flags if flag in "ims")
                yield Found(path.name, re.compile(source.replace("\\/", "/"), wanted))


def steep(one: Found) -> str:
    """An attack under which the steps grow faster than the text, if there is one."""
    for is_whole in (True,) * one.is_whole + (False,) * one.is_sought:
        if attack := _attack(one.pattern, is_whole=is_whole):
            return f"{one} by {attack}"
    return ""


@cache
def _attack(pattern: re.Pattern[Any], *, is_whole: bool) -> tuple[str, str, str] | None:
    """The same for all modules that hold this pattern."""
    matcher = Backtracker(pattern)
    for attack in attacks(pattern):
        count = partial(_steps, matcher, attack, is_whole=is_whole)
        if all(_grows(count, length) for length in (FEW, MANY)):
            return attack
    return None


def _grows(count: Callable[..., float], length: int) -> bool:
    """Does each stretch of a text take longer than the one before?"""
    one = count(length, 1)
    two = one if one == inf else count(length, 2)
    three = two if two == inf else count(length, 3)
    return three == inf or three - two > STEEP * (two - one) + length


def _steps(matcher: Backtracker, attack: tuple[str, str, str], length: int, stretches: int, *, is_whole: bool) -> float:
    before, pump, end = attack
    text = before + pump * (stretches * max(4, length // len(pump))) + end
    try:
        return matcher.count(text, is_whole=is_whole, most=PATIENCE * len(text))
    except TooManySteps:
        return inf


@pytest.fixture(scope="module", autouse=True)
def deep() -> Iterator[None]:
    """The interpreter goes a few calls deeper for each turn of a group."""
    former = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    yield
    sys.setrecursionlimit(former)


def test_no_pattern_takes_more_steps_than_in_proportion() -> None:
    assert [hurt for one in found() if one.module not in BOUNDED and (hurt := steep(one))] == []


def test_no_pattern_of_a_page_does_either() -> None:
    ours = list(scripts())
    assert len(ours) > 15
    assert [hurt for one in ours if one.module not in BOUNDED and (hurt := steep(one))] == []


def test_what_may_grow_sees_short_texts_only() -> None:
    for one in (*found(), *scripts()):
        if one.module in BOUNDED:
            most = BOUNDED[one.module]
            for before, pump, end in attacks(one.pattern):
                text = (before + pump * most)[: most - len(end)] + end
                assert Backtracker(one.pattern).count(text, is_whole=True) < 50_000


def test_no_pattern_was_overlooked() -> None:
    """As many as the sources make outside of functions are found in the modules; those made in functions are named above."""
    counted = Counter(one.module for one in found())
    made_inside = set()
    for path, made in calls().items():
        assert counted[name_of(path)] >= sum(not is_inside for _, is_inside in made), path
        if any(is_inside and not isinstance(call.args[0], ast.Constant) for call, is_inside in made):
            made_inside.add(path)
    assert made_inside == set(MADE_WHILE_RUNNING)


def test_patterns_of_contracts_are_matched_without_going_back() -> None:
    list(modules())
    pending, models = [BaseModel], set()
    while pending:
        model = pending.pop()
        models.add(model)
        pending.extend(model.__subclasses__())
    ours = [model for model in models if model.__module__.split(".")[0] in ROOMS]
    assert len(ours) > 100
    assert [model for model in ours if model.model_config.get("regex_engine", "rust-regex") != "rust-regex"] == []


def test_the_interpreter_matches_as_python_does() -> None:
    for one in found():
        matcher = Backtracker(one.pattern)
        for before, pump, end in attacks(one.pattern):
            text = before + pump * 3 + end
            given: Any = text.encode("latin-1") if isinstance(one.pattern.pattern, bytes) else text
            assert list(matcher.spans(text)) == [match.span() for match in one.pattern.finditer(given)], (one, text)
            assert matcher.fits_whole(text) == bool(one.pattern.fullmatch(given)), (one, text)


@pytest.mark.parametrize(
    "evil",
    [r"(a+)+b", r"\w*secret\w*", r"\s+$", r"(\w+\s?)*!", r".*,.*;", r"input=.*?(?=, type)",
     r"(?:[A-Z]?[a-z]{2,})+|\d+", r"[ \t]*\n(?:[ \t]*\n)+"],
)  # fmt: skip
def test_what_grows_is_noticed(evil: str) -> None:
    assert steep(Found("", re.compile(evil)))
