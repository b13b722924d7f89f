"""Rules to problems: what the API would refuse in a mapped batch, and where in the file it stands.

Columns find, the model explains: rules made from the resource's fields run over whole columns; rows that a column
cannot judge are put before the resource's pydantic model. Must never know how a field was filled, nor send anything.
"""

from etl.validators.check import MakeBodies, check, check_wholes
from etl.validators.nearness import Nearness
from etl.validators.repeats import Repeats

__all__ = ["MakeBodies", "Nearness", "Repeats", "check", "check_wholes"]
