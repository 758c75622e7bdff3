"""What the views of all operations promise together."""

from __future__ import annotations

from handlers.routes import ROUTES

TIMES = {"version", "created_at", "updated_at"}
OF_ANOTHER = {
    "/lessons/reorder": TIMES,  # a page of lessons, which have them each
    "/attempts/{attempt_id}/answers": TIMES,  # a part of the attempt
    "/files/tus/{upload_id}": TIMES,  # what resumable uploads say is in headers
    "/admin/settings": {"created_at"},  # nobody made them
}


def test_whatever_can_be_changed_tells_its_version_and_its_times() -> None:
    missing = {
        row.patterns[0]: TIMES - set(getattr(row.reply, "model_fields", ()))
        for row in ROUTES
        if {"PATCH", "PUT"} & set(row.methods)
    }
    assert {path: names for path, names in missing.items() if names} == OF_ANOTHER
