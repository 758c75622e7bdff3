"""What templates and scripts may hold: no words outside the catalogue, nothing inline, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from handlers.web.assets import assets, load_assets
from handlers.web.base import is_own_path, sign_in_path
from handlers.web.presentation import environment

WEB = Path(__file__).parents[2] / "handlers" / "web"
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
SCRIPTS = sorted((WEB / "static").glob("*.js"))
BOTH = [*TEMPLATES, *SCRIPTS]

JINJA = re.compile(r"\{% block body_class %\}.*?\{% endblock %\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
MARKUP = re.compile(r"<(?:svg|symbol|style|script)\b.*?</(?:svg|symbol|style|script)>|<[^>]*>", re.DOTALL)
SPOKEN = re.compile(r"""\b(?:aria-label|placeholder|title|alt|aria-roledescription)=["']([^"']*)["']""")
WORD = re.compile(r"[A-Za-z\u0600-\u06ff]{2,}")
ENTITY = re.compile(r"&\w+;")


def named(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_templates_have_no_words_of_their_own(path: Path) -> None:
    text = JINJA.sub("", path.read_text(encoding="utf-8"))
    said = [*SPOKEN.findall(text), ENTITY.sub("", MARKUP.sub(" ", text))]
    words = {word for part in said for word in WORD.findall(part)}
    assert not words


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_scripts_have_no_words_of_their_own(path: Path) -> None:
    """Between the tags of html`` stand expressions only; so do labels."""
    for found in re.findall(r"html`((?:[^`\\]|\\.)*)`", path.read_text(encoding="utf-8"), re.DOTALL):
        text = re.sub(r"\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", "", found)
        for part in [*SPOKEN.findall(text), *re.findall(r">([^<>]*)<", text)]:
            assert not WORD.findall(ENTITY.sub("", part)), part


@pytest.mark.parametrize("path", BOTH, ids=named)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    markup = JINJA.sub("", text)
    assert not re.search(r"\sstyle\s*=\s*[\"']", markup)
    assert not re.search(r"<[a-z][^>]*\son[a-z]+\s*=", markup)
    assert not re.search(r"\.setAttribute\(\s*[\"']style", text)
    foreign = [address for address in re.findall(r"https?://[^\s\"'`)]+", text) if "www.w3.org" not in address]
    assert not foreign
    for opened in re.findall(r"<script\b[^>]*>", markup):
        assert "src=" in opened or 'type="application/json"' in opened


HEADING = re.compile(r"""<h\d[^>]*\sid="([\w-]+)"[^>]*>\{\{ t\(["']([\w.]+)""")
REGION = re.compile(r"""role="region" aria-label(?:ledby="([\w-]+)"|="\{\{ t\(["']([\w.]+)["']\))""")


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_a_table_that_can_be_scrolled_is_not_called_as_the_section_around_it(path: Path) -> None:
    """Who hears the page goes from landmark to landmark, and tells them apart by their names."""
    text = path.read_text(encoding="utf-8")
    words = dict(HEADING.findall(text))
    sections = {words.get(one, one) for one in re.findall(r'<section[^>]*\saria-labelledby="([\w-]+)"', text)}
    regions = {label or words.get(one, one) for one, label in REGION.findall(text)}
    assert not sections & regions


def test_markup_enters_by_one_door() -> None:
    sinks = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createPolicy|\beval\(|new Function")
    assert [path.name for path in SCRIPTS if sinks.search(path.read_text(encoding="utf-8"))] == ["html.js"]
    door = (WEB / "static" / "html.js").read_text(encoding="utf-8")
    assert re.findall(r"createPolicy\(\s*(.*?),", door) == ['"lms"']


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_only_cleaned_html_is_marked_safe(path: Path) -> None:
    for marked in re.findall(r"\{\{([^}]*)\|\s*safe\b", path.read_text(encoding="utf-8")):
        assert marked.strip().endswith(("_html", "]")), marked


def test_all_templates_compile() -> None:
    for path in TEMPLATES:
        environment().get_template(path.relative_to(WEB / "templates").as_posix())


def test_live_regions_are_there_from_the_first_byte() -> None:
    skeleton = (WEB / "templates" / "skeleton.html").read_text(encoding="utf-8")
    assert skeleton.count('id="say"') == skeleton.count('id="say-now"') == 1
    others = [path for path in BOTH if path.name != "skeleton.html"]
    live = re.compile(r"aria-live=[\"'](?!off)|role=[\"'](?:status|alert|log)[\"']")
    assert not [path.name for path in others if live.search(path.read_text(encoding="utf-8"))]


# --- static files ---


def test_another_file_makes_another_release(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    before = load_assets(tmp_path)
    (tmp_path / "a.css").write_text("b {}")
    after = load_assets(tmp_path)
    assert before.release != after.release
    assert before.path("a.css") == f"/static/{before.release}/a.css"
    with pytest.raises(KeyError):
        before.path("b.css")


def test_a_script_s_imports_are_asked_for_at_once() -> None:
    assert {"html.js", "i18n.js", "page.js", "say.js"} <= set(assets().imports_of(("shell.js",)))


def test_every_import_is_a_file() -> None:
    for path in SCRIPTS:
        for name in re.findall(r"""(?:from|import\()\s*["']\./([\w./-]+)["']""", path.read_text(encoding="utf-8")):
            assert name in assets().files, (path.name, name)


# --- where people are sent ---


@pytest.mark.parametrize("path", ["/home", "/quizzes/quz_1?a=b", "/courses/الجبر"])
def test_own_paths(path: str) -> None:
    assert is_own_path(path)


@pytest.mark.parametrize(
    "path", ["", "home", "//evil.test", "/\\evil.test", "https://evil.test/", "/a\nb", "javascript:1"]
)
def test_other_places(path: str) -> None:
    assert not is_own_path(path)


def test_the_way_back_is_kept_in_the_address() -> None:
    assert sign_in_path("/quizzes/1?a=b&c=d") == "/signin?next=/quizzes/1%3Fa%3Db%26c%3Dd"
    assert sign_in_path("/") == "/signin"


PHYSICAL = re.compile(
    r"(?:^|[;{\s])(?:(?:margin|padding|border|inset|scroll-margin|scroll-padding)-)?(?:left|right)(?:-[\w-]+)?\s*:"
    r"|(?:text-align|float|clear)\s*:\s*(?:left|right)"
)


@pytest.mark.parametrize("path", sorted((WEB / "static").glob("*.css")), ids=named)
def test_sheets_mirror_by_themselves(path: Path) -> None:
    """No sheet names left or right: what is said of start and end is right in both directions."""
    assert not PHYSICAL.findall(path.read_text(encoding="utf-8"))
