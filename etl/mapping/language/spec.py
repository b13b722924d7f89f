"""The mapping file as a model: what a person may write, nothing more.

Must never know columns of a file or how a step works.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, StringConstraints

from etl.formats import FORMATS, Format
from etl.mapping.cells.patterns import known_pattern
from etl.mapping.language.yamlfile import Loc, Places, plain
from etl.mapping.steps import WrittenStep


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_Name = Annotated[str, StringConstraints(min_length=1)]
_Written = _Name | Annotated[list[_Name], Field(min_length=1)]
Names = Annotated[
    list[Annotated[str, StringConstraints(min_length=1)]],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=_Written),
]
"""One name or several."""
Collected = Annotated[str, StringConstraints(min_length=1)] | Annotated[dict[str, str], Field(min_length=1)]
OneCharacter = Annotated[str, StringConstraints(min_length=1, max_length=1)] | Literal["tab", "\\t"]
Plain = Annotated[Any, BeforeValidator(plain)]


class Part(BaseModel):
    """A part of a mapping file: strict types, unknown keys refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Source(Part):
    """`source`: which tables the mapping is for, how they are read, and which rows of them are taken.

    How they are read means what the flags of the same names mean (`etl.readers.ReadOptions`); a flag outweighs it.
    None: the content decides.
    """

    sheet: str | None = None
    """The sheet of a workbook; None: every sheet that fits."""
    header_row: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """The number of the row that holds the column names, from 1; `auto`: found by what the rows hold."""
    columns: Annotated[list[str], Field(min_length=1)] | None = None
    """The names of the columns, where no row holds them."""
    format: Format | None = None
    """What the file is."""
    delimiter: OneCharacter | None = None
    """What separates the cells of delimited text; `tab` for the tabulator."""
    quote: OneCharacter | Literal["none"] | None = None
    """What encloses cells, or `none`."""
    escape: OneCharacter | None = None
    """What stands before a quote that is meant as text."""
    encoding: str | None = None
    """The encoding of a text file, such as `cp1252`."""
    member: str | None = None
    """The file inside a zip archive that holds several."""
    records: str | None = None
    """The key of a JSON or YAML document that holds the rows."""
    fill_merged: bool = False
    """The value of a merged area belongs to each of its cells."""
    where: str | None = None
    """A SQL condition over the columns; the other rows are skipped."""
    group_by: Names | None = None
    """Rows that stand together and have the same values here, or none, make one record."""
    order_by: str | None = None
    """The numbers of the rows inside a record."""
    formats: Annotated[list[Format], Field(min_length=1)] = [*FORMATS]
    """Detection considers the mapping for these formats only."""
    header: Annotated[list[str], Field(min_length=1)] | None = None
    """Detection considers the mapping only for tables whose columns are all among these."""
    requires: Annotated[list[Names], Field(min_length=1)] | None = None
    """Detection considers the mapping only for tables that have all of these, of a list at least one: columns (exactly
    so written; `__expected*`: beginning so), or ways that lead somewhere in the first rows (`messages[].role`).
    """
    excludes: Names | None = None
    """Detection considers the mapping only for tables that have none of these, by the rules of `requires`."""


