"""What a page tells who asks for it, as a verdict of the table of rights."""

from __future__ import annotations

import httpx

from lms_rt.security.rights import Verdict


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


_PASSED = frozenset({200, 301, 303, 400, 409, 410, 412, 422, 429})
"""Shown, sent on, or refused for what was typed."""


def alike(said: Verdict) -> set[Verdict]:
    """One page, "You may not see this", for whatever reason it is."""
    return {said, Verdict.FORBIDDEN} if said in {Verdict.OTHER_HAND, Verdict.NOT_ENROLLED} else {said}
