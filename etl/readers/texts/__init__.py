"""Texts: bytes become UTF-8 text, in blocks, by evidence.

They must never know cells or records.
"""
