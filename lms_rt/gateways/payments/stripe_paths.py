"""Where things are at Stripe, and how a fault in reading what came from there is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable

_ID = re.compile(r"[A-Za-z0-9_]{1,255}")


def path_of(kind: str, object_id: str, verb: str = "") -> str:
    """The path of one thing. What cannot be an id of Stripe's is not there, and never part of a path."""
    if _ID.fullmatch(object_id) is None:
        raise GatewayRefused("no such id", code="not_found")
    return f"/v1/{kind}/{object_id}" + (f"/{verb}" if verb else "")


@contextmanager
def understood(*, may_have_happened: bool = False) -> Iterator[None]:
    """What is not as Stripe's documentation has it is an answer that cannot be used."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise GatewayUnavailable(
            f"an answer of another shape ({type(error).__name__})", may_have_happened=may_have_happened
        ) from error
