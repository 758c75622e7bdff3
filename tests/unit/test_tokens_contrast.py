"""Every contrast that the design promises is recomputed from the sheet that is served; and what no sheet may say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "handlers" / "web" / "static"
SHEETS = sorted(STATIC.glob("*.css"))
APP = (STATIC / "app.css").read_text(encoding="utf-8")

ROUNDED = 0.06  # the design gives one place
GROUNDS = ("bg", "surface", "sunken")
TONES = ("ok", "warn", "bad", "info", "hold")

# name: (light colour, light contrast, dark colour, dark contrast), on the worst of the three grounds
ON_GROUNDS = {
    "text": ("#17211F", 14.2, "#E6ECE9", 13.7),
    "muted": ("#4C5A57", 6.2, "#A7B5B0", 7.7),
    "accent": ("#0B5F66", 6.4, "#6CCBD0", 8.7),
    "edge": ("#6B7A76", 3.9, "#7F908B", 4.9),
    "bar": ("#2C7F87", 4.0, "#4BA9B0", 6.0),
    "focus": ("#1B3FD6", 6.6, "#9DB4FF", 8.2),
}
# name: (light, its tint, contrast, dark, its tint, contrast)
ON_TINTS = {
    "ok": ("#1B6238", "#E2F2E7", 6.4, "#7FD6A0", "#12301F", 8.2),
    "warn": ("#7A4A00", "#FCEFD2", 6.6, "#F2BE62", "#352608", 8.6),
    "bad": ("#A3201D", "#FCE6E4", 6.3, "#FF9C94", "#3D1614", 7.9),
    "info": ("#1D4F91", "#E3EDFA", 6.9, "#93BDF5", "#14294A", 7.5),
    "hold": ("#5B3A94", "#EFE8FA", 7.1, "#C6ABF5", "#2A1E45", 7.7),
}


def block(selector: str) -> dict[str, str]:
    found = re.search(re.escape(selector) + r"\s*\{(.*?)\}", APP, re.DOTALL)
    assert found, selector
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9A-Fa-f]{6});", found.group(1)))


LIGHT = block(":root")
DARK = block(':root[data-theme="dark"]')


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_a_known_contrast_is_computed() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.478, abs=0.001)


def test_grounds_are_those_of_the_design() -> None:
    assert [LIGHT[name] for name in GROUNDS] == ["#F7F8F6", "#FFFFFF", "#ECEFEC"]
    assert [DARK[name] for name in GROUNDS] == ["#101615", "#18211F", "#0B100F"]


@pytest.mark.parametrize("name", ON_GROUNDS)
def test_colours_stand_out_from_every_ground(name: str) -> None:
    light, light_contrast, dark, dark_contrast = ON_GROUNDS[name]
    assert (LIGHT[name], DARK[name]) == (light, dark)
    assert min(contrast(light, LIGHT[ground]) for ground in GROUNDS) >= light_contrast - ROUNDED
    assert min(contrast(dark, DARK[ground]) for ground in GROUNDS) >= dark_contrast - ROUNDED


@pytest.mark.parametrize("name", TONES)
def test_tones_stand_out_from_their_tint(name: str) -> None:
    light, light_tint, light_contrast, dark, dark_tint, dark_contrast = ON_TINTS[name]
    assert (LIGHT[name], LIGHT[f"{name}-tint"]) == (light, light_tint)
    assert (DARK[name], DARK[f"{name}-tint"]) == (dark, dark_tint)
    assert contrast(light, light_tint) >= light_contrast - ROUNDED
    assert contrast(dark, dark_tint) >= dark_contrast - ROUNDED


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_words_stand_out_from_every_tint(theme: dict[str, str]) -> None:
    for name in TONES:
        assert contrast(theme["text"], theme[f"{name}-tint"]) >= 11.85
        assert contrast(theme["muted"], theme[f"{name}-tint"]) >= 5.95


def test_words_on_the_accent() -> None:
    assert (LIGHT["on-accent"], DARK["on-accent"]) == ("#FFFFFF", "#06262A")
    assert contrast(LIGHT["on-accent"], LIGHT["accent"]) >= 7.35
    assert contrast(DARK["on-accent"], DARK["accent"]) >= 8.35


def test_the_system_s_dark_is_the_chosen_dark() -> None:
    assert block(':root:not([data-theme="light"])') == DARK
    assert set(DARK) == set(LIGHT)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_no_sheet_knows_left_and_right(sheet: Path) -> None:
    rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"(?<![\w-])(?:left|right)(?![\w-])|-(?:left|right)\b", rules)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_colours_are_named_by_tokens_alone(sheet: Path) -> None:
    """Colours are written once, in the tokens; elsewhere they are called by name, or both themes would drift apart."""
    rules = sheet.read_text(encoding="utf-8")
    if sheet.name == "app.css":
        rules = rules.split("------ ground", maxsplit=1)[-1]
    assert not re.findall(r"#[0-9A-Fa-f]{3,8}\b(?=[^{]*[;}])", rules)
