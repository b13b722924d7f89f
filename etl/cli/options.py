"""Flags that mean the same in every command, gathered into small values. It must never act on them."""

import csv
import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rich_click as click

from etl.cli import completing
from etl.cli.gathering import Command, Named, gathered
from etl.errors import UsageError
from etl.formats import FORMATS
from etl.resources import RESOURCE_NAMES, Contract

if TYPE_CHECKING:  # the help of a command needs none of it
    from etl.profiles import Profile
    from etl.readers import ReadOptions

CONTRACTS = ["auto", *(contract.value for contract in Contract)]


@dataclass(frozen=True, slots=True)
class Opening:
    """What the files are, where the user knows better than what their content shows."""

    format: str | None
    sheet: str | None
    header_row: int | None
    columns: tuple[str, ...] | None
    delimiter: str | None
    quote: str | None
    escape: str | None
    encoding: str | None
    member: str | None
    records: str | None
    fill_merged: bool

    def options(self, *, glance: bool = False) -> "ReadOptions":
        """The same for the readers; `glance` where only the beginning of the files is wanted."""
        from etl.readers import ReadOptions

        return ReadOptions(**dataclasses.asdict(self), glance=glance)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows are mapped, and which of them are taken."""

    resource: str | None
    mapping: str | None
    settings: tuple[str, ...]
    where: str | None
    limit: int | None

    def values(self) -> dict[str, str]:
        """`--set` as a map. Raises UsageError for one without `=`."""
        values: dict[str, str] = {}
        for setting in self.settings:
            name, equals, value = setting.partition("=")
            if not equals or not name.strip():
                raise UsageError(f"--set {setting!r} has no field or no value.", "Write --set field=value.")
            values[name.strip()] = value
        return values


@dataclass(frozen=True, slots=True)
class Checking:
    """How strictly rows are checked, and against what."""

    test_set: str | None
    strict: bool
    contract: str

    def known_contract(self) -> Contract | None:
        """The contract asked for; None for `auto`."""
        return None if self.contract == "auto" else Contract(self.contract)


@dataclass(frozen=True, slots=True)
class Output:
    """How much is said, and to whom."""

    as_json: bool
    quiet: bool
    verbose: bool
    no_color: bool

    @property
    def plain(self) -> bool:
        """No colours: by flag, or by NO_COLOR (any value but the empty one)."""
        return self.no_color or bool(os.environ.get("NO_COLOR"))


@dataclass(frozen=True, slots=True)
class TargetFlags:
    """Where requests go, and as whom."""

    use_sandbox: bool
    profile: "Profile | None"
    base_url: str | None
    api_key_file: str | None
    api_key: str | None
    workspace: str | None
    timeout_s: float
    ca_bundle: str | None
    ledger: str | None


@dataclass(frozen=True, slots=True)
class Again:
    """What is said once more to go on with a job: the key is not kept, nor where the ledger is."""

    profile: str | None
    api_key_file: str | None
    api_key: str | None
    ledger: str | None


def _names(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """`a,b` as names; one that holds a comma stands in quotes."""
    if value is None:
        return None
    return tuple(name.strip() for name in next(csv.reader([value]), []))


def _profile(context: click.Context, _option: click.Parameter, name: str | None) -> "Profile | None":
    """The profile that holds. What it says of the pace comes before the defaults of the options, and after the rest."""
    if context.resilient_parsing:  # a line that is being completed is not run
        return None
    from etl.cli.profile import chosen_profile

    profile = chosen_profile(name or None)
    if profile is not None:
        said = {
            "concurrency": profile.concurrency,
            "rate_per_s": profile.rate_per_s,
            "timeout_s": profile.timeout_s,
            "contract": profile.contract and profile.contract.value,
        }
        context.default_map = {key: value for key, value in said.items() if value is not None}
    return profile


PROFILE_TROUBLE = "etl.profile"
"""Where in a command's context it stands why no profile could be taken, if the command goes on without."""


def _profile_if_sound(context: click.Context, option: click.Parameter, name: str | None) -> "Profile | None":
    """As `_profile`; what is wrong with the configuration is for the command to say."""
    try:
        return _profile(context, option, name)
    except UsageError as error:
        context.meta[PROFILE_TROUBLE] = error
        return None


files_argument = click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=completing.files)

