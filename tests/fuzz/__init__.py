"""Fuzzing: damaged and malicious files of every format, made from good ones by chance, read in a process of its own.

Whatever the bytes, a reader gives batches or an EtlError in bounded time and memory. Anything else is a finding.
"""
