"""Shapes that cross a border: requests and views per domain word, frames, events, channels."""
