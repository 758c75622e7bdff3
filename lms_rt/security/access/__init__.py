"""Load and authorise in one call, one file per domain word. Not there and not yours give the same answer."""
