"""The house's rules that no linter counts: sizes, names, who may read the clock or call the driver, what is committed.

Directions of imports are held by `.importlinter` (`python3 run.py check-code`).
"""

from __future__ import annotations

import ast
import gc
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("config", "documents", "handlers", "lms_rt", "workers")
MODULE_LINES, FUNCTION_LINES = 400, 40

_HOLDING_STATEMENTS = ("body", "orelse", "finalbody", "handlers", "cases")
Function = ast.FunctionDef | ast.AsyncFunctionDef
N = TypeVar("N", bound=ast.AST)

_FORBIDDEN_WORDS = re.compile(r"(^get_)|manager|helper|utils|^common$", re.IGNORECASE)
_NAMED_BY_LIBRARIES = {
    "get_field_value",
    "_get_dataset",
    "get_database",
    "get_collection",
    "get_template_path",
    "get_compression_options",
    "get_websocket_protocol",
    "get_buffer",
}
_DRIVER_CALLS = re.compile(
    r"^(find_one|find_one_and_\w+|insert_one|insert_many|update_one|update_many|replace_one|delete_one|delete_many"
    r"|count_documents|aggregate|bulk_write|get_motor_collection|create_index(es)?)$"
)
_CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")} | {
    ("time", "time_ns")
}
_IDS = {("uuid", "uuid1"), ("uuid", "uuid4"), ("secrets", "token_hex"), ("secrets", "token_urlsafe")}
_TELLERS_OF_TIME = ("lms_rt/clock.py", "lms_rt/ids.py")  # ids begin with their time, and neither imports the other
_VISITORS = ("lms_rt/client/", "lms_rt/console/simulate/")
"""What stands for a third party: it knows the contracts alone, so it draws its own ids and looks at its own watch."""
_MAKERS_OF_IDS = ("lms_rt/ids.py", "lms_rt/security/", "lms_rt/storage/secrets.py")


@cache
def sources(*rooms: str) -> dict[str, str]:
    """Path from the root -> text, of every module in these rooms."""
    paths = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}


@cache
def trees(*rooms: str) -> dict[str, ast.Module]:
    """Path from the root -> syntax tree."""
    gc.disable()  # none of it goes: to look through it again and again takes as long as to make it
    try:
        return {path: _tree(path, text) for path, text in sources(*rooms).items()}
    finally:
        gc.freeze()
        gc.enable()


@cache
def _tree(path: str, text: str) -> ast.Module:
    return ast.parse(text, path)


def nodes(kind: type[N], *rooms: str) -> Iterator[tuple[str, N]]:
    """Every node of this kind in every module, with the path of its module."""
    walk = _statements if issubclass(kind, ast.stmt) else ast.walk
    for path, tree in trees(*rooms).items():
        for node in _by_kind(tree, walk).get(kind, ()):
            yield path, node


@cache
def _by_kind(tree: ast.Module, walk: Callable[[ast.AST], Iterator[ast.AST]]) -> dict[type[ast.AST], list[Any]]:
    """Each module is walked through once, whatever is asked about it."""
    made: dict[type[ast.AST], list[Any]] = {}
    for node in walk(tree):
        made.setdefault(type(node), []).append(node)
    return made


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All below a node, with what holds them. None stands in an expression: nine in ten nodes are not looked at."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        for name in _HOLDING_STATEMENTS:
            pending.extend(getattr(node, name, ()))


def functions(*rooms: str) -> Iterator[tuple[str, Function]]:
    yield from nodes(ast.FunctionDef, *rooms)
    yield from nodes(ast.AsyncFunctionDef, *rooms)


def calls(*rooms: str) -> Iterator[tuple[str, ast.Call, tuple[str, str]]]:
    """Every call of the form `owner.name(…)`, with (owner, name)."""
    for path, node in nodes(ast.Call, *rooms):
        if isinstance(node.func, ast.Attribute):
            owner = node.func.value
            yield path, node, (owner.id if isinstance(owner, ast.Name) else "", node.func.attr)


def test_modules_stay_short() -> None:
    long = {path: n for path, text in sources(*ROOMS, "tests").items() if (n := text.count("\n")) > MODULE_LINES}
    assert long == {}


def test_functions_stay_short() -> None:
    long = [
        f"{path}:{node.lineno} {node.name} {n}"
        for path, node in functions(*ROOMS, "tests")
        if (n := _body_lines(node)) > FUNCTION_LINES
    ]
    assert long == []


def _body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_module_says_what_it_is_for() -> None:
    assert [path for path, tree in trees(*ROOMS, "tests").items() if not ast.get_docstring(tree)] == []


