"""XLSX: a zip archive of XML parts, as Excel writes it.

It must never know another workbook format.
"""
