"""Downloads: the whole file behind an address, or a sentence; and nothing secret shown or sent on."""

import gc
import gzip
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.batch import Certainty
from etl.errors import EtlError, FileError, UsageError
from etl.inputs import open_inputs
from etl.readers import ReadOptions, open_source
from etl.readers.sources.addresses import read_address
from etl.readers.sources.download import download
from tests.file_server import HANG, FileServer, make_identity, redirect, reply, serving
from tests.reading_talk import cells

CSV = b"id,input\n1,hello\n"
ROWS = [("1", "hello")]
GOOGLE = "docs.google.com"
SHEET = f"https://{GOOGLE}/spreadsheets/d/1AbC-d_9/edit"


@pytest.fixture(autouse=True)
def own_spools(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test keeps its private copies apart, and leaves none."""
    folder = tmp_path_factory.mktemp("spools")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    return make_identity(tmp_path_factory.mktemp("identity"), GOOGLE, "accounts.google.com", "files.example")


def rows_of(url: str, options: ReadOptions | None = None) -> list[tuple[str | None, ...]]:
    with open_source(url, options or ReadOptions()) as survey:
        (table,) = survey.tables
        return cells(list(table.batches()))


def error_of(url: str) -> EtlError:
    with pytest.raises(EtlError) as caught:
        open_source(url)
    return caught.value


class TestAFileIsDownloaded:
    def test_and_removed_when_the_survey_closes(self, own_spools: Path) -> None:
        with serving({"/a/cases.csv": reply(CSV)}) as server, open_source(server.url("/a/cases.csv")) as survey:
            (spool,) = own_spools.iterdir()
            assert spool.stat().st_mode & 0o077 == 0
            assert survey.file == survey.tables[0].origin.file == server.url("/a/cases.csv")
            assert (survey.format, survey.size_bytes) == ("csv", len(CSV))
            decision = survey.decisions[0]
            assert (decision.subject, decision.certainty) == ("download", Certainty.CERTAIN)
            assert decision.evidence == "17 bytes, as many as the server announced"

    def test_in_chunks_of_the_server(self) -> None:
        body = b"5\r\nid,in\r\nc\r\nput\n1,hello\n\r\n0\r\n\r\n"
        with serving({"/cases.csv": reply(body, content_length=None, transfer_encoding="chunked")}) as server:
            assert rows_of(server.url("/cases.csv")) == ROWS

    def test_by_its_bytes_as_they_are_on_the_server(self) -> None:
        packed = gzip.compress(CSV, mtime=0)
        for headers in ({}, {"content_encoding": "gzip"}):
            with serving({"/cases.csv.gz": reply(packed, **headers)}) as server:
                with open_source(server.url("/cases.csv.gz")) as survey:
                    assert survey.size_bytes == len(packed)
                    assert cells(list(survey.tables[0].batches())) == ROWS
                    assert [one.subject for one in survey.decisions] == ["download", "compression", "format"]
                assert "Accept-Encoding: identity" in server.heads[0]

    @pytest.mark.parametrize(
        ("target", "headers"),
        [
            ("/export", {"content_disposition": 'attachment; filename="my cases.csv"'}),
            ("/export", {"content_disposition": "attachment; filename*=UTF-8''../../gr%C3%B6%C3%9Fe.csv"}),
            ("/export.php", {"content_disposition": "attachment; filename=x.csv"}),
            ("/export", {"content_type": "text/csv; charset=utf-8"}),
            ("/my%20cases.csv", {}),
        ],
    )
    def test_with_a_name_that_hints_at_its_format(self, target: str, headers: dict[str, str]) -> None:
        with serving({target: reply(CSV, **headers)}) as server, open_source(server.url(target)) as survey:
            assert survey.source.suffix == ".csv"

    def test_whatever_is_typed_is_spelt_as_it_must_be_sent(self) -> None:
        with serving({"/F%C3%A4lle%202026.csv?x=%C3%A4%20b": reply(CSV)}) as server:
            assert rows_of(server.url("/Fälle 2026.csv?x=ä b#part")) == ROWS

    def test_through_redirects(self) -> None:
        with serving({"/b.csv?key=secret": reply(CSV)}) as other:
            replies = {
                "/a": redirect("/b?x=1", "307 Temporary Redirect"),
                "/b?x=1": redirect(other.url("/b.csv?key=secret")),
            }
            with serving(replies) as server, open_source(server.url("/a")) as survey:
                assert survey.file == server.url("/a")
                assert cells(list(survey.tables[0].batches())) == ROWS
                assert "secret" not in str(survey.decisions) + str(survey.tables[0].origin)

    def test_from_inside_a_running_event_loop(self) -> None:
        import asyncio

        async def read() -> list[tuple[str | None, ...]]:
            return rows_of(server.url("/cases.csv"))

        with serving({"/cases.csv": reply(CSV)}) as server:
            assert asyncio.run(read()) == ROWS


class TestADownloadIsRefused:
    @pytest.mark.parametrize(
        ("status", "why", "hint"),
        [
            ("401 Unauthorized", "can only be read after signing in", "download it in a browser"),
            ("403 Forbidden", "may not be read: the server answered 403", "may have expired"),
            ("404 Not Found", "does not exist: the server answered 404", "how it is spelt"),
            ("410 Gone", "does not exist", ""),
            ("429 Too Many Requests", "answered 429 Too Many Requests", "Try again later"),
            ("500 <script>", "answered 500 Internal Server Error", "Try again later"),
            ("204 No Content", "answered 204 No Content", ""),
            ("206 Partial Content", "answered 206", ""),
            ("304 Not Modified", "answered 304", ""),
            ("799 Odd", "answered 799.", ""),
        ],
    )
    def test_when_the_server_answers_something_else(self, status: str, why: str, hint: str) -> None:
        with serving({"/cases.csv": reply(b"id,input\n1,no\n", status)}) as server:
            error = error_of(server.url("/cases.csv"))
        assert why in error.message
        assert hint in error.hint

    def test_when_a_web_page_comes_instead(self) -> None:
        page = b"\xef\xbb\xbf\n<!-- x -->\n<!DOCTYPE HTML><html><body>Please sign in</body></html>"
        with serving({"/cases.xlsx": reply(page, content_type="text/csv")}) as server:
            error = error_of(server.url("/cases.xlsx"))
        assert error.message.endswith("/cases.xlsx is a web page, not a file.")
        assert "Download" in error.hint

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (reply(CSV, content_length="99"), "was cut off: 17 of 99 bytes came"),
            (reply(b"11\r\n" + CSV + b"\r\n", content_length=None, transfer_encoding="chunked"), "too early"),
            (reply(b"11\r\n" + CSV[:5], content_length=None, transfer_encoding="chunked"), "too early"),
            (reply(CSV, content_length=None), "does not say where the file ends"),
            (b"", "closed the connection too early"),
            (b"HTTP/1.1 200 OK\r\nContent-Le", "does not say where the file ends"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
            (b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 500 + b"\r\n", "does not speak HTTP"),
            (reply(b"-5\r\n" + CSV, content_length=None, transfer_encoding="chunked"), "does not speak HTTP"),
            (reply(CSV, content_encoding="br"), "encoded as 'br'"),
            (reply(b""), "is empty"),
        ],
    )
    def test_when_not_all_of_it_came_for_certain(self, answer: bytes, why: str) -> None:
        with serving({"/cases.csv": answer}) as server:
            assert why in error_of(server.url("/cases.csv")).message

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n" + HANG, reply(CSV, content_length="99") + HANG])
    def test_when_no_byte_comes(self, answer: bytes) -> None:
        with (
            serving({"/cases.csv": answer}) as server,
            pytest.raises(FileError, match=r"no byte came for 0\.05 seconds"),
        ):
            download(read_address(server.url("/cases.csv")), timeout_s=0.05)

    @pytest.mark.parametrize("chunked", [False, True])
    def test_when_it_is_too_large(self, own_spools: Path, *, chunked: bool) -> None:
        body = b"a" * 5_000_000
        answer = reply(body)
        if chunked:
            answer = reply(b"%x\r\n%s\r\n" % (len(body), body) + HANG, content_length=None, transfer_encoding="chunked")
        with serving({"/cases.csv": answer}) as server, pytest.raises(FileError, match="larger than 1,000,000 bytes"):
            download(read_address(server.url("/cases.csv")), most_bytes=1_000_000)

    def test_when_nobody_answers(self) -> None:
        with serving({}) as server:
            url = server.url("/cases.csv")
        assert error_of(url).message == f"{url} was not read: Connection refused."

    def test_when_its_host_is_not_known(self) -> None:
        assert "its host is not known" in error_of("http://no-such-host.invalid/cases.csv").message

    def test_when_it_redirects_for_ever(self) -> None:
        with serving({"/a": redirect("/b"), "/b": redirect("/a")}) as server:
            assert error_of(server.url("/a")).message == f"{server.url('/a')} redirects more than 5 times."
            assert len(server.heads) == 6

    @pytest.mark.parametrize(
        ("location", "why"),
        [
            ("file:///etc/passwd", "no http(s) address"),
            ("ftp://127.0.0.1/x", "no http(s) address"),
            ("", "no http(s) address"),
            ("http://[", "no http(s) address"),
            ("http://user:hidden@127.0.0.1/", "with a password in it"),
            ("https://accounts.google.com/ServiceLogin?continue=hidden", "after signing in"),
        ],
    )
    def test_when_it_redirects_to_where_nothing_is_to_be_fetched(self, location: str, why: str) -> None:
        with serving({"/a": redirect(location)}) as server:
            error = error_of(server.url("/a"))
        assert why in error.message
        assert "hidden" not in error.message + error.hint

    @pytest.mark.parametrize("address", ["ftp://host/cases.csv", "file:///tmp/cases.csv", "sftp://u:hidden@host/x"])
    def test_when_it_is_an_address_of_another_kind(self, address: str) -> None:
        error = error_of(address)
        assert isinstance(error, UsageError)
        assert "of a kind that is not read" in error.message
        assert "hidden" not in error.message

    @pytest.mark.parametrize("address", ["https://", "https:///cases.csv", "http://[::1", "http://a:b/c.csv"])
    def test_when_it_is_no_address(self, address: str) -> None:
        assert isinstance(error_of(address), UsageError)


class TestSecretsStaySecret:
    def test_a_query_is_sent_and_never_shown(self) -> None:
        target = "/cases.csv?X-Amz-Signature=hidden"
        with serving({target: reply(CSV)}) as server, open_source(server.url(target)) as survey:
            shown = server.url("/cases.csv?…")
            assert survey.file == survey.tables[0].origin.file == survey.source.label == shown
            assert "hidden" not in repr(survey) + repr(survey.source)

    @pytest.mark.parametrize(
        "answer",
        [reply(b"", "403 Forbidden"), reply(b"", "404 Not Found"), reply(CSV, content_length="99"), b"", redirect("")],
    )
    def test_not_in_an_error_either(self, answer: bytes) -> None:
        target = "/cases.csv?sig=hidden"
        with serving({target: answer}) as server:
            error = error_of(server.url(target))
        assert "?…" in error.message
        assert "hidden" not in error.message + error.hint

    def test_two_that_are_shown_alike_are_not_read_together(self) -> None:
        with (
            serving({"/x?id=1": reply(CSV), "/x?id=2": reply(CSV + b"2,x\n")}) as server,
            pytest.raises(UsageError) as caught,
        ):
            open_inputs([server.url("/x?id=1"), server.url("/x?id=2")])
        assert caught.value.message == f"{server.url('/x?…')} is given 2 times, with another end."

    def test_a_password_in_an_address_is_refused(self) -> None:
        error = error_of("https://ada:hidden@example.com/cases.csv")
        assert error.message == (
            "https://example.com/cases.csv was given with a password in it, which others on this machine can see."
        )

    def test_nothing_of_the_environment_is_sent(self, monkeypatch: pytest.MonkeyPatch, own_home: Path) -> None:
        (own_home / ".netrc").write_text("machine 127.0.0.1 login ada password hidden\n")
        (own_home / ".netrc").chmod(0o600)
        with (
            serving({"/b.csv": reply(CSV, set_cookie="a=hidden")}) as other,
            serving(
                {"/a": redirect(other.url("/b.csv")).replace(b"\r\n", b"\r\nSet-Cookie: a=hidden\r\n", 1)}
            ) as server,
        ):
            rows_of(server.url("/a"))
            heads = server.heads + other.heads
        sent = {line.split(":")[0] for head in heads for line in head.splitlines()[1:] if line}
        assert sent == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}


class TestSecureConnections:
    def test_are_made_with_whom_the_user_trusts(self, identity: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving({"/cases.csv": reply(CSV)}, identity, secure=True) as server:
            error = error_of(server.url("/cases.csv"))
            assert "certificate is not accepted (self-signed certificate)" in error.message
            assert "never switched off" in error.hint
            monkeypatch.setenv("SSL_CERT_FILE", str(identity))
            assert rows_of(server.url("/cases.csv")) == ROWS

    def test_are_not_left_by_a_redirect(self, identity: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(identity))
        with serving({"/b.csv": reply(CSV)}) as open_, serving({}, identity, secure=True) as server:
            server.replies["/a"] = redirect(open_.url("/b.csv?x=hidden"))
            error = error_of(server.url("/a"))
            assert f"redirects to {open_.url('/b.csv')}?…, where anybody on the way could change" in error.message
            assert open_.heads == []

    def test_are_not_made_with_a_server_without_them(self, identity: Path) -> None:
        with serving({"/cases.csv": reply(CSV)}) as server:
            error = error_of(server.url("/cases.csv").replace("http:", "https:"))
        assert "no secure connection could be made" in error.message

    def test_go_through_the_proxy_of_the_environment(self, identity: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(identity))
        with serving({"/cases.csv": reply(CSV)}, identity) as proxy:
            monkeypatch.setenv("https_proxy", proxy.base.replace("//", "//ada:hidden@"))
            assert rows_of("https://files.example/cases.csv") == ROWS
            connect, get = proxy.heads
        assert connect.startswith("CONNECT files.example:443 ")
        assert "Proxy-Authorization: Basic" in connect
        assert "authorization" not in get.lower()

    # http.client of Python 3.11 never closes the answer of a proxy that refuses: it is collected here, not in a test
    # that knows nothing of it.
    @pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_are_refused_when_the_proxy_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving({"files.example:443": reply(b"", "407 Proxy Authentication Required")}) as proxy:
            monkeypatch.setenv("https_proxy", proxy.base.replace("//", "//ada:hidden@"))
            error = error_of("https://files.example/cases.csv")
        assert "the proxy answered 407" in error.message
        assert "hidden" not in error.message + error.hint
        del error
        gc.collect()


class TestAGoogleSheet:
    @pytest.mark.parametrize(
        ("typed", "fetched"),
        [
            ("/spreadsheets/d/1AbC-d_9/edit#gid=5", "/spreadsheets/d/1AbC-d_9/export?format=csv&gid=5"),
            ("/spreadsheets/d/1AbC-d_9/edit?gid=5#gid=5", "/spreadsheets/d/1AbC-d_9/export?format=csv&gid=5"),
            ("/spreadsheets/d/1AbC-d_9/edit?usp=sharing", "/spreadsheets/d/1AbC-d_9/export?format=csv"),
            ("/spreadsheets/d/1AbC-d_9/view", "/spreadsheets/d/1AbC-d_9/export?format=csv"),
            ("/spreadsheets/d/1AbC-d_9/htmlview?gid=0", "/spreadsheets/d/1AbC-d_9/export?format=csv&gid=0"),
            ("/spreadsheets/d/1AbC-d_9", "/spreadsheets/d/1AbC-d_9/export?format=csv"),
            ("/spreadsheets/d/1AbC-d_9/", "/spreadsheets/d/1AbC-d_9/export?format=csv"),
            ("/spreadsheets/u/0/d/1AbC-d_9/edit#gid=5", "/spreadsheets/u/0/d/1AbC-d_9/export?format=csv&gid=5"),
            ("/a/example.com/spreadsheets/d/1AbC/edit", "/a/example.com/spreadsheets/d/1AbC/export?format=csv"),
            ("/spreadsheets/d/1AbC/edit#gid=5;rm", "/spreadsheets/d/1AbC/export?format=csv"),
            ("/spreadsheets/d/e/2PACX-1v/pubhtml", "/spreadsheets/d/e/2PACX-1v/pub?output=csv"),
            (
                "/spreadsheets/d/e/2PACX-1v/pubhtml?gid=7&single=true",
                "/spreadsheets/d/e/2PACX-1v/pub?output=csv&gid=7&single=true",
            ),
            ("/spreadsheets/d/e/2PACX-1v/pub?output=csv", "/spreadsheets/d/e/2PACX-1v/pub?output=csv"),
            ("/spreadsheets/d/1AbC/export?format=xlsx", "/spreadsheets/d/1AbC/export?format=xlsx"),
            ("/document/d/1AbC/edit", "/document/d/1AbC/edit"),
        ],
    )
    def test_is_fetched_by_its_export_address(self, typed: str, fetched: str) -> None:
        assert read_address(f"https://{GOOGLE}{typed}").url == f"https://{GOOGLE}{fetched}"

    def test_of_another_host_is_a_file_like_any(self) -> None:
        assert read_address("https://example.com/spreadsheets/d/1AbC/edit").url.endswith("/edit")

    @pytest.fixture
    def google(self, identity: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
        """What stands in Google's place, reached through a proxy."""
        monkeypatch.setenv("SSL_CERT_FILE", str(identity))
        with serving({}, identity) as server:
            monkeypatch.setenv("https_proxy", server.base)
            yield server

    def test_is_read(self, google: FileServer) -> None:
        there = "https://files.example/export/1?key=hidden"
        google.replies["/spreadsheets/d/1AbC-d_9/export?format=csv&gid=5"] = redirect(there, "307 Temporary Redirect")
        google.replies["/export/1?key=hidden"] = reply(CSV, content_type="text/csv")
        with open_source(f"{SHEET}#gid=5") as survey:
            assert cells(list(survey.tables[0].batches())) == ROWS
            assert survey.file == f"{SHEET}#gid=5"
            address, fetched, _ = survey.decisions
        assert address.value == f"https://{GOOGLE}/spreadsheets/d/1AbC-d_9/export?format=csv&gid=5"
        assert address.certainty is Certainty.CERTAIN
        assert fetched.evidence.endswith("by way of files.example")

    def test_is_the_first_one_where_the_address_names_none(self, google: FileServer) -> None:
        google.replies["/spreadsheets/d/1AbC-d_9/export?format=csv"] = reply(CSV, content_type="text/csv")
        with open_source(f"{SHEET}?usp=sharing") as survey:
            assert survey.file == SHEET
            assert survey.decisions[0].certainty is Certainty.LIKELY
            assert "first sheet" in survey.decisions[0].evidence

    @pytest.mark.parametrize(
        "answer",
        [
            redirect("https://accounts.google.com/ServiceLogin?continue=x"),
            reply(b"<!DOCTYPE html><html>Sign in</html>", content_type="text/html"),
            reply(b"<html>", "401 Unauthorized"),
        ],
        ids=["redirect", "page", "401"],
    )
    def test_that_is_not_shared_says_so(self, google: FileServer, answer: bytes) -> None:
        google.replies["/spreadsheets/d/1AbC-d_9/export?format=csv"] = answer
        error = error_of(SHEET)
        assert error.message == f"{SHEET} can only be read after signing in."
        assert 'Share it with "anyone with the link"' in error.hint


WHEN = "Wed, 01 Apr 2026 10:00:00 GMT"
REFUSAL = b"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIAHIDDEN</AWSAccessKeyId></Error>"


class Cloud:
    """A service on loopback in the place of one of the providers'."""

    def __init__(self, scheme: str, target: str, server: FileServer) -> None:
        self.address = f"{scheme}://cases/2026/my cases%20ä.csv"
        self.server = server
        self._target = target

    def answers(self, answer: bytes) -> None:
        self.server.replies[self._target] = answer


S3_KEY = "2026/my%20cases%2520%C3%A4.csv"


@pytest.fixture(params=["s3", "gs", "az"])
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    pytest.importorskip("obstore")
    scheme = request.param
    targets = {
        "s3": f"/cases/{S3_KEY}",
        "gs": "/cases/2026%2Fmy%20cases%2520%C3%A4%2Ecsv",
        "az": f"/devstoreaccount1/cases/{S3_KEY}",
    }
    with serving({}) as server:
        environment = {
            "AWS_ACCESS_KEY_ID": "AKIAHIDDEN",
            "AWS_SECRET_ACCESS_KEY": "hidden/secret",
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": server.base,
            "AWS_ALLOW_HTTP": "true",
            "GOOGLE_SKIP_SIGNATURE": "true",
            "GOOGLE_BASE_URL": server.base,
            "GOOGLE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_USE_EMULATOR": "true",
            "AZURITE_BLOB_STORAGE_URL": server.base,
            "AZURE_ALLOW_HTTP": "true",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield Cloud(scheme, targets[scheme], server)


class TestAnObjectInTheCloud:
    def test_is_read(self, cloud: Cloud, own_spools: Path) -> None:
        cloud.answers(reply(CSV, etag='"1"', last_modified=WHEN))
        with open_source(cloud.address) as survey:
            assert cells(list(survey.tables[0].batches())) == ROWS
            assert survey.file == cloud.address
            assert survey.source.suffix == ".csv"
            assert survey.decisions[0].subject == "download"
            (spool,) = own_spools.iterdir()
            assert spool.stat().st_mode & 0o077 == 0

    def test_is_unpacked(self, cloud: Cloud) -> None:
        cloud.answers(reply(gzip.compress(CSV, mtime=0), etag='"1"', last_modified=WHEN))
        assert rows_of(cloud.address) == ROWS

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (reply(REFUSAL, "403 Forbidden"), "may not be read"),
            (reply(REFUSAL, "401 Unauthorized"), "may not be read"),
            (reply(REFUSAL, "404 Not Found"), "does not exist."),
            (reply(REFUSAL, "400 Bad Request"), "answered 400"),
            (reply(CSV, etag='"1"', last_modified=WHEN, content_length="99"), "the connection broke"),
            (b"", "could not be reached"),
            (reply(b"", etag='"1"', last_modified=WHEN), "is empty"),
        ],
    )
    def test_is_refused_in_our_own_words(self, cloud: Cloud, answer: bytes, why: str) -> None:
        cloud.answers(answer)
        error = error_of(cloud.address)
        assert error.message.startswith(cloud.address)
        assert why in error.message
        assert "hidden" not in (error.message + error.hint).lower()
        assert error.__cause__ is None

    def test_needs_a_key_in_the_bucket(self, cloud: Cloud) -> None:
        for address in ("s3://cases", "s3://cases/", "gs://cases/2026/"):
            assert "names no file" in error_of(address).message
        assert cloud.server.heads == []

    def test_needs_its_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "obstore", None)
        error = error_of("s3://cases/2026/cases.csv")
        assert isinstance(error, UsageError)
        assert error.hint == "Install it: pip install 'coval-etl[cloud]'"

    def test_has_no_key_of_ours_in_its_address(self) -> None:
        error = error_of("s3://AKIA:hidden@cases/x.csv")
        assert error.message.startswith("s3://cases/x.csv was given with a password")
