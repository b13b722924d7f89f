"""A mapping and a table brought together: which columns feed which fields under one contract.

Must never know what is in the columns.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Pairs
from dataclasses import dataclass, field

import polars as pl

from etl.batch import ERROR_COLUMN, OWN_COLUMNS, Origin
from etl.errors import MappingError, UsageError
from etl.expressions import ExpressionError, compile_condition, compile_expression
from etl.mapping.dialects import Shape, Target, declared_spec, find_target
from etl.mapping.jsoncells import is_json
from etl.mapping.kinds import constant, into_kind
from etl.mapping.matching import Match, match_columns
from etl.mapping.names import spelled, suggest
from etl.mapping.planning import Feed, Plan
from etl.mapping.spec import Mapping, Rule
from etl.mapping.steps import Form
from etl.resources import RESOURCES, Contract, FieldSpec, Kind, Resource
