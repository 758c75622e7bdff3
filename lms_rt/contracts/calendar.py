"""Calendar feeds at the border. No rules."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from lms_rt.contracts.base import Instant, View

MAX_SECRET = 200


class FeedQuery(BaseModel):
    """The secret of a feed, which is all the proof there is. In the query: no log of ours, nor the proxy's, keeps queries."""

    model_config = ConfigDict(extra="ignore")

    token: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SECRET)]


class CalendarFeedView(View):
    """One's own feed. Whoever knows `url` reads what is due for its owner, and nothing else; `fetched_at` to the hour."""

    url: str
    created_at: Instant
    rotated_at: Instant
    fetched_at: Instant | None
