"""How many steps a backtracking matcher takes: the same on every machine, where seconds are not.

An interpreter of the trees that Python's own parser makes of patterns; it goes the ways of `re`, and counts them. The
strings that hurt a pattern most are made from its tree: what leads to a repeat, what is repeated, and an end that fails.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_parser: Any = importlib.import_module("re._parser")
_op: Any = importlib.import_module("re._constants")
_MANY = 32
"""A repeat with fewer turns costs nothing."""
_SAMPLES = 2
_NOTHING_FITS = "\x01"
Behind = Callable[[int], bool]
Step = Callable[[int, Behind], bool]


class TooManySteps(Exception):
    """Longer than anybody would wait."""


class Backtracker:
    """A pattern, to be matched step by step."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        source = pattern.pattern
        text = source.decode("latin-1") if isinstance(source, bytes) else source
        flags = pattern.flags & ~re.UNICODE if isinstance(source, bytes) else pattern.flags
        self.tree = _parser.parse(text, flags & ~re.DEBUG)
        self._is_ascii = isinstance(source, bytes) or bool(flags & re.ASCII)
        self.steps, self._most = 0, sys.maxsize
        self._text, self._groups = "", dict[int, tuple[int, int]]()
        self._match = self._sequence(self.tree, self.tree.state.flags)

    # --- counting ---

    def count(self, text: str, *, is_whole: bool, most: int = sys.maxsize) -> int:
        """The steps of a full match, or of finding all matches one behind the other."""
        self.steps, self._most, self._text = 0, most, text
        if is_whole:
            self.fits_whole(text)
        else:
            list(self.spans(text))
        return self.steps

    def fits_whole(self, text: str) -> bool:
        """As `fullmatch`."""
        self._text, self._groups = text, {}
        return self._match(0, lambda end: end == len(text))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """As `finditer`."""
        self._text, at = text, 0
        must_advance = False
        while at <= len(text):
            end = self._match_from(at, must_advance=must_advance)
            if end is None:
                at, must_advance = at + 1, False
                continue
            yield at, end
            must_advance = end == at
            at = end

    def _match_from(self, at: int, *, must_advance: bool) -> int | None:
        ends: list[int] = []

        def is_end(end: int) -> bool:
            if must_advance and end == at:
                return False
            ends.append(end)
            return True

        self._groups = {}
        self._count()
        return ends[0] if self._match(at, is_end) else None

    def _count(self, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > self._most:
            raise TooManySteps

    # --- from the tree to steps ---

    def _sequence(self, tree: Iterable[Any], flags: int) -> Step:
        parts = [self._one(op, argument, flags) for op, argument in tree]

        def match(at: int, behind: Behind) -> bool:
            def go_on(number: int, here: int) -> bool:
                if number == len(parts):
                    return behind(here)
                return parts[number](here, lambda there: go_on(number + 1, there))

            return go_on(0, at)

        return match

    def _one(self, op: Any, argument: Any, flags: int) -> Step:
        if op in _SINGLE:
            return self._single(self._test(op, argument, flags))
        if op in {_op.MAX_REPEAT, _op.MIN_REPEAT, _op.POSSESSIVE_REPEAT}:
            return self._repeat(op, argument, flags)
        made: Step = getattr(self, f"_{str(op).lower()}")(argument, flags)
        return made

    def _single(self, test: Callable[[str], bool]) -> Step:
        def match(at: int, behind: Behind) -> bool:
            self._count()
            return at < len(self._text) and test(self._text[at]) and behind(at + 1)

        return match

    def _test(self, op: Any, argument: Any, flags: int) -> Callable[[str], bool]:
        """Does a sign fit?"""
        fits: Callable[[str], bool]
        if op == _op.ANY:
            return (lambda _: True) if flags & re.DOTALL else (lambda sign: sign != "\n")
        if op == _op.IN:
            tests = [self._member(*item) for item in argument if item[0] != _op.NEGATE]
            is_negative = argument[0][0] == _op.NEGATE
            fits = lambda sign: any(test(sign) for test in tests) != is_negative  # noqa: E731
        else:
            wanted, is_negative = chr(argument), op == _op.NOT_LITERAL
            fits = lambda sign: (sign == wanted) != is_negative  # noqa: E731
        if not flags & re.IGNORECASE:
            return fits
        return lambda sign: fits(sign.lower()) or fits(sign.upper()) if not is_negative else fits(sign.lower())

    def _member(self, op: Any, argument: Any) -> Callable[[str], bool]:
        if op == _op.LITERAL:
            return lambda sign: ord(sign) == argument
        if op == _op.RANGE:
            low, high = argument
            return lambda sign: low <= ord(sign) <= high
        return self._category(argument)

    def _category(self, name: Any) -> Callable[[str], bool]:
        kind = str(name).removeprefix("CATEGORY_")
        test = {"DIGIT": str.isdecimal, "SPACE": str.isspace, "WORD": _is_word}[kind.removeprefix("NOT_")]
        is_ascii, is_negative = self._is_ascii, kind.startswith("NOT_")
        return lambda sign: (test(sign) and (sign.isascii() or not is_ascii)) != is_negative

    def _repeat(self, op: Any, argument: Any, flags: int) -> Step:
        low, high, body = argument
        high = sys.maxsize if high == _op.MAXREPEAT else int(high)
        if op == _op.POSSESSIVE_REPEAT:
            return self._alone(self._turns(low, high, self._sequence(body, flags), is_greedy=True))
        if len(body) == 1 and body[0][0] in _SINGLE:
            one, its_argument = body[0]
            return self._run(low, high, self._test(one, its_argument, flags), is_greedy=op == _op.MAX_REPEAT)
        return self._turns(low, high, self._sequence(body, flags), is_greedy=op == _op.MAX_REPEAT)

    def _run(self, low: int, high: int, test: Callable[[str], bool], *, is_greedy: bool) -> Step:
        """A repeat of one sign, which is gone along without going deeper."""

        def match(at: int, behind: Behind) -> bool:
            text, end, last = self._text, at, min(len(self._text), at + high)
            while end < last and test(text[end]):
                end += 1
                if not is_greedy and end - at > low and self._passes(end - 1, behind):
                    return True
            self._count(end - at + 1)
            if not is_greedy:
                return end - at >= low and behind(end)
            return any(self._passes(here, behind) for here in range(end, at + low - 1, -1))

        return match

    def _passes(self, at: int, behind: Behind) -> bool:
        self._count()
        return behind(at)

    def _turns(self, low: int, high: int, body: Step, *, is_greedy: bool) -> Step:
        def turn(count: int, at: int, behind: Behind) -> bool:
            self._count()

            def again() -> bool:
                return count < high and body(at, lambda end: (end > at or count < low) and turn(count + 1, end, behind))

            if count < low:
                return again()
            return (again() or behind(at)) if is_greedy else (behind(at) or again())

        return lambda at, behind: turn(0, at, behind)

    def _alone(self, inner: Step) -> Step:
        """What is not gone back into."""

        def match(at: int, behind: Behind) -> bool:
            ends: list[int] = []

            def note(end: int) -> bool:
                ends.append(end)
                return True

            return inner(at, note) and behind(ends[0])

        return match

    def _atomic_group(self, tree: Any, flags: int) -> Step:
        return self._alone(self._sequence(tree, flags))

    def _branch(self, argument: Any, flags: int) -> Step:
        ways = [self._sequence(tree, flags) for tree in argument[1]]

        def match(at: int, behind: Behind) -> bool:
            self._count()
            return any(way(at, behind) for way in ways)

        return match

    def _subpattern(self, argument: Any, flags: int) -> Step:
        number, more, less, tree = argument
        inner = self._sequence(tree, (flags | more) & ~less)

        def match(at: int, behind: Behind) -> bool:
            def close(end: int) -> bool:
                former = self._groups.get(number)
                self._groups[number] = (at, end)
                if behind(end):
                    return True
                if former is not None:
                    self._groups[number] = former
                return False

            return inner(at, close)

        return match

    def _groupref(self, number: int, _flags: int) -> Step:
        def match(at: int, behind: Behind) -> bool:
            if number not in self._groups:
                return False
            begin, end = self._groups[number]
            self._count(end - begin + 1)
            return self._text.startswith(self._text[begin:end], at) and behind(at + end - begin)

        return match

    def _assert(self, argument: Any, flags: int) -> Step:
        return self._look(argument, flags, is_wanted=True)

    def _assert_not(self, argument: Any, flags: int) -> Step:
        return self._look(argument, flags, is_wanted=False)

    def _look(self, argument: Any, flags: int, *, is_wanted: bool) -> Step:
        direction, tree = argument
        back = tree.getwidth()[0] if direction < 0 else 0
        inner = self._sequence(tree, flags)

        def match(at: int, behind: Behind) -> bool:
            self._count()
            is_there = at >= back and inner(at - back, lambda end: direction > 0 or end == at)
            return is_there == is_wanted and behind(at)

        return match

    def _at(self, place: Any, flags: int) -> Step:
        name, is_multiline = str(place), bool(flags & re.MULTILINE)

        def match(at: int, behind: Behind) -> bool:
            self._count()
            return self._is_at(name, at, is_multiline=is_multiline) and behind(at)

        return match

    def _is_at(self, name: str, at: int, *, is_multiline: bool) -> bool:
        text, end = self._text, len(self._text)
        if name in {"AT_BEGINNING", "AT_BEGINNING_STRING"}:
            return at == 0 or (is_multiline and name == "AT_BEGINNING" and text[at - 1] == "\n")
        if name in {"AT_END", "AT_END_STRING"}:
            is_last = at == end - 1 and text[at] == "\n"
            return at == end or (name == "AT_END" and (is_last or (is_multiline and text[at] == "\n")))
        is_word = self._category("CATEGORY_WORD")
        is_border = (at > 0 and is_word(text[at - 1])) != (at < end and is_word(text[at]))
        return is_border == (name == "AT_BOUNDARY")


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


_SINGLE = {_op.LITERAL, _op.NOT_LITERAL, _op.ANY, _op.IN}


# --- what hurts ---


def attacks(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """(what leads there, what is repeated, how it ends), for every repeat of the pattern and for the pattern itself."""
    tree = Backtracker(pattern).tree
    pumps = {("", one) for one in (*_samples(tree), *_words(tree)) if one}
    pumps |= {(before, one) for before, one in _repeats(tree, "") if one}
    for before, one in sorted(pumps):
        for end in ("", _NOTHING_FITS):
            yield before, one, end


def _repeats(tree: Any, before: str) -> Iterator[tuple[str, str]]:
    """What leads to each long repeat, and what it repeats."""
    for op, argument in tree:
        for inner in _inside(op, argument):
            yield from _repeats(inner, before)
        if op in {_op.MAX_REPEAT, _op.MIN_REPEAT, _op.POSSESSIVE_REPEAT} and int(argument[1]) >= _MANY:
            for one in _samples(argument[2]):
                yield before, one
        before += _samples([(op, argument)])[0]


def _words(tree: Any) -> Iterator[str]:
    """The words that stand in a pattern, and one of each of its sets."""
    word = ""
    for op, argument in tree:
        if op == _op.LITERAL:
            word += chr(argument)
            continue
        if word:
            yield word
        word = ""
        if op in _SINGLE:
            yield from _samples([(op, argument)])
        for inner in _inside(op, argument):
            yield from _words(inner)
    if word:
        yield word


def _inside(op: Any, argument: Any) -> list[Any]:
    """The trees below a node."""
    if op in {_op.MAX_REPEAT, _op.MIN_REPEAT, _op.POSSESSIVE_REPEAT}:
        return [argument[2]]
    if op == _op.BRANCH:
        return list(argument[1])
    if op == _op.SUBPATTERN:
        return [argument[3]]
    if op in {_op.ASSERT, _op.ASSERT_NOT}:
        return [argument[1]]
    return [argument] if op == _op.ATOMIC_GROUP else []


def _samples(tree: Any) -> list[str]:
    """A few of the shortest texts that a tree takes."""
    made = [""]
    for op, argument in tree:
        made = [text + one for text in made for one in _samples_of(op, argument)][:_SAMPLES]
    return made


def _samples_of(op: Any, argument: Any) -> list[str]:
    if op in {_op.MAX_REPEAT, _op.MIN_REPEAT, _op.POSSESSIVE_REPEAT}:
        return [one * argument[0] for one in _samples(argument[2])]
    if op in _SINGLE:
        return _signs(op, argument)
    if op in {_op.AT, _op.ASSERT, _op.ASSERT_NOT, _op.GROUPREF}:
        return [""]
    return [one for inner in _inside(op, argument) for one in _samples(inner)][: 2 * _SAMPLES]


def _signs(op: Any, argument: Any) -> list[str]:
    """A few signs that fit."""
    if op == _op.LITERAL:
        return [chr(argument)]
    if op == _op.ANY:
        return ["a", " "]
    if op == _op.NOT_LITERAL:
        return [sign for sign in "ab" if ord(sign) != argument][:1]
    if argument[0][0] == _op.NEGATE:
        taken = {chr(value) for kind, value in argument[1:] if kind == _op.LITERAL}
        return [sign for sign in "a -.0\\" if sign not in taken][:_SAMPLES]
    kinds = {"WORD": "a", "DIGIT": "0", "SPACE": " ", "NOT_SPACE": "a", "NOT_WORD": "-", "NOT_DIGIT": "a"}
    first = [
        kinds[str(value).removeprefix("CATEGORY_")]
        if kind == _op.CATEGORY
        else chr(value[0] if kind == _op.RANGE else value)
        for kind, value in argument
    ]
    return first[:_SAMPLES]
