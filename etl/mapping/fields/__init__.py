"""Fields: the API's fields as a mapping fills them: under each contract, of each kind, by names that become ids.

They must never know the mapping language.
"""
