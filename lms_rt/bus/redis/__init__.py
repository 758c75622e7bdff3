"""The bus over Redis: every role of it, for processes that share one Redis (a server, or a Cluster)."""
