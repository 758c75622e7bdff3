"""Tests of one room: live."""
