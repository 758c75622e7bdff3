"""The REST API: one file per domain word, and what all operations share."""
