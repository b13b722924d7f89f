"""Objects: text whose records are objects: JSON Lines, JSON, YAML.

They must never know another format.
"""
