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

    def tasks(self, queue: str) -> str:
        """The stream of wake-ups for the workers of a queue."""
        return f"{self.prefix}tasks:{queue}"

    # --- presence, and what is a key each ---

    def presence(self, channel: str) -> tuple[str, str, str, str]:
        """When each connection on a channel is forgotten; its member; the connections of each user; notes on users."""
        begin = f"{self.prefix}{{{channel}}}:presence"
        return begin, f"{begin}:members", f"{begin}:users", f"{begin}:notes"

    def ticket(self, ticket_hash: str) -> str:
        """What a one-time ticket stands for."""
        return f"{self.prefix}ticket:{ticket_hash}"

    def revoked(self, key: str) -> str:
        """The copy of an end."""
        return f"{self.prefix}revoked:{key}"

    def bucket(self, key: str) -> str:
        """A token bucket."""
        return f"{self.prefix}bucket:{key}"

    def strikes(self, key: str) -> str:
        """The failures that count together."""
        return f"{self.prefix}strikes:{key}"

    def locked(self, group: str) -> str:
        """What is locked of a group."""
        return f"{self.prefix}locked:{group}"

    def lock(self, name: str) -> str:
        """A lease."""
        return f"{self.prefix}lock:{name}"

    def mark(self, name: str) -> str:
        """A mark under which nodes keep what they have read."""
        return f"{self.prefix}mark:{name}"
