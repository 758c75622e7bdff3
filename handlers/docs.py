"""`/docs`: the API's documentation to try out, from the files inside `swagger-ui-py`; it needs no internet."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tornado.web import RequestHandler, StaticFileHandler

from handlers.headers import DOCS_CONTENT_SECURITY_POLICY
from handlers.rest.dispatch import API_PREFIX

_FILES = r"/docs/(swagger-ui\.css|swagger-ui-bundle\.js|favicon-(?:16x16|32x32)\.png)"

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
_START = """"use strict";
window.ui = SwaggerUIBundle({{
  url: "{document}",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  displayRequestDuration: true,
  presets: [SwaggerUIBundle.presets.apis],
}});
"""


class DocsHandler(RequestHandler):
    """The page, or the script that starts it (nothing inline: scripts come from 'self')."""

    def initialize(self, project_name: str) -> None:
        """Take the name that the page shows."""
        self._project_name = project_name

    def get(self, script: str | None = None) -> None:
        """Write one of the two."""
        self.set_header("Content-Security-Policy", DOCS_CONTENT_SECURITY_POLICY)
        self.set_header("Cache-Control", "no-cache")
        document = f"{API_PREFIX}/openapi.json"
        if script:
            self.set_header("Content-Type", "text/javascript; charset=utf-8")
            self.finish(_START.format(document=document))
        else:
            name = self._project_name.replace("&", "&amp;").replace("<", "&lt;")
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(_PAGE.format(name=name, document=document))

    head = get


def docs_rules(project_name: str) -> list[Any]:
    """The rules of `/docs`, in Tornado's shape."""
    spec = find_spec("swagger_ui")  # found, not imported: only its files are wanted
    folder = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else Path()
    return [
        (_FILES, StaticFileHandler, {"path": str(folder / "static")}),
        (r"/docs/(start\.js)", DocsHandler, {"project_name": project_name}),
        (r"/docs/?", DocsHandler, {"project_name": project_name}),
    ]
