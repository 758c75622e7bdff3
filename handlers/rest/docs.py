"""`/docs`: the API's documentation to try out, from the files inside `swagger-ui-py`; it needs no internet."""

from __future__ import annotations

import asyncio
from html import escape
from importlib.util import find_spec
from pathlib import Path

from handlers.headers import DOCS_CONTENT_SECURITY_POLICY
from handlers.rest.access import ANONYMOUS
from handlers.rest.calls import Call, Reply
from handlers.rest.dispatch import API_PREFIX
from handlers.rest.operations import Operation, Place
from lms_rt.errors import Code, Refused

DOCUMENT = f"{API_PREFIX}/openapi.json"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · {name}</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png" sizes="32x32">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs scripts. The document itself is at <a href="{document}">{document}</a>.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = f"""\
"use strict";
window.ui = SwaggerUIBundle({{
  url: "{DOCUMENT}",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  presets: [SwaggerUIBundle.presets.apis],
}});
"""
_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-16x16.png": "image/png",
    "favicon-32x32.png": "image/png",
}


async def page(call: Call) -> Reply:
    """The page; nothing in it is inline, scripts come from 'self'."""
    html = _PAGE.format(name=escape(call.services.settings.project_name), document=DOCUMENT)
    headers = {"Content-Security-Policy": DOCS_CONTENT_SECURITY_POLICY}
    return Reply(html.encode(), content_type="text/html; charset=utf-8", headers=headers)


async def file(call: Call) -> Reply:
    """One of the few files that the page needs."""
    name = call.path["file"]
    if name == "start.js":
        return Reply(_START.encode(), content_type="text/javascript; charset=utf-8")
    if name not in _FILES:
        raise Refused(Code.NOT_FOUND)
    return Reply(await asyncio.to_thread((_folder() / name).read_bytes), content_type=_FILES[name])


def _folder() -> Path:
    """Where the package keeps its files. It is found, not imported: nothing of its code is wanted."""
    spec = find_spec("swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        raise Refused(Code.NOT_FOUND, "swagger-ui-py is not installed.")
    return Path(spec.submodule_search_locations[0]) / "static"


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/docs",
        page,
        ANONYMOUS,
        reply=bytes,
        gives=("text/html",),
        place=Place.ROOT,
        is_documented=False,
        summary="The documentation",
    ),
    Operation(
        "GET",
        "/docs/{file}",
        file,
        ANONYMOUS,
        reply=bytes,
        gives=("text/javascript", "text/css", "image/png"),
        place=Place.ROOT,
        is_documented=False,
        summary="A file of the documentation",
    ),
)
