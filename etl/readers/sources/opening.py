"""Opening: from what was typed to the content behind it, wherever it lies and however it is packed.

It must never know what the content means.
"""

from contextlib import ExitStack
from pathlib import Path

from etl.readers.sources.addresses import CLOUD_SCHEMES, is_address, read_address
from etl.readers.sources.source import KeptCopy, Source, find_file, found, read_standard_input
from etl.readers.sources.unpack import unpack


def open_input(
    typed: str, member: str | None = None, fallback: str | None = None, kept: KeptCopy | None = None
) -> Source:
    """The content of a file on this machine, of standard input (`-`) or behind an address, unpacked where it is packed.

    `kept`: a copy of it from before, which is read instead. `member` chooses a file of a zip archive, else `fallback`
    does. Raises FileError where it cannot be read whole, UsageError for an address or a `member` that mean nothing.
    Close the source: that removes its private copies.
    """
    with ExitStack() as undo:
        source = _as_it_comes(typed) if kept is None else found(typed, kept.label, kept.name, Path(kept.path))
        undo.callback(source.close)
        content = unpack(source, member, fallback)
        undo.pop_all()
    return content


def _as_it_comes(typed: str) -> Source:
    if typed == "-":
        return read_standard_input()
    if not is_address(typed):
        return find_file(typed)
    address = read_address(typed)
    if address.scheme in CLOUD_SCHEMES:
        from etl.readers.sources.cloud import fetch_object

        return fetch_object(address)
    from etl.readers.sources.download import download

    return download(address)
