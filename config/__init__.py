"""Settings and deployment files; imports nothing of the house."""
