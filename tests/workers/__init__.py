"""Tests of one room: workers."""
