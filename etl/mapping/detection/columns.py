"""Which columns of one table a mapping uses, and why: names decide, values confirm or speak against.

Must never know the other mappings.
"""

from collections import Counter
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from dataclasses import dataclass, field

from etl.mapping.cells.names import fold, likeness, parts_of
from etl.mapping.detection.evidence import NOTHING, Finding, Weight, weigh
from etl.mapping.fields.dialects import declared_spec
from etl.mapping.language.matching import match_columns
from etl.mapping.language.spec import Mapping, Rule
from etl.resources import RESOURCES


@dataclass(frozen=True, slots=True)
class Use:
    """The field of a column, why (a clause such as `named like Scenario`), and how sure that is (0 to 1)."""

    path: str
    evidence: str
    confidence: float


@dataclass(slots=True)
class Uses:
    """By column: what is used, and what is not though a name points to a field. `paths` are all fields that are filled:
    one column may fill several.
    """

    uses: dict[str, Use] = field(default_factory=dict)
    doubts: dict[str, Use] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)


def uses_of(
    mapping: Mapping,
    filled: Sequence[str],
    empty: Sequence[str],
    values: Pairs[str, Sequence[str]] | None,
    complaints: str = "",
) -> Uses:
    """The columns that a mapping uses of a table.

    Columns without any value are used where a mapping knows exactly their name and nothing else fills the field.
    `values` None: they have no say. `complaints` is what an earlier import said of the rows: a field that is named
    there was filled then, and values do not speak against it now.
    """
    rules = dict(mapping.fields)
    found = Uses()
    while True:
        matches = _match(rules, filled, empty)
        in_question = {path: columns for path, columns in matches.items() if path.split(".")[-1] not in complaints}
        vetoes = _vetoes(mapping, rules, in_question, values or {})
        if not vetoes:
            break
        for path, column, finding in vetoes:
            found.doubts.setdefault(
                column, Use(path, f"{_why(rules[path], path, column)}, but holds {finding.words}", 0.0)
            )
            rules[path] = _without(rules[path], column)
    for path, columns in matches.items():
        found.paths.add(path)
        for column in columns:
            found.uses.setdefault(column, _use(mapping, rules[path], path, column, (values or {}).get(column, ())))
            found.doubts.pop(column, None)
    places = {column: place for place, column in enumerate([*filled, *empty])}
    found.uses = dict(sorted(found.uses.items(), key=lambda use: places[use[0]]))
    return found


def settle(mapping: Mapping, uses: Pairs[str, Use]) -> Mapping:
    """The mapping with the columns that were chosen in place of the names to choose from.

    A field without a column goes, unless something else fills it, or it is required (binding says what it needs).
    """
    chosen = {use.path: column for column, use in uses.items()}
    fields: dict[str, Rule] = {}
    for path, rule in mapping.fields.items():
        if not rule.from_one_of:
            fields[path] = rule
        elif (column := _single(rule, path, chosen, uses)) is not None:
            fields[path] = rule.model_copy(update={"from_": [column], "from_one_of": None})
        elif rule.from_pattern or rule.has("default"):
            fields[path] = rule.model_copy(update={"from_one_of": None})
        elif rule.required:
            fields[path] = rule
    return mapping.model_copy(update={"fields": fields})


def _single(rule: Rule, path: str, chosen: Pairs[str, str], uses: Pairs[str, Use]) -> str | None:
    """The one column that a rule chose; none where only numbered ones were found."""
    if path not in chosen:
        return None
    if not rule.from_pattern:
        return chosen[path]
    mine = [column for column, use in uses.items() if use.path == path]
    numbered = match_columns({path: Rule(from_pattern=rule.from_pattern)}, mine)
    taken = numbered[path].columns if path in numbered else ()
    return next((column for column in mine if column not in taken), None)


