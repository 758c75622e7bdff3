"""Draws one image anew, and small: without what it told of camera, place and person. Run as a process of its own.

Whoever sends an image may have made it to break what reads it: this process has bounds of memory and time, no secrets, and
nothing that it could do but read one file and write two. `python -m lms_rt.services.image_drawing SOURCE CLEAN SMALL PIXELS`.
It prints the size, or why the image is none (and ends with `REFUSED`); whatever else it ends with is the machine's fault.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageCms, ImageOps, ImageSequence

REFUSED = 3
"""The exit status for what is no image, or too large a one."""
UNREADABLE, TOO_LARGE = "unreadable", "too_large"
MEBIBYTE = 1 << 20
MEGAPIXEL = 1_000_000
SMALL_EDGE_PIXELS = 320
MAX_FRAMES = 300
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
_SAVED: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 6},
    "GIF": {},
    "WEBP": {"quality": 90},
}
_ANIMATED = frozenset({"GIF", "PNG", "WEBP"})


class NoImage(Exception):
    """It cannot be drawn, however often one tries: for this reason."""


@dataclass(frozen=True, slots=True)
class _Film:
    """What an image holds, bare: one picture, or several with the time of each."""

    name: str
    frames: list[Image.Image]
    timing: dict[str, Any]


def memory_bytes(max_pixels: int) -> int:
    """So much memory a drawing may take where images have so many pixels at most: a few copies of each, and the program."""
    return 768 * MEBIBYTE + 32 * max_pixels


def cpu_seconds(pixels: int) -> int:
    """So much of a processor a drawing of so many pixels may take: some ten times what it does take."""
    return 20 + 2 * pixels // MEGAPIXEL


def draw(source: str, clean: str, small: str, max_pixels: int) -> dict[str, int]:
    """Write both pictures; the size of the one that is drawn anew. Raises `NoImage`."""
    film = _read(source, max_pixels)
    drawn = film.frames[0]
    if len(film.frames) > 1:
        drawn.save(clean, film.name, save_all=True, append_images=film.frames[1:], **film.timing, **_SAVED[film.name])
    else:
        _fitting(drawn, film.name).save(clean, film.name, **_SAVED[film.name])
    tiny = drawn.convert("RGBA" if "A" in drawn.getbands() or "transparency" in drawn.info else "RGB")
    tiny.thumbnail((SMALL_EDGE_PIXELS, SMALL_EDGE_PIXELS))
    tiny.save(small, "WEBP", quality=80)
    return {"width": drawn.width, "height": drawn.height}


def _read(source: str, max_pixels: int) -> _Film:
    """All of it. What a decoder cannot read it tells in many ways; want of memory, and the system's own faults, are none of them."""
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with Image.open(source, formats=_FORMATS) as image:
            return _film(image, max_pixels)
    except (NoImage, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NoImage(TOO_LARGE) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise NoImage(UNREADABLE) from error
    except Exception as error:
        raise NoImage(UNREADABLE) from error


def _film(image: Image.Image, max_pixels: int) -> _Film:
    name = "JPEG" if image.format == "MPO" else str(image.format)  # a camera's second picture is not what one sees
    count = int(getattr(image, "n_frames", 1)) if name in _ANIMATED else 1
    pixels = image.width * image.height
    if count > MAX_FRAMES or pixels > max_pixels or pixels * count > 2 * max_pixels:
        raise NoImage(TOO_LARGE)
    _allow(pixels * count)
    if count == 1:
        return _Film(name, [_bare(image)], {})
    frames, durations = [], []
    for frame in ImageSequence.Iterator(image):
        frame.load()
        durations.append(frame.info.get("duration", 100))
        frames.append(_bare(frame))
    timing: dict[str, Any] = {name: image.info[name] for name in ("loop", "default_image") if name in image.info}
    if timing.get("default_image"):  # it is no part of the film, and has no time
        durations = durations[1:]
    return _Film(name, frames, {**timing, "duration": durations})


def _allow(pixels: int) -> None:
    """Let this process take as long as so many pixels may."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    if most != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_CPU, (min(cpu_seconds(pixels), most), most))


def _bare(image: Image.Image) -> Image.Image:
    """The pixels alone: turned as the camera meant it, in the colours of all screens."""
    profile = image.info.get("icc_profile")
    turned = ImageOps.exif_transpose(image)
    if profile and turned.mode in {"RGB", "RGBA"}:
        turned = _in_common_colours(turned, profile)
    turned.info = {name: value for name, value in turned.info.items() if name == "transparency"}
    return turned


def _in_common_colours(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        read = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        drawn = ImageCms.profileToProfile(image, read, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):
        return image
    return drawn or image


def _fitting(image: Image.Image, name: str) -> Image.Image:
    if name == "JPEG" and image.mode not in {"L", "RGB", "CMYK"}:
        return image.convert("RGB")
    return image


def main(arguments: list[str]) -> int:
    """Draw, and tell the size; `REFUSED` for what cannot be drawn."""
    source, clean, small, max_pixels = arguments
    bound = memory_bytes(int(max_pixels))
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds(0), cpu_seconds(2 * int(max_pixels))))
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        told: dict[str, Any] = dict(draw(source, clean, small, int(max_pixels)))
    except NoImage as refused:
        print(json.dumps({"because": str(refused)}))  # noqa: T201 - it is what the process is asked for
        return REFUSED
    print(json.dumps(told))  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
