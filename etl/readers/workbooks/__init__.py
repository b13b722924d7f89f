"""Workbooks: sheets of cells. What all four formats share is here; each format has a room of its own.

What is shared must never know how a format stores a sheet.
"""
