"""Columnar: files that say the type of each column: Parquet and Arrow.

They must never know another format.
"""
