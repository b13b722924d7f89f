"""TLS: without trust nothing is sent, nothing is tried again, and nobody is told to switch the checks off."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from etl.api import Api, Cause, Meaning, NoAnswer, Target, meaning_of
from etl.errors import TlsError
from tests.raw_server import said


def make_identity(folder: Path, name: str, days: int) -> Path:
    """A key and a certificate for a name (`IP:…`) that it signed itself, in one file; it ends in so many days."""
    key, request, certificate, both = (folder / f"server.{kind}" for kind in ("key", "csr", "crt", "pem"))
    asking = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"]
    asking += ["-addext", f"subjectAltName={name}", "-keyout", str(key), "-out", str(request)]
    signing = ["openssl", "x509", "-req", "-in", str(request), "-signkey", str(key), "-days", str(days)]
    signing += ["-copy_extensions", "copy", "-out", str(certificate)]
    for command in (asking, signing):
        subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return both


@asynccontextmanager
async def secure_server(identity: Path) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An https server that answers nothing, and what it was sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(65536))
        writer.write(said("200 OK"))
        writer.close()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # a handshake that the client breaks off
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", seen


TROUBLES = {
    "nobody trusts it": ("IP:127.0.0.1", 2, False),
    "it has expired": ("IP:127.0.0.1", -1, True),
    "it is another host's": ("DNS:api.coval.dev", 2, True),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_certificate_that_cannot_be_trusted_stops_and_nothing_is_sent(tmp_path: Path, trouble: str) -> None:
    name, days, trusted = TROUBLES[trouble]
    identity = make_identity(tmp_path, name, days)
    async with secure_server(identity) as (url, seen):
        target = Target(url, "a-key-of-ours", ca_bundle=str(identity) if trusted else None)
        async with Api(target) as api:
            outcome = await api.request("POST", "/test-sets", b"{}")
            with pytest.raises(TlsError, match="not accepted") as raised:
                await api.get("/test-sets")
    assert isinstance(outcome, NoAnswer)
    assert (outcome.sent, outcome.cause) == (False, Cause.TLS)
    assert {meaning_of(one, outcome, usable=False) for one in ("POST", "PATCH", "DELETE", "GET")} == {Meaning.TLS}
    assert raised.value.hint == "For a private certificate authority give --ca-bundle FILE."
    assert not any(seen)


async def test_a_certificate_that_is_trusted_is_used(tmp_path: Path) -> None:
    identity = make_identity(tmp_path, "IP:127.0.0.1", 2)
    async with secure_server(identity) as (url, seen), Api(Target(url, "a-key", ca_bundle=str(identity))) as api:
        answer = await api.get("/test-sets")
    assert answer.status == 200
    assert b"a-key" in seen[0]


async def test_a_server_without_tls_is_told_and_hears_no_key() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(65536))
        writer.write(said("400 Bad Request"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with (
        server,
        Api(Target(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", "a-key-of-ours")) as api,
    ):
        with pytest.raises(TlsError, match="does not speak TLS"):
            await api.get("/test-sets")
    assert len(seen) == 1
    assert b"a-key-of-ours" not in seen[0]
