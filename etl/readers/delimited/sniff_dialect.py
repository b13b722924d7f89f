"""Sniff a dialect: what separates, encloses and ends the cells of a text, found out from its beginning.

It must never know what the columns are called or mean, and where two readings are as good it asks.
"""

import re
from collections.abc import Callable, Sequence

from etl.batch import ERROR_COLUMN, Certainty, Decision
from etl.errors import FileError
from etl.quoting import count_words
from etl.readers.delimited.dialect import Dialect, Told, sign_name
from etl.readers.delimited.trial import Trial, try_signs
from etl.readers.header import DOUBTFUL_SHARE

DELIMITERS = (",", ";", "\t", "|")
"""What separates cells in nearly every file."""
RARE_DELIMITERS = (":", "^", "~", "¦", "§", "\x1f", "\x1e", "\x01", "\x02", "\x03")
"""What is believed only where it fits every record, and none of the others separates the first."""
_SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?(?:\r\n|\r|\n|$)', re.IGNORECASE)
_REJECTS = re.compile(rf'\ufeff?[^\r\n]*(.)"?{ERROR_COLUMN}"?(?:[\r\n]|\Z)')
"""The header of rejects ends with our column. Their records may all be ragged, so that nothing can be counted."""
_CLEAR_SHARE = 0.5
"""At least so many of the records must have the same number of cells,"""
_CLEARER_SHARE = 0.8
"""and so many from the first such on, where the first of all has only one."""
_SURE_RECORDS = 3
"""So few records prove nothing by being alike."""
_ROWS_IN_A_CELL = 10
"""So many lines, each like a record, are no cell whose quote is still open."""


def sniff_dialect(sample: str, *, whole: bool, told: Told, label: str) -> tuple[Dialect, tuple[Decision, ...]]:
    """The dialect of a text by its start, and how each of its signs was found; `whole`: the sample is all of it.

    Raises FileError where two readings are equally good.
    """
    sep_line = _SEP_LINE.match(sample)
    text = sample[sep_line.end() :] if sep_line else sample

    def try_delimiter(delimiter: str) -> Trial:
        return _best_quotes(text, delimiter, told, whole=whole)

    if told.delimiter is not None:
        best, why, certainty = try_delimiter(told.delimiter), "said with --delimiter", Certainty.TOLD
    elif sep_line:
        best, why, certainty = try_delimiter(sep_line.group(1)), "the file says so in its first line", Certainty.CERTAIN
    elif rejects := _REJECTS.match(text):
        best, why, certainty = try_delimiter(rejects.group(1)), "it stands before our own column", Certainty.CERTAIN
    else:
        best, why, certainty = _most_consistent(try_delimiter, label), "", Certainty.LIKELY
    if best.spaced_quotes and told.quote is None:
        line = f"A cell of it is written {best.spaced_quotes!r}: remove the space before its quote."
        raise FileError(
            f"{label}: quotes stand behind a space, so that they do not enclose their cells.",
            f"{line} If they are text: --quote none",
        )
    if best.doubt:
        raise FileError(f"{label}: {best.doubt[0]}", best.doubt[1])
    ends = best.line_ends()
    line_end = max(ends, key=lambda end: ends[end])
    is_told = told.quote is not None
    dialect = Dialect(best.delimiter, best.quote, best.escape, line_end, bool(sep_line), is_told)
    decisions = (
        Decision("delimiter", sign_name(best.delimiter), why or _evidence(best), certainty),
        *_quote_decisions(best, told),
        _line_end_decision(ends, whole=whole),
    )
    return dialect, decisions


def _most_consistent(try_delimiter: Callable[[str], Trial], label: str) -> Trial:
    trials = [try_delimiter(delimiter) for delimiter in DELIMITERS]
    comma = trials[0]
    seldom = [trial for trial in trials if trial.width == 1 and _is_doubtful(trial)]
    trials = [trial for trial in trials if trial.width > 1]
    if any(trial.sound for trial in trials):
        trials = [trial for trial in trials if trial.sound]
    if all(trial.opens_alone for trial in trials):
        rare = _rare(try_delimiter, label)
        if rare is not None:
            return rare
    if seldom and not trials:
        raise _unsure(seldom, label)
    if not trials:
        return comma  # one column: nothing is separated, and a stray comma will be named as a ragged row
    best = max(trials, key=_rank)
    rivals = [trial for trial in trials if trial is not best and _rank(trial) == _rank(best)]
    clear = best.share >= _CLEAR_SHARE
    if best.opens_alone:
        clear = clear and best.share_below >= _CLEARER_SHARE and not best.prose and not _is_single(best)
    if rivals or not clear:
        raise _unsure([best, *rivals], label)
    return best


def _is_doubtful(trial: Trial) -> bool:
    """Whether most records have one cell, and enough of the others are alike. Commas also stand in sentences."""
    if trial.delimiter != ",":
        return trial.second_share >= DOUBTFUL_SHARE
    block = trial.block
    return block is not None and block.records > 1 and block.share >= DOUBTFUL_SHARE and not trial.prose


def _is_single(trial: Trial) -> bool:
    """Whether one record alone has several cells: a header without rows, or a line that holds the sign."""
    return trial.block is not None and trial.block.records == 1


