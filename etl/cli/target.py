"""Where requests go, from flags and environment: the real API, or the embedded sandbox. It must never send anything."""

import os
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from etl.api import Target, normalise_base_url
from etl.cli.options import TargetFlags
from etl.errors import UsageError
from etl.resources import Contract

DEFAULT_BASE_URL = "https://api.coval.dev/v1"


def state_folder() -> Path:
    """The user's folder for ledgers and the embedded sandbox's data, private to the user."""
    folder = Path(platformdirs.user_state_dir("coval-etl", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(
            f"The state folder {folder} cannot be made: {error.strerror}.", "Set XDG_STATE_HOME."
        ) from None
    return folder


def ledger_at(ledger: str | None) -> str | Path:
    """Where the ledger is: `--ledger`, COVAL_ETL_LEDGER, or a file in the state folder."""
    return state_folder() / "ledger.db" if ledger is None else ledger


def read_key(api_key: str | None, api_key_file: str | None) -> str:
    """The key, by flag, file or environment. Raises UsageError when there is none."""
    if api_key and api_key_file:
        raise UsageError("--api-key and --api-key-file exclude each other.")
    if api_key:
        return _clean(api_key)
    if api_key_file:
        try:
            return _clean(Path(api_key_file).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"The key file {api_key_file} cannot be read.") from None
    from_environment = os.environ.get("COVAL_API_KEY", "")
    if not from_environment.strip():
        raise UsageError(
            "There is no API key.",
            "Set COVAL_API_KEY or give --api-key-file; or rehearse with --sandbox, which needs none.",
        )
    return _clean(from_environment)


def _clean(key: str) -> str:
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise UsageError("The API key is empty or holds characters that no key has.", "Check where it was copied from.")
    return key


@asynccontextmanager
async def opened_target(flags: TargetFlags, contract: Contract | None) -> AsyncIterator[tuple[Target, Contract | None]]:
    """The target and its contract, if that is known (None: to be found out).

    With `--sandbox` a sandbox runs on loopback for as long as the context is open; its data stays in the state folder.
    """
    if not flags.use_sandbox:
        url = normalise_base_url(flags.base_url or os.environ.get("COVAL_BASE_URL") or DEFAULT_BASE_URL)
        key = read_key(flags.api_key, flags.api_key_file)
        yield Target(url, key, _workspace(flags.workspace), flags.timeout_s, flags.ca_bundle, _proxy_for(url)), contract
        return
    if flags.base_url:
        raise UsageError("--sandbox and --base-url exclude each other.", "The embedded sandbox has its own address.")
    from etl.sandbox import running_sandbox

    contract = contract or Contract.V2025_10
    async with running_sandbox(db=state_folder() / "sandbox.db", contract=contract, key=None) as sandbox:
        yield Target(sandbox.base_url, sandbox.key, flags.workspace, flags.timeout_s), contract


def _proxy_for(url: str) -> str | None:
    """The proxy that the environment names for this URL, if any; never for this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in {"localhost", "127.0.0.1", "::1"} or urllib.request.proxy_bypass(host):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if urlsplit(proxy).scheme not in {"http", "https"}:
        raise UsageError(f"A {urlsplit(proxy).scheme}:// proxy is not supported.", "Name an http:// proxy, or none.")
    return proxy


def _workspace(workspace: str | None) -> str | None:
    """A workspace id as the API has them: 1 to 26 characters (vendor's client 0.9.7)."""
    if workspace is not None and not (workspace.isascii() and workspace.isprintable() and 0 < len(workspace) <= 26):
        raise UsageError("--workspace is no id: it has 1 to 26 plain characters.", "Copy it from Coval.")
    return workspace
