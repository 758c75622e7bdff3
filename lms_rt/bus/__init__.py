"""What processes share fast and may lose: fan-out, history, presence, tickets, limits, locks."""
