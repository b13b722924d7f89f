"""What detection decided, as a mapping file to edit.

Must never know where the file is put.
"""

import io
import re
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from etl.mapping.detection.guessing import Guess
from etl.mapping.language.matching import match_columns
from etl.mapping.language.presets import mapping_text
from etl.mapping.language.spec import Rule
from etl.mapping.language.yamlfile import plain, read_yaml

_OF_DETECTION = ("formats", "header", "requires")
"""Keys of `source` that say which tables detection considers a mapping for: a file of one's own is named."""
_WORDS_A_LINE = 5
_OTHER_SOURCES = ("value", "template", "expr", "default")


def write_mapping(
    guess: Guess, file: str, name: str, title: str, source: Pairs[str, Any], unused: Sequence[str]
) -> str:
    """The YAML text of a mapping that makes of a table what detection made of it.

    `file` is the name or file of the mapping that was found, `name` what the new one is called (made fit to be one),
    `title` a line that says what it was made from, `source` how the table is read, `unused` the columns that become
    nothing. A column that may be meant for a field is taken, and a comment says so. What the mapping requires and has
    no column for stands there without one: the check of the file names the place.
    """
    asked = guess.likeliest
    others = [column for column in guess.perhaps if column not in asked]
    guess = replace(guess.taking(*asked), doubts=guess.doubts | {column: guess.perhaps[column] for column in others})
    found: dict[str, Any] = plain(read_yaml(mapping_text(file)))
    root = CommentedMap()
    root.yaml_set_start_comment(_line(title))
    root["version"] = 1
    root["name"] = _fit_name(name)
    root["resource"] = guess.mapping.resource
    kept = {key: value for key, value in (found.get("source") or {}).items() if key not in _OF_DETECTION} | {**source}
    if kept:
        root["source"] = kept
    root["fields"] = _fields(found["fields"], guess, asked)
    for key, value in found.items():
        if key not in {"version", "name", "resource", "description", "source", "fields"}:
            root[key] = value
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 4096  # a name that is folded over two lines is hard to read
    yaml.allow_unicode = True
    yaml.dump(root, text)
    doubts = [f"{column} ({guess.doubts[column].evidence})" if column in guess.doubts else column for column in unused]
    return text.getvalue() + "".join(f"# Not used: {_line(column)}\n" for column in doubts)


def _fields(written: dict[str, Any], guess: Guess, asked: Sequence[str]) -> CommentedMap:
    """Each field with its columns, and why they are its in a comment."""
    fields = CommentedMap()
    for path, rule in written.items():
        entry = _rule(rule, path, guess)
        if path in guess.lacks:
            fields[path] = _flow({"required": True})
            fields.yaml_add_eol_comment("no column is known for it: write {from: COLUMN, required: true}", path)
        elif entry is not None:
            fields[path] = entry
            column, use = next(((name, use) for name, use in guess.uses.items() if use.path == path), (None, None))
            if column in asked and use is not None:
                fields.yaml_add_eol_comment(f"not sure ({_line(use.evidence)}): take it out if it is not meant", path)
            elif use is not None and use.evidence != "same name":
                fields.yaml_add_eol_comment(_line(use.evidence), path)
    return fields


def _rule(written: dict[str, Any], path: str, guess: Guess) -> CommentedMap | None:
    """One field as it stands in the new file; None where nothing of this table fills it."""
    settled = guess.settled.fields.get(path)
    used = _used(path, guess)
    if settled is None or not (used or any(key in written for key in _OTHER_SOURCES)):
        return None
    rest = {key: value for key, value in written.items() if key not in {"from", "from_one_of", "from_pattern"}}
    plainly = {
        key: value if key == "map" and len(value) > _WORDS_A_LINE else _flow(value) for key, value in rest.items()
    }
    return CommentedMap(_columns(written, settled, used) | plainly)


def _used(path: str, guess: Guess) -> list[str]:
    """The columns that fill a field. One column may fill several, by what is inside it."""
    mine = [column for column, use in guess.uses.items() if use.path == path]
    rule = guess.mapping.fields[path]
    if mine or rule.from_one_of:
        return mine
    matches = match_columns({path: rule}, list(guess.uses))
    return list(matches[path].columns) if path in matches else []


def _columns(written: dict[str, Any], settled: Rule, used: Sequence[str]) -> dict[str, Any]:
    """`from` and `from_pattern`, as far as this table has what they name."""
    keys: dict[str, Any] = {}
    if "from_one_of" in written and settled.from_:
        keys["from"] = settled.from_[0]
    elif "from" in written and used:
        keys["from"] = _flow(written["from"])
    if "from_pattern" in written and [column for column in used if column != keys.get("from")]:
        keys["from_pattern"] = _flow(written["from_pattern"])
    return keys


def _flow(value: Any) -> Any:
    """Lists and keys on one line."""
    if isinstance(value, dict):
        pairs = CommentedMap({key: _flow(one) for key, one in value.items()})
        pairs.fa.set_flow_style()
        return pairs
    if isinstance(value, list):
        items = CommentedSeq([_flow(one) for one in value])
        items.fa.set_flow_style()
        return items
    return value


def _fit_name(name: str) -> str:
    """A name that a mapping may have: small letters, digits, `-` and `_`."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:80] or "mine"


def _line(text: str) -> str:
    """Text that cannot leave a comment."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