def _match(rules: Pairs[str, Rule], filled: Sequence[str], empty: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The columns of each field: those that hold something first, then the others, by their exact names only."""
    known = {fold(name) for rule in rules.values() for name in (*(rule.from_one_of or ()), *(rule.from_ or ()))}
    shown = _shortened(filled, known)
    matches = {
        path: tuple(shown[name] for name in match.columns) for path, match in match_columns(rules, list(shown)).items()
    }
    lacking = {path: rule for path, rule in rules.items() if path not in matches}
    exact = [column for column in empty if fold(column) in known]
    return matches | {path: match.columns for path, match in match_columns(lacking, exact).items()}


def _shortened(columns: Sequence[str], known: set[str]) -> dict[str, str]:
    """The columns by the names that they are matched by: their own, or the part of it that is known.

    Two columns never get the same name so.
    """
    whole = {fold(column) for column in columns}
    wanted = {
        column: next((part for part in parts_of(column) if fold(part) in known), column)
        for column in columns
        if fold(column) not in known
    }
    taken = Counter(fold(part) for part in wanted.values())
    shown: dict[str, str] = {}
    for column in columns:
        part = wanted.get(column, column)
        clash = part != column and (fold(part) in whole or taken[fold(part)] > 1)
        shown[column if clash else part] = column
    return shown


def _vetoes(
    mapping: Mapping,
    rules: Pairs[str, Rule],
    matches: Pairs[str, tuple[str, ...]],
    values: Pairs[str, Sequence[str]],
) -> list[tuple[str, str, Finding]]:
    """Fields with a column of another kind: only where one of several names was taken, never the field's own name."""
    found = []
    for path, columns in matches.items():
        for column in columns:
            if not rules[path].from_one_of or _is_own_name(path, column) or _why(rules[path], path, column) == "":
                continue
            finding = _weigh(mapping, rules[path], path, values.get(column, ()))
            if finding.weight is Weight.AGAINST:
                found.append((path, column, finding))
    return found


def _weigh(mapping: Mapping, rule: Rule, path: str, values: Sequence[str]) -> Finding:
    spec = declared_spec(RESOURCES[mapping.resource], path)
    return weigh(values, spec, rule) if spec is not None else NOTHING


def _without(rule: Rule, column: str) -> Rule:
    """The same rule without the names by which it took the column."""
    names = [fold(column), *(fold(part) for part in parts_of(column))]
    left = [
        one
        for one in rule.from_one_of or ()
        if not any(fold(one) == name or likeness(fold(one), name) for name in names)
    ]
    return rule.model_copy(update={"from_one_of": left or None})


def _is_own_name(path: str, column: str) -> bool:
    return fold(column) in {fold(path), fold(path.rpartition(".")[2])}


def _use(mapping: Mapping, rule: Rule, path: str, column: str, values: Sequence[str]) -> Use:
    finding = _weigh(mapping, rule, path, values)
    why = _why(rule, path, column) or ("numbered" if rule.from_pattern else "a part of it")
    sure = _confidence(rule, path, column)
    if finding.weight is Weight.FOR:
        return Use(path, f"{why}; {finding.words}", round(min(1.0, sure + 0.05), 2))
    return Use(path, why, round(sure, 2))


def _why(rule: Rule, path: str, column: str) -> str:
    """How the name led to the field; nothing where it did not (columns that are numbered)."""
    if _is_own_name(path, column):
        return "same name"
    known = rule.names
    for name in (column, *parts_of(column)):
        same = next((one for one in known if fold(one) == fold(name)), None)
        if same is not None:
            return f"named {same}" if name == column else f"{same} in its name"
    near = max(known, key=lambda one: likeness(fold(column), fold(one)), default="")
    return f"named like {near}" if near and likeness(fold(column), fold(near)) else ""


def _confidence(rule: Rule, path: str, column: str) -> float:
    known = [fold(name) for name in (*(rule.from_ or ()), *(rule.from_one_of or ()))]
    if _is_own_name(path, column) or fold(column) in known:
        return 1.0
    if any(fold(part) in known for part in parts_of(column)):
        return 0.9
    near = max((likeness(fold(column), name) for name in known), default=0.0)
    return near / 100 if near else 1.0
