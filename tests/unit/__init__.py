"""Tests of one room: unit."""
