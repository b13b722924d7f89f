"""Cells: what can be done with texts, lists and JSON in whole columns.

They must never know fields, steps or mappings.
"""
