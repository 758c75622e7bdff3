"""Tests of one room: servers."""
