"""The ready-made mappings, read quickly: their values by a C loader, and where these stand only when somebody asks.

Must never read a file of a person's own: it looks for no mistakes (a test looks for them in the ready-made files).
"""

import re
from typing import Any

import yaml
from pydantic import ValidationError

from etl.mapping.language.spec import Mapping
from etl.mapping.language.yamlfile import Places, read_yaml

_Fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML has its C loader in every wheel; built from source without libyaml, it does without."""


class _Loader(_Fastest):  # type: ignore[misc]  # chosen when the program runs
    """The values of YAML 1.2, as `read_yaml` has them: `on`, `yes` and `no` are words. Dates are not known."""


_Loader.yaml_implicit_resolvers = {}
for _kind, _form, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"0|[-+]?[1-9][0-9]*", "-+0123456789"),
    ("float", r"[-+]?[0-9]+\.[0-9]+", "-+0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_form})$"), list(_first))


def read_sound(text: str, file: str) -> Mapping | None:
    """A mapping whose file is known to be sound. None where it is not after all: `lint` says why."""
    try:
        mapping = Mapping.model_validate(yaml.load(text, _Loader))  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, ValidationError, ValueError):
        return None
    mapping.place(file, Places(lambda: read_yaml(text)))
    return mapping
