"""Tests of one room: services."""
