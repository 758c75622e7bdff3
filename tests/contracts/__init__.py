"""Tests of one room: contracts."""
