"""How a ledger of an earlier version becomes one of this version, step by step.

Only `etl.ledger.migrating` goes in here, and only when there is a step to take. It must never know what a row means.
"""
