"""What an export writes instead of a secret, or of a text that a cell cannot hold, is refused: it must never be sent.

Must never know which fields hold secrets.
"""

from collections.abc import Iterator, Mapping

import polars as pl

from etl.batch import ROW
from etl.problems import Code
from etl.redacting import ELSEWHERE, REDACTED
from etl.resources import FieldSpec, Kind
from etl.validators.sentences import Finding

_OF_SECRETS = (
    "{} holds the marker of a secret that the export left out; put the secret in its place, or export with --no-redact"
)
_OF_TEXTS = (
    "{} holds the marker of a text that its cell could not hold; put the text in its place (it is in the export's "
    "texts.jsonl), or export to .jsonl"
)
_SENTENCES = {Code.REDACTED_SECRET: (REDACTED, _OF_SECRETS), Code.TEXT_ELSEWHERE: (ELSEWHERE, _OF_TEXTS)}


def find_stand_ins(frame: pl.DataFrame, fields: Mapping[str, FieldSpec]) -> Iterator[tuple[int, Finding]]:
    """Cells that hold a marker, also inside of JSON."""
    for path in frame.columns:
        cells = frame[path]
        if path == ROW or cells.dtype not in {pl.String, pl.List(pl.String)}:
            continue
        is_list = cells.dtype != pl.String
        plain = cells.explode() if is_list else cells
        for code, (mark, sentence) in _SENTENCES.items():
            if not plain.str.contains(mark[1:], literal=True).any():  # quicker than the pattern, and nearly always so
                continue
            texts = cells.list.join(" ") if is_list else cells
            held = texts.str.contains(rf"(?:«|\\u00[aA][bB]){mark[1:]}").fill_null(value=False)
            spec = fields.get(path) or FieldSpec(path, Kind.TEXT)
            for row, text in pl.DataFrame({ROW: frame[ROW], "text": texts}).filter(held).iter_rows():
                yield row, Finding(code, path, text, spec, condition=sentence.format(path))
