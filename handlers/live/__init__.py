"""The live socket: handshake, frames, and the table of commands."""
