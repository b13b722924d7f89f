"""Cloud: an object in S3, Google Cloud Storage or Azure, as a private copy.

It must never handle a key: obstore finds them where the providers' own tools look (the environment, their files, the
machine's role). Its messages may quote them, so that none is ever passed on.
"""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from etl.batch import Certainty, Decision
from etl.errors import FileError, UsageError
from etl.readers.sources.addresses import Address
from etl.readers.sources.source import Source, found
from etl.readers.sources.spool import Spool
from etl.version import __version__

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
"""How long no byte may come."""
MOST_TRIES = 3
_WHOLE = timedelta(days=1)
_CHUNK_BYTES = 1 << 20
_STATUS = re.compile(r"status code: (\d{3})")
_METADATA = re.compile(r"169\.254\.169\.254|metadata\.google\.internal")
"""Where a machine of the provider's is asked for its role, the last place where a key may be."""
_CHECK = {
    "s3": "It needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_REGION, or for a public one "
    "AWS_SKIP_SIGNATURE=true.",
    "gs": "It needs GOOGLE_APPLICATION_CREDENTIALS, or for a public one GOOGLE_SKIP_SIGNATURE=true.",
    "az": "It needs AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or for a public one "
    "AZURE_SKIP_SIGNATURE=true.",
}
_SERVICES = {"s3": "S3", "gs": "Google Cloud Storage", "az": "Azure"}


def fetch_object(address: Address) -> Source:
    """The object behind an `s3://bucket/key`, `gs://bucket/key` or `az://container/key` address.

    Raises UsageError where obstore is not installed or no key is named, FileError: not reached, not found, not
    allowed, cut off, no room.
    """
    try:
        import obstore
        from obstore.exceptions import BaseError
    except ImportError as error:
        raise UsageError(
            f"{address.shown} needs a library that is not installed.", "Install it: pip install 'coval-etl[cloud]'"
        ) from error
    if not address.path or address.path.endswith("/"):
        raise UsageError(f"{address.shown} names no file.", f"Write it as {address.scheme}://bucket/path/cases.csv.")
    announced: int | None = None
    with Spool(address.shown) as spool:
        try:
            reply = obstore.get(_store_of(address), address.path)
            announced = reply.meta["size"]
            for chunk in reply.stream(min_chunk_size=_CHUNK_BYTES):
                spool.write(bytes(chunk))
        except (BaseError, OSError, ValueError) as error:
            raise _unreached(address, error, begun=announced is not None) from None  # what it says may hold a key
        if spool.size_bytes != announced:
            raise FileError(
                f"{address.shown} was cut off: {spool.size_bytes:,} of {announced:,} bytes came.", "Try again."
            )
        source = found(address.shown, address.shown, address.name, spool.seal().path, spool=spool)
    evidence = f"{announced:,} bytes, as many as {_SERVICES[address.scheme]} announced"
    source.decisions = (Decision("download", address.shown, evidence, Certainty.CERTAIN),)
    return source


def _store_of(address: Address) -> "ObjectStore":
    from obstore.store import AzureStore, GCSStore, S3Store

    # As `config` and not as `client_options`, which would replace what the environment says of the client.
    config: Any = {
        "connect_timeout": f"{CONNECT_TIMEOUT_S}s",
        "read_timeout": f"{READ_TIMEOUT_S}s",
        "timeout": f"{_WHOLE.total_seconds():.0f}s",
        "user_agent": f"coval-etl/{__version__}",
    }
    tries: Any = {"max_retries": MOST_TRIES - 1, "retry_timeout": timedelta(seconds=READ_TIMEOUT_S)}
    match address.scheme:
        case "s3":
            return S3Store(address.host, config=config, retry_config=tries)
        case "gs":
            return GCSStore(address.host, config=config, retry_config=tries)
        case _:
            return AzureStore(address.host, config=config, retry_config=tries)


def _unreached(address: Address, error: Exception, *, begun: bool) -> FileError:
    """Why the object did not come, by the kind of the error and the server's status only."""
    from obstore import exceptions

    service = _SERVICES[address.scheme]
    status = _STATUS.search(str(error))
    if isinstance(error, exceptions.NotFoundError | FileNotFoundError):
        return FileError(f"{address.shown} does not exist.", "Check the bucket and the path: both count upper case.")
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        return FileError(
            f"{address.shown} may not be read: {service} refuses the key that was found.",
            "Check which key and which region the environment names, and what the key may read.",
        )
    if status is not None:
        return FileError(f"{address.shown} was not read: {service} answered {status[1]}.", _CHECK[address.scheme])
    if begun:
        return FileError(f"{address.shown} was cut off: the connection broke.", "Try again.")
    if "HTTP error" in str(error) and _METADATA.search(str(error)) is None:
        return FileError(f"{address.shown} was not read: {service} could not be reached.", "Check the network.")
    return FileError(f"{address.shown} was not read: no key for {service} was found.", _CHECK[address.scheme])
