"""XLSB: the binary records of Excel, in a zip archive.

It must never know another workbook format.
"""
