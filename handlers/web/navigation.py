"""Where the links of the shell lead, by role. Only to pages that exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lms_rt.contracts.actor import Actor


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the shell. `words` is a key of the catalogue."""

    path: str
    words: str
    icon: str
    is_current: bool = False


_ADMIN, _HOME, _COURSES, _TEACH = (
    Link("/admin", "shell.nav_admin", "bars"),
    Link("/home", "shell.nav_home", "home"),
    Link("/", "shell.nav_courses", "book"),
    Link("/teach", "shell.nav_teach", "teach"),
)
_BY_ROLE: Mapping[str, tuple[Link, ...]] = {
    "student": (_HOME, _COURSES),
    "instructor": (_TEACH, _COURSES),
    "admin": (_ADMIN, _TEACH, _COURSES),
}
_BELOW: Mapping[str, tuple[str, ...]] = {
    "/": ("/courses",),
    "/home": ("/learn", "/attempts"),
    "/teach": ("/teach/",),
    "/admin": ("/admin/",),
}


def links_of(actor: Actor, path: str) -> list[Link]:
    """The links for somebody, the one of this page marked."""
    links = () if actor.is_leaving else _BY_ROLE.get(actor.role.value if actor.role else "", ())
    return [Link(link.path, link.words, link.icon, _is_current(link.path, path)) for link in links]


def home_path_of(actor: Actor) -> str:
    """Where somebody starts."""
    if actor.is_stranger:
        return "/"
    return "/teach" if actor.is_staff else "/home"


def _is_current(link: str, path: str) -> bool:
    return path == link or path.startswith(_BELOW.get(link, ("\0",)))
