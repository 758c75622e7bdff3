"""One file of tasks per domain word."""
