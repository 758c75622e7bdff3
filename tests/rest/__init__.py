"""Tests of one room: rest."""
