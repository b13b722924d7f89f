"""Sources: bytes from wherever they are (disk, standard input, archives, the web), seekable, measured and hashed.

They must never know what the bytes mean.
"""
