"""coval-etl: test suites and agent configurations into Coval, out of it, and across it.

The names a program needs; the command line is a thin face on them. They are imported when they are used, so that
`import etl` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from etl.version import __version__

if TYPE_CHECKING:
    from etl.api import Api, Target
    from etl.errors import EtlError
    from etl.exporting import Exporter, ExportJob
    from etl.importing import Importer
    from etl.inputs import open_inputs
    from etl.jobs import ImportJob
    from etl.ledger import open_ledger
    from etl.library import (
        export_async,
        export_files,
        import_async,
        import_files,
        plan_async,
        plan_files,
        read,
        validate,
    )
    from etl.mapping import load_mapping
    from etl.readers import open_source
    from etl.resources import Contract
    from etl.writer import InDoubt

_HOMES = {
    "Api": "etl.api",
    "Contract": "etl.resources",
    "EtlError": "etl.errors",
    "ExportJob": "etl.exporting",
    "Exporter": "etl.exporting",
    "ImportJob": "etl.jobs",
    "Importer": "etl.importing",
    "InDoubt": "etl.writer",
    "Target": "etl.api",
    "export_async": "etl.library",
    "export_files": "etl.library",
    "import_async": "etl.library",
    "import_files": "etl.library",
    "load_mapping": "etl.mapping",
    "open_inputs": "etl.inputs",
    "open_ledger": "etl.ledger",
    "open_source": "etl.readers",
    "plan_async": "etl.library",
    "plan_files": "etl.library",
    "read": "etl.library",
    "validate": "etl.library",
}

__all__ = [
    "Api",
    "Contract",
    "EtlError",
    "ExportJob",
    "Exporter",
    "ImportJob",
    "Importer",
    "InDoubt",
    "Target",
    "__version__",
    "export_async",
    "export_files",
    "import_async",
    "import_files",
    "load_mapping",
    "open_inputs",
    "open_ledger",
    "open_source",
    "plan_async",
    "plan_files",
    "read",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'etl' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
