"""Exactly once, proved by simulation: whole jobs on virtual time against a model of the API that fails in every way.

Nothing here may know how the writer works inside: it is given the real one, and the server's history is the judge.
"""
