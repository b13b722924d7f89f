"""XLS: the binary records of Excel 97 to 2003.

It must never know another workbook format.
"""