def _rare(try_delimiter: Callable[[str], Trial], label: str) -> Trial | None:
    """A delimiter that is hardly ever used, where it fits every record; spaces may also be words."""
    trials = [trial for trial in map(try_delimiter, RARE_DELIMITERS) if not trial.opens_alone and not trial.prose]
    fitting = [trial for trial in trials if _fits_all(trial)]
    if len(fitting) == 1:
        return fitting[0]
    spaced = try_delimiter(" ")
    doubtful = fitting or [trial for trial in trials if trial.width > 1 and trial.share >= _CLEAR_SHARE]
    if not doubtful and spaced.width > 2 and _fits_all(spaced):
        doubtful = [spaced]
    if doubtful:
        raise _unsure(doubtful, label)
    return None


def _rank(trial: Trial) -> tuple[float, bool, int]:
    return trial.share, not trial.prose, trial.width


def _fits_all(trial: Trial) -> bool:
    return trial.sound and trial.width > 1 and trial.share == 1 and not trial.prose and len(trial.records) > 1


def _unsure(trials: Sequence[Trial], label: str) -> FileError:
    found = " or ".join(sign_name(trial.delimiter) for trial in trials)
    found = found if len(trials) > 1 else f"{found}, or nothing"
    return FileError(
        f"{label}: it is not certain what separates the columns ({found}?).",
        "Say it with --delimiter, for example --delimiter ';' or --delimiter tab",
    )


def _best_quotes(text: str, delimiter: str, told: Told, *, whole: bool) -> Trial:
    """The best way to read a text whose delimiter is known: cells in `"`, in `'`, or never in quotes."""
    if told.quote is not None:
        return _best_escape(text, delimiter, told.quote, told, whole=whole)
    usual = _best_escape(text, delimiter, '"', told, whole=whole)
    if delimiter == "\t" and not usual.sound_within(_ROWS_IN_A_CELL):
        plain = try_signs(text, delimiter, "", told.escape or "", whole=whole)
        if _fits_all(plain) and len(plain.records) >= _SURE_RECORDS and not plain.enclosed('"'):
            return plain
    if usual.quoted or "'" not in text:
        return usual
    return _in_single_quotes(usual, _best_escape(text, delimiter, "'", told, whole=whole))


def _in_single_quotes(usual: Trial, single: Trial) -> Trial:
    """Which of the two it is, where no cell is enclosed in `"`. An apostrophe alone says nothing."""
    if not single.quoted or not single.sound:
        return usual
    if single.header_is_quoted or (single.share == 1 and usual.share < 1):
        return single
    if 2 * single.quoted < single.texts:
        return usual
    return usual.doubted(
        ("it is not certain whether ' encloses cells or belongs to them.", "Say it: --quote \"'\" or --quote '\"'")
    )


def _best_escape(text: str, delimiter: str, quote: str, told: Told, *, whole: bool) -> Trial:
    """With a backslash before quotes that are meant as text, or with such quotes written twice."""
    if told.escape is not None:
        return try_signs(text, delimiter, quote, told.escape, whole=whole)
    twice = try_signs(text, delimiter, quote, "", whole=whole)
    if not quote or f"\\{quote}" not in text:
        return twice
    escaped = try_signs(text, delimiter, quote, "\\", whole=whole)
    if not escaped.escaped_quotes or _soundness(twice) > _soundness(escaped):
        return twice
    if _soundness(escaped) > _soundness(twice):
        return escaped
    doubt = (
        f"it is not certain whether \\{quote} is a quote inside a cell or a backslash before its end.",
        "Say it: --escape '\\' or --escape none",
    )
    return twice if not twice.sound else twice.doubted(doubt)


def _soundness(trial: Trial) -> tuple[bool, bool, float]:
    return not trial.broken, not trial.unfinished, trial.share


def _evidence(trial: Trial) -> str:
    if trial.width < 2:
        return "nothing separates cells: one column"
    alike = sum(len(record) == trial.width for record in trial.records)
    return f"{alike:,} of the first {count_words(len(trial.records), 'record')} have {trial.width} cells"


def _quote_decisions(trial: Trial, told: Told) -> list[Decision]:
    if told.quote is not None:
        why, certainty = "said with --quote", Certainty.TOLD
    elif not trial.quote:
        why, certainty = "quotes stand in cells without enclosing them", Certainty.LIKELY
    elif trial.quoted:
        cells = "1 of the first cells is" if trial.quoted == 1 else f"{trial.quoted} of the first cells are"
        why, certainty = f"{cells} enclosed in it", Certainty.LIKELY
    else:
        why, certainty = "none of the first cells is enclosed, and it is the usual one", Certainty.LIKELY
    found = [Decision("quote", sign_name(trial.quote), why, certainty)]
    if told.escape is not None:
        found.append(Decision("escape", sign_name(trial.escape), "said with --escape", Certainty.TOLD))
    elif trial.escape:
        why = f"it stands before {count_words(trial.escaped_quotes, 'quote')} inside the first cells"
        found.append(Decision("escape", sign_name(trial.escape), why, Certainty.LIKELY))
    return found


def _line_end_decision(ends: dict[str, int], *, whole: bool) -> Decision:
    found = {end: count for end, count in ends.items() if count}
    names = ", ".join(sign_name(end) for end in sorted(found, key=lambda end: -found[end])) or "none"
    value = f"mixed: {names}" if len(found) > 1 else names
    certainty = Certainty.CERTAIN if whole else Certainty.LIKELY
    counts = ", ".join(f"{count:,} {sign_name(end)}" for end, count in found.items()) or "one line"
    return Decision("line ends", value, f"{counts} {'' if whole else 'at the beginning '}outside quotes", certainty)
