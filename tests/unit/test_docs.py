"""What the documentation names exists: every path, link, command and option."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import run

ROOT = Path(run.__file__).parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").glob("*.svg")]
)
_ROOMS = "config|documents|handlers|lms_rt|workers|tests|docs|\\.ci"
_PATH = re.compile(rf"(?<![\w/.<-])((?:{_ROOMS})/[\w./-]*[\w/])(?![\w{{])")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"python3 run\.py\b([^`\n|)]*)")
_MOST_PNG_BYTES = 200_000


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(page: str) -> None:
    named = {found.rstrip(".") for found in _PATH.findall(_text(page))}
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_paths_are_found() -> None:
    text = (
        "see `lms_rt/clock.py`, [x](docs/security.md) and handlers/nothing.py. Not https://example.org/docs/x or /docs."
    )
    assert _PATH.findall(text) == ["lms_rt/clock.py", "docs/security.md", "handlers/nothing.py"]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    lost = []
    for link in _LINK.findall(_text(page)):
        path, _, anchor = link.partition("#")
        if ":" in path:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            lost.append(link)
    assert lost == []


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}


def _commands(page: str) -> Iterator[list[str]]:
    for words in _COMMAND.findall(_text(page)):
        yield shlex.split(words.partition("#")[0].replace("…", "x"))


def _options(command: str) -> set[str]:
    _, by_name = run.parsers()
    module = importlib.import_module(run.COMMANDS[command][0])
    module.add_arguments(by_name[command])
    return set(by_name[command]._option_string_actions)


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith(".md")])
def test_every_command_is_one(page: str) -> None:
    for words in _commands(page):
        name = words[0] if words and not words[0].startswith("-") else "serve"
        assert name in run.COMMANDS or words == ["--help"]
        used = {word for word in words if word.startswith("--")}
        assert used <= _options(name) | {"--help"}, words


def test_screenshots_are_small() -> None:
    pictures = [*(ROOT / "docs" / "screenshots").glob("*.png")]
    assert {path.name: path.stat().st_size for path in pictures if path.stat().st_size > _MOST_PNG_BYTES} == {}


def test_every_page_is_reachable_from_the_readme() -> None:
    seen: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        for link in _LINK.findall(_text(page)):
            target = ((ROOT / page).parent / link.partition("#")[0]).resolve()
            found = [target] if target.is_file() else sorted(target.glob("*.md")) if target.is_dir() else []
            names = {path.relative_to(ROOT).as_posix() for path in found if path.suffix in {".md", ".svg"}}
            waiting += sorted(names - seen - set(waiting))
    assert set(PAGES) <= seen
