"""Language: the mapping file: its model, its mistakes, its schema, the ready-made ones, which columns its names mean.

It must never know what is in the columns.
"""