def test_nothing_bears_a_name_that_says_nothing() -> None:
    defined = [(path, node.name) for path, node in functions(*ROOMS, "tests")]
    defined += [(path, node.name) for path, node in nodes(ast.ClassDef, *ROOMS, "tests")]
    modules = [(path, Path(path).stem) for path in sources(*ROOMS, "tests")]
    bad = [(path, name) for path, name in defined + modules if _FORBIDDEN_WORDS.search(name.lstrip("_"))]
    assert [found for found in bad if found[1] not in _NAMED_BY_LIBRARIES] == []


def test_documents_are_given_their_times_and_ids() -> None:
    made = [
        f"{path}:{node.value.lineno} {ast.unparse(node.value)}"
        for path, node in nodes(ast.keyword, "documents")
        if node.arg == "default_factory" and not _is_plain_type(node.value)
    ]
    assert made == []


def _is_plain_type(factory: ast.expr) -> bool:
    return isinstance(factory, ast.Name) and (factory.id in {"list", "dict", "set", "tuple"} or factory.id[0].isupper())


def test_only_the_clock_tells_the_time() -> None:
    told = [f"{path}:{node.lineno}" for path, node, name in calls(*ROOMS) if name in _CLOCKS]
    assert [place for place in told if not place.startswith((*_TELLERS_OF_TIME, *_VISITORS))] == []


def test_only_the_makers_of_ids_and_secrets_draw_them() -> None:
    drawn = [f"{path}:{node.lineno}" for path, node, name in calls(*ROOMS) if name in _IDS]
    assert [place for place in drawn if not place.startswith((*_MAKERS_OF_IDS, *_VISITORS))] == []


def test_only_documents_and_storage_call_the_driver() -> None:
    called = [f"{path}:{node.lineno} {name}" for path, node, (_, name) in calls(*ROOMS) if _DRIVER_CALLS.match(name)]
    assert [place for place in called if not place.startswith(("documents/", "lms_rt/storage/"))] == []


def test_only_handlers_import_tornado() -> None:
    assert [path for path in _importers_of("tornado") if not path.startswith("handlers/")] == []


def _importers_of(package: str) -> list[str]:
    imported = [(path, alias.name) for path, node in nodes(ast.Import, *ROOMS) for alias in node.names]
    imported += [(path, node.module or "") for path, node in nodes(ast.ImportFrom, *ROOMS)]
    return [path for path, name in imported if name.split(".")[0] == package]


def test_only_settings_read_the_environment() -> None:
    readers = [
        f"{path}:{node.lineno}"
        for path, node in nodes(ast.Attribute, *ROOMS)
        if node.attr in {"environ", "getenv"} and ast.unparse(node.value) == "os"
    ]
    asked_on_terminals = "lms_rt/console/"  # LMS_PASSWORD, in place of a prompt
    assert [place for place in readers if not place.startswith(("config/", asked_on_terminals))] == []


def test_every_task_has_an_owner() -> None:
    dropped = [
        f"{path}:{node.lineno}"
        for path, node in nodes(ast.Expr, *ROOMS, "tests")
        if any(name in sources(*ROOMS, "tests")[path] for name in ("create_task", "ensure_future"))
        and re.match(r"(asyncio|loop)\.(create_task|ensure_future)\(", ast.unparse(node))
    ]
    assert dropped == []


def test_no_error_is_swallowed_whole() -> None:
    swallowed = [
        f"{path}:{node.lineno}"
        for path, node in nodes(ast.ExceptHandler, *ROOMS)
        if (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
    ]
    assert swallowed == []


def test_nothing_is_left_half_built() -> None:
    words = re.compile(
        "|".join((r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"raise NotImplemented" + r"Error", r"\bfor " + r"now\b"))
    )
    assert [path for path, text in sources(*ROOMS, "tests").items() if words.search(text)] == []


def test_what_is_committed_names_no_machine() -> None:
    """No path of somebody's disk and no host of a package registry: both come from the machine's own settings."""
    words = (
        *(r"/ro" + r"ot/", r"/home/" + r"[a-z]+/", r"/wo" + r"rk/"),
        *(r"pyth" + r"onhosted", r"pypi" + r"\.org", r"repo1?\.ma" + r"ven"),
        r"registry\.np" + r"mjs",
        r"index-u" + r"rl\s*[= ]\s*http",
    )
    machine = re.compile("|".join(words))
    bad = [path for path in _committed() if machine.search((ROOT / path).read_text(encoding="utf-8", errors="ignore"))]
    assert bad == []


def _committed() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    binary = (".png", ".woff2", ".ico", ".jpg")
    return [path for path in listed if path and not path.endswith(binary) and (ROOT / path).is_file()]
