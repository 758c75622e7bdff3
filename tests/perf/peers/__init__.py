"""Peers of the benchmarks: small honest programs that do the same work with other libraries, each as its documentation says.

Each listens on a free port of this machine, prints "ready PORT", broadcasts one event as often as "publish COUNT STAMP
SIZE" asks on standard input (all in one turn of its loop, each SIZE bytes longer than usual), answers every message, and
ends with its input.
"""
