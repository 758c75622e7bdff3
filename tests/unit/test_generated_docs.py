"""The pages that are made from the code say what the code says now."""

from __future__ import annotations

import pytest

from config.settings import Settings
from handlers.live.table import COMMANDS
from handlers.routes import ROUTES
from lms_rt.contracts.events import EVENTS
from lms_rt.realtime.close_codes import Close
from tests.generated_docs import PAGES, PARTS, ROOT, wanted


@pytest.mark.parametrize("path", [*PAGES, *PARTS])
def test_a_generated_page_is_fresh(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == wanted(path), "run: python3 -m tests.generated_docs"


def test_nothing_is_left_out() -> None:
    pages = {path: wanted(path) for path in (*PAGES, *PARTS)}
    for name in Settings.model_fields:
        assert f"| `{name.upper()}` |" in pages["docs/configuration.md"]
        assert f"\n#{name.upper()}=" in pages[".env.example"]
    for operation in ROUTES:
        assert f"{operation.path}`" in pages["docs/rest-api.md"]
    assert "dispute, from, to" in pages["docs/rest-api.md"], "parameters by the names under which they are sent"
    for kind in EVENTS:
        assert f"## {kind.name}\n" in pages["docs/events.md"]
    for command in COMMANDS:
        assert f"| `{command}` |" in pages["docs/realtime-protocol.md"]
    for close in Close:
        assert f"| {close.code} | {close.reason} |" in pages["docs/realtime-protocol.md"]
