"""Rows: rows as read become rows in the API's fields, and bodies; and back.

They must never know where rows come from or where bodies go.
"""
