"""The Python client of the live protocol, for tests, simulations and third parties."""