class Rule(Part):
    """What fills one field: exactly one of the sources, then steps, `map`, `default`."""

    from_: Names | None = Field(default=None, alias="from")
    """Columns; in each row the first that has a value. A name that the file lacks, but nearly has, is an error."""
    from_one_of: Names | None = None
    """Names of one column: the first that the file has and no other field uses. Typing errors are allowed for."""
    from_pattern: Names | None = None
    """`Turn {n}`: several columns in the order of their numbers, as a list; also beside `from` or `from_one_of`."""
    collect: Collected | None = None
    """With `group_by`: a column's values in all rows of a record, as a list; `{key: column}`: a JSON array."""
    only: Annotated[dict[str, Names], Field(min_length=1)] | None = None
    """With `collect`: only rows that have one of these words in a column, in any case."""
    value: Plain = None
    """The same value for every row."""
    template: Annotated[str, AfterValidator(known_pattern)] | None = None
    """A text with names of columns in braces: `{First} {Last}`."""
    expr: str | None = None
    """A SQL expression over the columns."""
    all_of: Annotated[list["Rule"], Field(min_length=1)] | None = None
    """Several sources, each with its own steps. What they give stands in a list, one after the other; the steps of the
    field are for that list (a text is made with `join`).
    """
    steps: list[WrittenStep] = []
    """What is done to each value, one after the other."""
    map_: Annotated[dict[Any, Any] | None, BeforeValidator(plain)] = Field(default=None, alias="map", min_length=1)
    """Words of the file and what they mean; case, spaces, `_` and `-` do not matter."""
    lookup: Literal["test-sets", "agents", "personas", "test-cases", "run-templates", "metrics"] | None = None
    """The cells hold names (or ids) of this resource: they become ids when the API is at hand."""
    default: Plain = None
    """For rows without a value."""
    required: bool = False
    """The file must have a column for it, and every row a value."""

    def has(self, key: str) -> bool:
        """Whether the file says `key` for this field."""
        return (f"{key}_" if key in {"from", "map"} else key) in self.model_fields_set

    def asking_nothing(self, *, defaults: bool) -> "Rule":
        """The same rule for rows that change what there is: nothing is required. `defaults` are kept, or left out."""
        gone = {"required"} if defaults else {"required", "default"}
        kept = {name: getattr(self, name) for name in self.model_fields_set - gone}
        return Rule.model_construct(_fields_set=self.model_fields_set - gone, **kept)

    @property
    def takes_columns(self) -> bool:
        """Whether the value comes from columns by name."""
        own = self.from_ or self.from_one_of or self.from_pattern or self.template or self.collect
        return bool(own) or any(part.takes_columns for part in self.all_of or ())

    @property
    def names(self) -> list[str]:
        """The columns, and ways into them, that it takes by name."""
        inner = [name for part in self.all_of or () for name in part.names]
        return [*(self.from_ or ()), *(self.from_one_of or ()), *inner]


class Into(Part):
    """`unmapped: {into: metric_input.source}`: the columns that nothing uses, as an object."""

    into: str
    """An object of the API, or a key inside one."""


class OwnRule(Part):
    """One of `rules`: what must be true of every row beside what the API asks for."""

    expr: str
    """A SQL condition over the columns, in which an empty cell is ''. Where it does not hold the row has a problem."""
    message: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    """What would do, as the person with the file should read it."""
    field: str | None = None
    """The field that the problem is about; its column and cell are named."""
    severity: Literal["error", "warning"] = "error"
    """An error keeps the row from being sent."""


class Mapping(Part):
    """A mapping file: which columns of a table become which fields of the API."""

    version: Literal[1]
    """The version of this language: 1."""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]
    """What the mapping is called: small letters, digits, `-` and `_`."""
    resource: str
    """What the rows become: `test-cases`, `test-sets`, `personas`, `agents`, `run-templates` or `runs`."""
    description: str = ""
    """A sentence for the list of mappings."""
    source: Source = Source()
    """Which tables the mapping is for, how they are read, and which of their rows are taken."""
    fields: Annotated[dict[str, Rule], Field(min_length=1)]
    """The API's fields by their names (`metric_input.order` is a key inside an object), and where each comes from."""
    known_as: Names | None = None
    """Columns by which other rows of the same import may call a row, beside its name at the API; they are not sent."""
    lost: dict[str, str] = {}
    """Columns that the API has nothing for, and why: a row that has a value there gets a warning."""
    ignored: dict[str, str] = {}
    """Columns that are of no use to the API, and why (an id that it gives anew): nothing is said of them."""
    rules: list[OwnRule] = []
    """What must be true of every row, beside what the API asks for."""
    unmapped: Annotated[Literal["warn", "ignore", "error"] | Into, Field(union_mode="left_to_right")] = "warn"
    """What to do about columns that nothing uses."""

    _file: str = PrivateAttr(default="")
    _places: Places = PrivateAttr(default=Places(dict))

    def asking_nothing(self, *, defaults: bool) -> "Mapping":
        """The same mapping for rows that change what there is; see `Rule.asking_nothing`."""
        rules = {path: rule.asking_nothing(defaults=defaults) for path, rule in self.fields.items()}
        return self.model_copy(update={"fields": rules})

    def at(self, *loc: str | int) -> str:
        """`FILE:LINE:COLUMN` of a key, for a message."""
        line, column = self._places.of(loc)
        return f"{self._file}:{line}:{column}"

    def place(self, file: str, places: Places) -> None:
        """Tell the mapping which file it stands in; done once, by whoever reads it."""
        self._file = file
        self._places = places


def known_keys(loc: Loc) -> list[str]:
    """The keys that may stand where `loc` leads, as written in the file."""
    part: type[Part] = Mapping
    if loc:
        parts: dict[str, type[Part]] = {"source": Source, "unmapped": Into, "rules": OwnRule}
        part = parts.get(str(loc[0]), Rule)
    return [info.alias or name for name, info in part.model_fields.items()]
