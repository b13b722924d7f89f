"""ODS: OpenDocument spreadsheets, as LibreOffice writes them.

It must never know another workbook format.
"""
