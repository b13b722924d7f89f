"""Batches as read into batches in the API's fields: the mapping language, detection, and request bodies.

Must never know where rows come from or where bodies go.
"""

from etl.mapping.cells.names import CLEAR, NULL, spelled
from etl.mapping.detection.columns import Use
from etl.mapping.detection.guessing import FITS, SURE, Guess, guess
from etl.mapping.detection.writing import write_mapping
from etl.mapping.fields.dialects import declared_spec
from etl.mapping.fields.lookups import NameBook
from etl.mapping.language.linting import Fault
from etl.mapping.language.presets import check_mapping, load_mapping, mapping_text, preset_names, presets
from etl.mapping.language.schema import mapping_schema
from etl.mapping.language.spec import Mapping
from etl.mapping.language.spec import Source as MappingSource
from etl.mapping.rows.absence import without_nulls
from etl.mapping.rows.applying import apply
from etl.mapping.rows.binding import Bound, bind
from etl.mapping.rows.bodies import bodies
from etl.mapping.rows.gathering import gather
from etl.mapping.rows.unmapping import unmap
from etl.mapping.rows.wanting import Condition, condition_of, tell_unclear, wanted_by
from etl.mapping.trying import Fate, Trial, fates, try_mapping

__all__ = [
    "CLEAR",
    "FITS",
    "NULL",
    "SURE",
    "Bound",
    "Condition",
    "Fate",
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
    "condition_of",
    "declared_spec",
    "fates",
    "gather",
    "guess",
    "load_mapping",
    "mapping_schema",
    "mapping_text",
    "preset_names",
    "presets",
    "spelled",
    "tell_unclear",
    "try_mapping",
    "unmap",
    "wanted_by",
    "without_nulls",
    "write_mapping",
]
