"""Readers and writers of other programs' question formats."""
