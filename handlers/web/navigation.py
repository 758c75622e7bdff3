"""Where the links of the shell lead, by what somebody may do. Only to pages that exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lms_rt.contracts.actor import Actor
from lms_rt.security.access.courses import may_teach
from lms_rt.security.permissions import Permission


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
_ASSIGNMENTS = Link("/assignments", "shell.nav_assignments", "edit")
_CERTIFICATES = Link("/certificates", "shell.nav_certificates", "saved")
_GRADING = Link("/teach/grading", "shell.nav_grading", "saved")
_AUDIT = Link("/admin/audit", "shell.nav_audit", "text")
_BY_ROLE: Mapping[str, tuple[Link, ...]] = {
    "student": (_HOME, _COURSES, _ASSIGNMENTS, _CERTIFICATES),
    "instructor": (_TEACH, _COURSES, _GRADING),
    "admin": (_ADMIN, _TEACH, _COURSES),
}
_OF_ADMINS: Mapping[str, str] = {
    "settings:manage": "/admin",
    "users:manage": "/admin/users",
    "webhooks:manage": "/admin/webhooks",
    "payments:manage": "/admin/payments",
}
"""What each permission opens among the pages of administrators: whoever holds one is led to the first of theirs. The audit log
has a link of its own."""
_BELOW: Mapping[str, tuple[str, ...]] = {
    "/": ("/courses",),
    "/home": ("/learn", "/attempts"),
    "/assignments": ("/assignments/",),
    "/teach": ("/teach/courses", "/teach/quizzes", "/teach/assignments"),
    "/teach/grading": ("/teach/grading/",),
    **dict.fromkeys(_OF_ADMINS.values(), ("/admin/",)),
}


def links_of(actor: Actor, path: str) -> list[Link]:
    """The links for somebody, the one of this page marked."""
    role = actor.role.value if actor.role else ""
    links = () if actor.is_leaving else (*_for_admins(actor, role), *_of_role(actor, role), *_to_audit(actor))
    paths = {link.path for link in links}
    return [
        Link(link.path, link.words, link.icon, _is_current(link.path, path.rstrip("/") or "/", paths)) for link in links
    ]


def _to_audit(actor: Actor) -> tuple[Link, ...]:
    """To the audit log, for who may read it."""
    return (_AUDIT,) if actor.has_permission(Permission.AUDIT_VIEW) else ()


def _of_role(actor: Actor, role: str) -> tuple[Link, ...]:
    """Those of the role, and to teaching for who may teach whatever their role."""
    links = _BY_ROLE.get(role, ())
    return (*links, _TEACH) if may_teach(actor) and _TEACH not in links else links


def _for_admins(actor: Actor, role: str) -> tuple[Link, ...]:
    """For who is no administrator and yet may open some of their pages."""
    paths = [path for permission, path in _OF_ADMINS.items() if actor.has_permission(permission)]
    return (Link(paths[0], _ADMIN.words, _ADMIN.icon),) if paths and role != "admin" else ()


def home_path_of(actor: Actor) -> str:
    """Where somebody starts."""
    if actor.is_stranger:
        return "/"
    return home_path_by(actor.permissions)


def home_path_by(permissions: Collection[str]) -> str:
    """Where somebody with these permissions starts: who makes courses with their own, everybody else with learning."""
    return "/teach" if Permission.COURSE_CREATE in permissions else "/home"


def _is_current(link: str, path: str, others: Collection[str]) -> bool:
    """The link of the page itself, or else of what it stands below."""
    return path == link if path in others else path.startswith(_BELOW.get(link, ("\0",)))
