"""Object file: a text file whose records are objects: its encoding, its text, its table.

It must never know how records stand in the text.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Self

from etl.batch import Certainty, Decision, Origin
from etl.errors import FileError
from etl.readers.header import refuse_odd_names
from etl.readers.objects.rows import BatchMaker, Block, KeySurvey, ObjectTable
from etl.readers.options import ReadOptions
from etl.readers.sources.source import Source
from etl.readers.texts.blocks import Utf8Blocks
from etl.readers.texts.encoding import UndecodableError, find_encoding


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """A source whose encoding is known. `is_proven`: every byte was looked at."""

    source: Source
    format: str
    codec: str
    is_proven: bool
    encoding: Decision
    fault: FileError | None = None
    """What is wrong with the text of the file where its reader names that line by line."""

    @classmethod
    def decide(cls, source: Source, format_: str, options: ReadOptions) -> Self:
        """Find out the encoding. Raises FileError and UsageError as `find_encoding` does."""
        try:
            codec, decision = find_encoding(source, options.encoding, western=False, glance=options.glance)
        except UndecodableError as fault:
            if format_ != "jsonl" or fault.codec not in {"utf-8", "utf-8-sig"}:
                raise
            evidence = f"but for bytes in line {fault.line:,} and perhaps in others, which are problems there"
            decision = Decision("encoding", "UTF-8", evidence, Certainty.LIKELY)
            return cls(source, format_, fault.codec, is_proven=False, encoding=decision, fault=fault)
        return cls(source, format_, codec, not options.glance, decision)

    def open(self) -> Utf8Blocks:
        """The text from its start."""
        return Utf8Blocks(self.source, self.codec)

    def table(
        self, survey: KeySurvey, decisions: tuple[Decision, ...], open_blocks: Callable[[], Generator[Block]]
    ) -> ObjectTable:
        """The table of the records that were surveyed and that `open_blocks` gives, each time it is called.

        Raises FileError where no record has a key, or one has a key that no frame can hold.
        """
        label = self.source.label
        columns = tuple(survey.columns)
        if not columns and self.fault is not None:
            raise self.fault
        if not columns:
            why = f" ({survey.complaint})" if survey.complaint else ""
            hint = "If the file is one JSON document: --format json" if self.format == "jsonl" else ""
            raise FileError(f"{label}: no {survey.what.name} is {survey.what.object} with keys{why}.", hint)
        refuse_odd_names(columns, label)
        dialect = {"encoding": self.codec, "line_end": "\n"}
        origin = Origin(self.source.file, None, self.format, columns, dialect=dialect)
        sample = BatchMaker(origin, survey.what).make(Block(*survey.head))
        assert sample is not None  # noqa: S101  # a key was seen, so there is a record
        return ObjectTable(origin, sample.source, (self.encoding, *decisions), survey.what, open_blocks)
