"""Many people into a course by a table, and the runs in which that and other long work is done."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN, needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import UPLOAD, Operation
from lms_rt.contracts.base import CursorPage, Page
from lms_rt.contracts.bulk import PeopleImportQuery, PeoplePreview, PersonRowView, RunQuery, RunRowQuery, RunView
from lms_rt.errors import Code
from lms_rt.interchange.csv_rows import MEDIA_TYPE
from lms_rt.security.rights import Reach
from lms_rt.services.file_names import content_disposition

ZIP = "application/zip"


async def import_people(call: Call) -> Reply:
    """Foretell what a table would do, or begin it."""
    assert call.upload is not None  # noqa: S101 - the row takes uploads alone
    bulk, course_id = call.services.bulk_enrollment, call.path["course_id"]
    if call.query.dry_run:
        return Reply(await bulk.preview(call.actor, course_id, call.upload.content, call.query), status=200)
    run = await bulk.begin(call.actor, course_id, call.upload.content, call.query, filename=call.upload.filename)
    return Reply(run, made={"import_id": run.id})


async def list_runs(call: Call) -> Reply:
    """One's own runs."""
    return Reply(await call.services.import_runs.list(call.actor, call.query))


async def show_run(call: Call) -> Reply:
    """How far a run is."""
    return Reply(await call.services.import_runs.show(call.actor, call.path["import_id"]))


async def list_rows(call: Call) -> Reply:
    """The rows of a run."""
    return Reply(await call.services.bulk_enrollment.rows(call.actor, call.path["import_id"], call.query))


async def cancel_run(call: Call) -> Reply:
    """Let a run end where it is."""
    return Reply(await call.services.import_runs.cancel(call.actor, call.path["import_id"]))


async def fetch_result(call: Call) -> Reply:
    """What a run came to: its rows as a table, or the archive that it made."""
    run = await call.services.import_runs.show(call.actor, call.path["import_id"])
    if run.kind == "people":
        rows = await call.services.bulk_enrollment.result(call.actor, run.id)
        return Reply(stream=rows, content_type=MEDIA_TYPE, headers=_named(f"{run.id}.csv"))
    _, chunks = await call.services.import_runs.fetch(call.actor, run.id)
    headers = _named(run.filename or f"{run.id}.zip") | {"Content-Length": str(run.size_bytes)}
    return Reply(stream=chunks, content_type=ZIP, headers=headers)


def _named(filename: str) -> dict[str, str]:
    return {
        "Content-Disposition": content_disposition("attachment", filename),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/courses/{course_id}/students/import",
        import_people,
        needs("enrollments:manage"),
        reach=Reach.TAUGHT,
        also=("/courses/{course_id}/enrollments/import",),
        takes=UPLOAD,
        query=PeopleImportQuery,
        reply=RunView | PeoplePreview,
        status=202,
        more_statuses=(200,),
        location="/imports/{import_id}",
        codes=(Code.NOT_FOUND, Code.TOO_LARGE, Code.BUSY, Code.CONFLICT, Code.RATE_LIMITED),
        is_idempotent=True,
        audit="course.import_people",
        summary="Bring many people into a course by a table",
        description="CSV of up to 10,000 rows, however a spreadsheet saved it. With `dry_run=true` (200) every row is "
        "told what would become of it, and nothing is written. Else a run is begun (202): known addresses are enrolled, "
        "unknown ones invited as students.",
    ),
    Operation(
        "GET",
        "/imports",
        list_runs,
        SIGNED_IN,
        reach=Reach.OWN_COURSES,
        query=RunQuery,
        reply=Page[RunView],
        summary="My runs in the background",
    ),
    Operation(
        "GET",
        "/imports/{import_id}",
        show_run,
        SIGNED_IN,
        reach=Reach.TAUGHT,
        reply=RunView,
        summary="How far a run is",
    ),
    Operation(
        "GET",
        "/imports/{import_id}/rows",
        list_rows,
        SIGNED_IN,
        reach=Reach.TAUGHT,
        query=RunRowQuery,
        reply=CursorPage[PersonRowView],
        summary="The rows of a run, with what became of each",
    ),
    Operation(
        "GET",
        "/imports/{import_id}/result",
        fetch_result,
        SIGNED_IN,
        reach=Reach.TAUGHT,
        reply=bytes,
        gives=("text/csv", ZIP),
        summary="What a run came to: a table, or an archive",
    ),
    Operation(
        "POST",
        "/imports/{import_id}/cancel",
        cancel_run,
        SIGNED_IN,
        reach=Reach.TAUGHT,
        reply=RunView,
        audit="import.cancel",
        summary="Let a run end where it is",
        description="What is done stays done; a course that was being made does not come to be.",
    ),
)
