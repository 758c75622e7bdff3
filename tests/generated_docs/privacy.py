"""The tables of `docs/privacy.md`, from the map of erasure and the settings."""

from __future__ import annotations

from config.settings_accounts import RetentionSettings
from lms_rt.services.erasure_map import ERASURE_MAP, MapRow
from tests.generated_docs.shapes import code, table


def erasure_map() -> str:
    """What becomes of each collection."""
    rows = [(code(_name(row)), row.action, row.stays, row.exported) for row in ERASURE_MAP]
    return f"{table(('collection', 'a person’s is', 'what stays', 'in the export'), rows)}\n"


def kept_for() -> str:
    """How long what is kept."""
    rows = [
        (code(name.upper()), str(field.default), field.description or "")
        for name, field in RetentionSettings.model_fields.items()
        if name.endswith("_days")
    ]
    return f"{table(('setting', 'days', ''), rows)}\n"


def _name(row: MapRow) -> str:
    name: str = row.document.Settings.name
    return name
