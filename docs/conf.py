"""How `make docs` builds the site: Sphinx, MyST for Markdown, Furo. No page asks the network for anything."""

from etl.version import __version__

project = "coval-etl"
author = "the authors of coval-etl"
version = release = __version__
copyright = "Apache-2.0"  # noqa: A001  (Sphinx calls it so)

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_site"]
nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]
suppress_warnings = ["misc.highlighting_failure"]  # examples of broken files are no valid code

html_theme = "furo"
html_title = f"coval-etl {__version__}"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
