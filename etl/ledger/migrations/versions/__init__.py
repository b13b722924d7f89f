"""One file for each version of the schema: alembic reads them by their `revision`.

They must never import the schema of today: what a step makes stays as it was.
"""
