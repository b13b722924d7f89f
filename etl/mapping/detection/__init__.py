"""Detection: which mapping a table was made for, how sure that is, and the guess as a file.

It must never change a row.
"""
