"""Delimited: text whose cells are separated by a sign: CSV, TSV and their kin.

It must never know another format.
"""
