"""The picture on top of a certificate: made small before it is drawn, and refused where it is none. Not for other images."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

MAX_LOGO_BYTES = 4 * 1024 * 1024
_MOST_PIXELS = 24_000_000
_BOX = (1_200, 400)


class NoPicture(Exception):
    """These bytes are no PNG and no JPEG that could be drawn."""


def small_logo(content: bytes) -> bytes:
    """The picture as a PNG of a size that is enough for print. Raises `NoPicture`."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise NoPicture
            image.draft("RGB", _BOX)
            made = image.convert("RGBA" if image.has_transparency_data else "RGB")
            made.thumbnail(_BOX)
            out = io.BytesIO()
            made.save(out, "PNG")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise NoPicture from error
    return out.getvalue()
