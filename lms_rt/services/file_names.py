"""How a file is called where a browser keeps it: `Content-Disposition` by RFC 6266, in every script. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote

_PLAIN = re.compile(r"[^A-Za-z0-9 ._()\[\]+,=-]")
_RFC5987 = "!#$&+-.^_`|~"
"""What stands for itself in `filename*`, beside letters and digits."""
_MAX_PLAIN = 150


def content_disposition(disposition: str, name: str) -> str:
    """The header: the name itself by `filename*`, and for old clients what of it is ASCII."""
    plain = _PLAIN.sub("_", name).strip(" .") or "file"
    if len(plain) > _MAX_PLAIN:
        stem, dot, extension = plain.rpartition(".")
        plain = f"{stem[: _MAX_PLAIN - 10]}{dot}{extension[:9]}" if dot else plain[:_MAX_PLAIN]
    header = f'{disposition}; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe=_RFC5987)}"
