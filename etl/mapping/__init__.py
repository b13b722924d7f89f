"""Batches as read into batches in the API's fields: the mapping language, detection, and request bodies.

Must never know where rows come from or where bodies go.
"""

from etl.mapping.applying import apply
from etl.mapping.binding import Bound, bind
from etl.mapping.bodies import bodies
from etl.mapping.dialects import declared_spec
from etl.mapping.gathering import gather
from etl.mapping.guessing import FITS, SURE, Guess, guess
from etl.mapping.linting import Fault
from etl.mapping.lookups import NameBook
from etl.mapping.presets import check_mapping, load_mapping, mapping_text, presets
from etl.mapping.schema import mapping_schema
from etl.mapping.settling import Use
from etl.mapping.spec import Mapping
from etl.mapping.spec import Source as MappingSource
from etl.mapping.trying import Trial, try_mapping
from etl.mapping.unmapping import unmap
from etl.mapping.writing import write_mapping

__all__ = [
    "FITS",
    "SURE",
    "Bound",
    "Fault",
    "Guess",
    "Mapping",
    "MappingSource",
    "NameBook",
    "Trial",
    "Use",
    "apply",
    "bind",
    "bodies",
    "check_mapping",
    "declared_spec",
    "gather",
    "guess",
    "load_mapping",
    "mapping_schema",
    "mapping_text",
    "presets",
    "try_mapping",
    "unmap",
    "write_mapping",
]
