"""What the product means: its rules, and nothing of HTTP or of how workers are declared."""
