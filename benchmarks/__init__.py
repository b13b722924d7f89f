"""Benchmarks: our own work beside that of peers, on one machine, in one run, taking turns. `make bench` runs them.

No test: what they print depends on the machine; only ratios may be compared.
"""