opening_options = gathered(
    "opening",
    Opening,
    click.option(
        "--format",
        "format",
        type=Named(list(FORMATS)),
        metavar="NAME",
        help=f"What the input is: {', '.join(FORMATS)} (default: detected).",
    ),
    click.option(
        "--sheet",
        metavar="NAME",
        shell_complete=completing.sheets,
        help="The sheet to read (default: all visible sheets that fit).",
    ),
    click.option("--header-row", type=click.IntRange(min=1), metavar="N", help="The row that holds the column names."),
    click.option(
        "--columns",
        callback=_names,
        metavar="NAME,...",
        help="The names of the columns, where no row holds them.",
    ),
    click.option("--delimiter", metavar="CHAR", help="What separates the cells of a CSV file (default: detected)."),
    click.option("--quote", metavar="CHAR", help="What encloses cells of a CSV file, or none (default: detected)."),
    click.option("--escape", metavar="CHAR", help="What stands before a quote that is meant as text."),
    click.option("--encoding", metavar="NAME", help="The encoding of a text file (default: detected)."),
    click.option("--member", metavar="NAME", help="The file inside a zip archive that holds several."),
    click.option("--records", metavar="KEY", help="The key of a JSON or YAML document that holds the rows."),
    click.option("--fill-merged", is_flag=True, help="The value of a merged area belongs to each of its cells."),
)

resource_option = click.option(
    "--resource",
    type=Named(RESOURCE_NAMES),
    metavar="NAME",
    help=f"What the rows are: {', '.join(RESOURCE_NAMES)} (default: detected).",
)
mapping_option = click.option(
    "--mapping",
    metavar="NAME|FILE",
    shell_complete=completing.mappings,
    help="A ready-made mapping or a mapping file (default: detected).",
)

reading_options = gathered(
    "reading",
    Reading,
    resource_option,
    mapping_option,
    click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="A value for every row; repeatable."),
    click.option("--where", metavar="SQL", help="Take only rows for which this holds, e.g. \"Status = 'Ready'\"."),
    click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Take only the first N rows."),
)

contract_option = click.option(
    "--contract",
    type=Named(CONTRACTS),
    default="auto",
    metavar="NAME",
    help=f"Which form of the API: {', '.join(CONTRACTS)}.",
)

checking_options = gathered(
    "checking",
    Checking,
    click.option("--test-set", metavar="ID|NAME", help="The test set that the test cases go into."),
    click.option("--strict", is_flag=True, help="Warnings are errors."),
    contract_option,
)

output_options = gathered(
    "output",
    Output,
    click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr."),
    click.option("--quiet", "-q", is_flag=True, help="Say only what went wrong."),
    click.option("--verbose", "-v", is_flag=True, help="Say each request and the API's name for it."),
    click.option("--no-color", is_flag=True, help="No colours (also: NO_COLOR)."),
)

api_key_file_option = click.option(
    "--api-key-file",
    metavar="FILE",
    shell_complete=completing.files,
    help="A file that holds the key (else: COVAL_API_KEY).",
)
api_key_option = click.option("--api-key", metavar="KEY", help="The key itself; others can see a command line.")
new_key_option = click.option(
    "--new-key", is_flag=True, help="The key is another one than before, of the same organisation."
)
ledger_option = click.option(
    "--ledger",
    metavar="FILE|URL",
    envvar="COVAL_ETL_LEDGER",
    show_envvar=True,
    shell_complete=completing.files,
    help="Where the ledger is kept.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def _targeting(callback: "Callable[..., Profile | None]") -> Callable[[Command], Command]:
    return gathered(
        "target",
        TargetFlags,
        click.option("--sandbox", "use_sandbox", is_flag=True, help="Send to an embedded sandbox: no key, no network."),
        click.option(
            "--profile",
            metavar="NAME",
            envvar="COVAL_PROFILE",
            show_envvar=True,
            is_eager=True,
            callback=callback,
            shell_complete=completing.profiles,
            help="Where, as whom and how fast, from config.toml.",
        ),
        click.option("--base-url", metavar="URL", help="Where the API is (else: COVAL_BASE_URL)."),
        api_key_file_option,
        api_key_option,
        click.option("--workspace", metavar="ID", help="The workspace to work in."),
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=0.1),
            default=30.0,
            metavar="SECONDS",
            help="For one request.",
        ),
        click.option(
            "--ca-bundle", metavar="FILE", shell_complete=completing.files, help="Certificates of a private authority."
        ),
        ledger_option,
    )


target_options = _targeting(_profile)
target_options_of_doctor = _targeting(_profile_if_sound)

again_options = gathered(
    "again",
    Again,
    click.option(
        "--profile",
        metavar="NAME",
        shell_complete=completing.profiles,
        help="The profile that has the key (default: the one of the import).",
    ),
    api_key_file_option,
    api_key_option,
    ledger_option,
)
near_duplicates_option = click.option(
    "--near-duplicates", is_flag=True, help="Warn of test cases whose input is nearly that of an earlier one."
)

log_file_option = click.option(
    "--log-file",
    metavar="FILE",
    shell_complete=completing.files,
    help="Append what happens as JSON Lines: every request, how far it is, how it ended. No key, no cells.",
)
report_option = click.option(
    "--report", "report_folder", metavar="DIR", shell_complete=completing.folders, help="Where the report goes."
)
