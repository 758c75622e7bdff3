"""Sheets of paper: what is drawn as a PDF. Given facts and words, gives bytes; knows no rule, no database and no time."""
