"""Tests of one room: perf."""
