"""A server of files on loopback that answers exactly the bytes it is told, over http or https, also as a proxy."""

import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HANG = b"\0HANG"
"""At the end of a reply: the connection is left open, and nothing more comes."""


def reply(body: bytes = b"", status: str = "200 OK", **headers: str | None) -> bytes:
    """A whole reply; `content_type="text/csv"` becomes a header, None leaves one out."""
    fields: dict[str, str | None] = {"content_length": str(len(body)), "connection": "close", **headers}
    lines = [f"{name.replace('_', '-').title()}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1") + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return reply(b"", status, location=location)


@dataclass
class FileServer:
    """What it answers by target (path and query, or host:port for CONNECT), and the heads of the requests it got."""

    replies: dict[str, bytes]
    base: str = ""
    heads: list[str] = field(default_factory=list)

    def url(self, target: str) -> str:
        return f"{self.base}{target}"


@contextmanager
def serving(
    replies: Mapping[str, bytes], identity: Path | None = None, *, secure: bool = False
) -> Iterator[FileServer]:
    """A running server. `identity` holds a key and its certificate, to be used at once (`secure`: https) or after a
    CONNECT, which is answered in the place of the host that it names."""
    served = FileServer(dict(replies))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if identity is not None:
        context.load_cert_chain(identity)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = context.wrap_socket(self.request, server_side=True) if secure else self.request
            head = _read_head(connection)
            served.heads.append(head)
            if head.startswith("CONNECT ") and identity is not None:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                connection = context.wrap_socket(connection, server_side=True)
                head = _read_head(connection)
                served.heads.append(head)
            target = head.split(" ")[1] if " " in head else ""
            answer = served.replies.get(target, reply(b"nothing here", "404 Not Found"))
            connection.sendall(answer.removesuffix(HANG))
            if answer.endswith(HANG):
                connection.recv(1)
            connection.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that does not trust us, or leaves, is what some tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        served.base = f"http{'s' if secure else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def _read_head(connection: socket.socket) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n") and head != b"\x16" and (byte := connection.recv(1)):
        head += byte  # that one begins a TLS handshake, which is no request
    return head.decode("latin-1")


def make_identity(folder: Path, *names: str) -> Path:
    """A key and a certificate of its own, for 127.0.0.1 and these hosts, that nobody trusts yet."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "identity.pem"
    known = ",".join(["IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={known}"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return both
