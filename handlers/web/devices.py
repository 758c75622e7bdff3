"""What a browser calls itself, in words that people know: its name and where it runs. A guess for the eye, nothing rests on it."""

from __future__ import annotations

# The first that is found wins: most of them also name the ones below.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_words(program: str) -> str:
    """Name and system, as in "Firefox, Windows"; a program that is no browser as it calls itself."""
    if not program.startswith("Mozilla/"):
        return program
    found = (next((name for mark, name in names if mark in program), "") for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in found if name) or program
