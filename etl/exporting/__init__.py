"""Export: what the API has, fetched page by page, made the same whenever it is the same, and written to files.

This room must never know who asks, nor print.
"""

from etl.exporting.exporter import Exported, Exporter, Progress
from etl.exporting.fetching import Fetched
from etl.exporting.job import ALL, ExportJob, resources_named
from etl.exporting.outputs import Form, form_of
from etl.exporting.workplace import held_alone

__all__ = [
    "ALL",
    "ExportJob",
    "Exported",
    "Exporter",
    "Fetched",
    "Form",
    "Progress",
    "form_of",
    "held_alone",
    "resources_named",
]
