"""How wide and high the images are that texts show: where HTML says so, nothing moves when they come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from documents.stored_file import StoredFile
from lms_rt.services.file_mentions import file_ids_in, with_sizes
from lms_rt.services.rendering import render

Sizes = Mapping[str, tuple[int, int]]
"""Width and height in pixels, by the file's id."""
NO_SIZES: Sizes = MappingProxyType({})


async def sizes_of(file_ids: Collection[str]) -> Sizes:
    """Those of these files that are images, as far as it is known. Who may see them is decided where they are fetched."""
    rows = await StoredFile.find_rows(file_ids)
    return {
        file_id: (row["width"], row["height"])
        for file_id, row in rows.items()
        if row.get("width") and row.get("height")
    }


async def sized(html: str | None) -> str | None:
    """A text as it was rendered, in which our images say how large they are."""
    return with_sizes(html, await sizes_of(file_ids_in(html))) if html else html


def rendering_with(sizes: Sizes) -> Callable[[str], str]:
    """`render`, for texts that show such images."""
    return (lambda markdown: with_sizes(render(markdown), sizes)) if sizes else render
