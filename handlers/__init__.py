"""Tornado lives here and only here: parse, authorise, call a service, present."""
