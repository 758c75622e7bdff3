"""The pages of `docs/` that are made from the code: `python3 -m tests.generated_docs` writes them, a test keeps them fresh.

A whole page, or a part of one between the markers `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.generated_docs import data, live, metrics, money, privacy, rest, rights, settings

ROOT = Path(__file__).resolve().parents[2]

PAGES: Mapping[str, Callable[[], str]] = {
    ".env.example": settings.env_example,
    "docs/configuration.md": settings.configuration,
    "docs/permissions.md": rights.permissions,
    "docs/rest-api.md": rest.rest_api,
    "docs/events.md": live.events,
    "docs/asyncapi.json": live.asyncapi,
    "docs/metrics.md": metrics.metrics,
}
"""Pages that are made as a whole."""

PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "docs/realtime-protocol.md": {
        "notices": live.notices,
        "commands": live.commands,
        "limits": live.limits,
        "close codes": live.close_codes,
    },
    "docs/privacy.md": {"erasure map": privacy.erasure_map, "retention": privacy.kept_for},
    "docs/payments.md": {"states": money.states},
    "docs/data-model.md": {"collections": data.collections, "indexes": data.indexes},
}
"""Pages that were written by hand, with the parts that are made."""


def wanted(path: str) -> str:
    """What a generated page has to hold now."""
    if path in PAGES:
        return PAGES[path]()
    text = (ROOT / path).read_text(encoding="utf-8")
    for name, make in PARTS[path].items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, _, rest_of_it = text.partition(begin)
        _, found, after = rest_of_it.partition(end)
        if not found:
            raise ValueError(f"{path} lacks the markers of {name!r}")
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text
