"""Tests of one room: browser."""
