"""Every name that this product has in Redis; `docs/redis-keys.md` lists them with their types and ages. No commands here.

Names begin with the installation's own, so that several can share a server. In a Cluster, the part in braces alone says
where a key lies: all keys of one channel lie together, so that one script may touch them.
"""

from __future__ import annotations


class Keys:
    """The names of one installation."""

    def __init__(self, installation: str) -> None:
        self.prefix = f"lms:{installation}:"

    # --- channels ---

    def channel(self, channel: str) -> str:
        """The pub/sub channel on which a channel's messages go to the nodes."""
        return f"{self.prefix}{{{channel}}}"

    def top(self, channel: str) -> str:
        """A channel's epoch and offset, and the server that began the epoch."""
        return f"{self.prefix}{{{channel}}}:top"

    def history(self, channel: str) -> str:
        """A channel's newest events."""
        return f"{self.prefix}{{{channel}}}:history"

    def fence(self, channel: str, aggregate: str) -> str:
        """The newest (version, n) that a channel has seen of an aggregate."""
        return f"{self.prefix}{{{channel}}}:fence:{aggregate}"

    @property
    def words(self) -> str:
        """The pub/sub channel of the words to the nodes."""
        return self.channel("words")

    @property
    def words_top(self) -> str:
        """The epoch and number of the last word to the nodes."""
        return self.top("words")

    # --- the line itself ---

    @property
    def probe(self) -> str:
        """Written to see whether the server takes writes."""
        return f"{self.prefix}probe"
