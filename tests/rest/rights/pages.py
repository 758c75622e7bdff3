"""What a page tells who asks for it, as a verdict of the table of rights; and which forms on it would be refused."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import httpx

from handlers.web.base import PageHandler
from handlers.web.pages import PAGES
from lms_rt.security.rights import Verdict

_FORM = re.compile(r'<form\b[^>]*\bmethod="post"[^>]*>')
_ACTION = re.compile(r'\baction="([^"]+)"')


def told_by(reply: httpx.Response, pattern: str, *, is_nobodys: bool) -> Verdict | str:
    """What a browser is told: a stranger is sent to sign in, and who may not read a lesson to the page of its course."""
    onward = reply.headers.get("Location", "")
    if reply.status_code == 303 and onward.startswith("/signin?next="):
        return Verdict.SIGN_IN
    inside = ("/learn/([^/]+)/(", "/courses/([^/]+)/chat", "/courses/([^/]+)/grades")
    is_inside = pattern.startswith(inside) and "/chat" not in onward and "/grades" not in onward
    if reply.status_code == 303 and is_inside and onward.startswith("/courses/"):
        return Verdict.NOT_ENROLLED
    if reply.status_code == 404:
        return Verdict.ALLOWED if is_nobodys else Verdict.HIDDEN
    if reply.status_code == 403:
        return Verdict.FORBIDDEN
    return Verdict.ALLOWED if reply.status_code in _PASSED else f"{reply.status_code} {reply.text[:200]}"


def forms_refused_in_place(page: str, path: str) -> list[str]:
    """Where the forms of a page are sent that nobody may send in another's place: no such form stands on theirs."""
    actions = [_ACTION.search(form) for form in _FORM.findall(page)]
    sent = [urljoin(path, found[1]) if found else path for found in actions]
    return [address for address in sent if _is_own_alone(urlsplit(address).path)]


def _is_own_alone(path: str) -> bool:
    page = next(page for pattern, page in PAGES if re.fullmatch(pattern, path))
    return issubclass(page, PageHandler) and (page.is_own_alone or page.is_form_own_alone)


_PASSED = frozenset({200, 301, 303, 400, 409, 410, 412, 422, 429})
"""Shown, sent on, or refused for what was typed."""


def alike(said: Verdict) -> set[Verdict]:
    """One page, "You may not see this", for whatever reason it is."""
    return {said, Verdict.FORBIDDEN} if said in {Verdict.OTHER_HAND, Verdict.NOT_ENROLLED} else {said}
