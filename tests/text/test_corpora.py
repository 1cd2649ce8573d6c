"""Where text comes from: mirror, cache, a download from a real server on this machine, the bundled stand-in."""

import contextlib
import gzip
import http.server
import itertools
import os
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from types import SimpleNamespace

import pytest

from kerasgen.base.errors import BadInputError, FailedError, MissingFileError
from kerasgen.base.files import bundled, sha256
from kerasgen.text import corpora, known
from tests.conftest import ROOT

CONTENT = b"Zuul\nRex\nMinmi\n" * 300
GENERA = bundled("data/genera.txt")


@pytest.fixture
def server():
    """`answers` maps a path to ``(status, body, bytes missing at the end, *headers)``; `asked` is the paths."""
    answers, asked = {}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            asked.append(self.path)
            status, body, missing, *headers = answers.get(self.path, (404, b"not here", 0))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who has enough goes away
                self.wfile.write(body[: len(body) - missing])

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{running.server_port}"
        yield SimpleNamespace(url=url, answers=answers, asked=asked)
        running.shutdown()
        thread.join()


@pytest.fixture
def home(server, tmp_path, monkeypatch):
    """An empty machine: no mirror, an empty cache, "dinos" at ``/home/dinos.txt`` of the server, and no internet."""
    corpus = known.KnownCorpus(f"{server.url}/home/dinos.txt", sha256(CONTENT), "data/genera.txt")
    monkeypatch.setattr(known, "KNOWN", {"dinos": corpus})
    monkeypatch.setattr(corpora, "KNOWN", known.KNOWN)
    monkeypatch.delenv("KERASGEN_MIRROR", raising=False)
    monkeypatch.setenv("KERASGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    look_up = socket.getaddrinfo

    def local_only(host, *args, **kwargs):
        assert host in ("127.0.0.1", "localhost"), f"a test asked for {host}"
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", local_only)
    return tmp_path


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def put(path, content=CONTENT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def check_is_read(data="dinos", note=""):
    text = corpora.read(data, default="dinos")
    assert text == corpora.Text("dinos", CONTENT.decode(), sha256(CONTENT), note)


@pytest.mark.parametrize("data", ["dinos", None])
def test_a_download_is_verified_and_kept_and_not_repeated(home, server, data):
    server.answers["/home/dinos.txt"] = (200, CONTENT, 0)
    check_is_read(data)
    assert left(home) == ["cache/dinos.txt"]
    assert (home / "cache/dinos.txt").read_bytes() == CONTENT
    check_is_read(data)
    assert server.asked == ["/home/dinos.txt"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_mirror_folder_comes_first(home, server, monkeypatch, slash):
    put(home / "mirror/dinos.txt")
    put(home / "cache/dinos.txt", b"not this one")
    monkeypatch.setenv("KERASGEN_MIRROR", f"{home / 'mirror'}{slash}")
    check_is_read()
    assert server.asked == []
    assert (home / "cache/dinos.txt").read_bytes() == b"not this one"


def test_the_cache_comes_before_the_address(home, server):
    put(home / "cache/dinos.txt")
    check_is_read()
    assert server.asked == []


@pytest.mark.parametrize("content", [None, b"not this one"], ids=["missing", "wrong"])
def test_a_mirror_folder_without_the_text_is_passed_over(home, server, monkeypatch, content):
    (home / "mirror").mkdir()
    if content:
        put(home / "mirror/dinos.txt", content)
    monkeypatch.setenv("KERASGEN_MIRROR", str(home / "mirror"))
    put(home / "cache/dinos.txt")
    check_is_read()


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_mirror_address_comes_before_the_corpus_own(home, server, monkeypatch, slash):
    server.answers["/mirror/dinos.txt"] = (200, CONTENT, 0)
    monkeypatch.setenv("KERASGEN_MIRROR", f"{server.url}/mirror{slash}")
    check_is_read()
    check_is_read()
    assert server.asked == ["/mirror/dinos.txt"]
    assert left(home) == ["cache/dinos.txt"]


def test_a_mirror_address_that_fails_is_passed_over(home, server, monkeypatch):
    server.answers["/home/dinos.txt"] = (200, CONTENT, 0)
    monkeypatch.setenv("KERASGEN_MIRROR", f"{server.url}/mirror")
    check_is_read()
    assert server.asked == ["/mirror/dinos.txt", "/home/dinos.txt"]


def test_a_mirror_elsewhere_must_be_https(home, monkeypatch):
    monkeypatch.setenv("KERASGEN_MIRROR", "http://mirror.invalid/x")
    with pytest.raises(FailedError, match="only https"):
        corpora.read("dinos", default="dinos")


def test_a_wrong_file_in_the_cache_is_replaced(home, server):
    put(home / "cache/dinos.txt", CONTENT[:-1])
    server.answers["/home/dinos.txt"] = (200, CONTENT, 0)
    check_is_read()
    assert (home / "cache/dinos.txt").read_bytes() == CONTENT
    assert left(home) == ["cache/dinos.txt"]


def redirect(address):
    return (302, b"over there", 0, ("Location", address))


FAILURES = {
    "wrong sha256": (200, CONTENT + b"!", 0),
    "broke off": (200, CONTENT, 1000),
    "404": (404, b"not here", 0),
    "503": (503, CONTENT, 0),
    "more than 16777216 bytes": (200, bytes(17_000_000), 0),
    "is packed": (200, gzip.compress(CONTENT), 0, ("Content-Encoding", "gzip")),
    "http://mirror.invalid: only https": redirect("http://mirror.invalid/dinos.txt"),
    "file://: only https": redirect("file:///etc/passwd"),
    "ftp://mirror.invalid: only https": redirect("ftp://mirror.invalid/dinos.txt"),
    "more than 5 redirects": redirect("/home/dinos.txt"),
    "read in more than one way": redirect("http://127.0.0.2:80\\@127.0.0.1/dinos.txt"),
    "127.0.0.1: an address that": redirect("http://127.0.0.2@127.0.0.1/dinos.txt"),
}
DRIPS = {
    "body": [b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"x"],
    "header": [b"HTTP/1.1 200 OK\r\nX: ", b"x"],
    "continue": [b"HTTP/1.1 100 Continue\r\n\r\n"],
    "silence": [b""],
}


@pytest.mark.parametrize("words", FAILURES)
def test_a_failed_download_of_a_named_corpus_is_one_clear_line(home, server, words):
    server.answers["/home/dinos.txt"] = FAILURES[words]
    with pytest.raises(FailedError, match=words) as caught:
        corpora.read("dinos", default="dinos")
    assert "'dinos' can't be had" in str(caught.value) and "\n" not in str(caught.value)
    assert server.asked == ["/home/dinos.txt"] * (6 if "redirects" in words else 1)
    assert left(home) == []


@pytest.mark.parametrize("what", DRIPS)
def test_a_server_that_never_ends_is_left_in_time(home, monkeypatch, what):
    monkeypatch.setattr(known, "_SECONDS", 1.0)
    done, threads = threading.Event(), threading.active_count()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(4096)
            with contextlib.suppress(OSError):
                for piece in itertools.chain(DRIPS[what], itertools.repeat(DRIPS[what][-1])):
                    if done.wait(0.05):
                        return
                    self.request.sendall(piece)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        corpus = known.KnownCorpus(f"http://127.0.0.1:{running.server_address[1]}/x", "", "data/genera.txt")
        monkeypatch.setattr(known, "KNOWN", {"dinos": corpus})
        monkeypatch.setattr(corpora, "KNOWN", known.KNOWN)
        began = time.monotonic()
        with pytest.raises(FailedError, match="not all came within 1 s"):
            corpora.read("dinos", default="dinos")
        assert time.monotonic() - began < 4
        done.set()
        running.shutdown()
        thread.join()
    for _ in range(100):  # the thread that waited has ended, too
        if threading.active_count() <= threads:
            break
        time.sleep(0.1)
    assert threading.active_count() <= threads


@pytest.mark.parametrize("words", FAILURES)
def test_what_was_kept_is_never_replaced_by_less(home, server, words):
    """A good text in the cache is not asked for again; a bad one stays until there is a good one."""
    put(home / "cache/dinos.txt")
    server.answers["/home/dinos.txt"] = FAILURES[words]
    check_is_read()
    assert server.asked == [] and (home / "cache/dinos.txt").read_bytes() == CONTENT
    put(home / "cache/dinos.txt", CONTENT[:-1])
    with pytest.raises(FailedError):
        corpora.read("dinos", default="dinos")
    assert (home / "cache/dinos.txt").read_bytes() == CONTENT[:-1]


def test_a_redirect_within_the_rules_is_followed(home, server):
    server.answers["/home/dinos.txt"] = redirect("../elsewhere/dinos.txt")
    server.answers["/elsewhere/dinos.txt"] = (200, CONTENT, 0)
    check_is_read()
    assert server.asked == ["/home/dinos.txt", "/elsewhere/dinos.txt"]


def test_https_never_goes_on_as_http(home, server, monkeypatch):
    """Not even to this machine, where plain http would do otherwise."""
    import requests

    asked, get = [], requests.get

    def pretend(url, **settings):  # there is no certificate for an https server in a test
        asked.append(url)
        return get(url.replace("https://", "http://"), **settings)

    monkeypatch.setattr(requests, "get", pretend)
    server.answers["/home/dinos.txt"] = redirect(f"{server.url}/elsewhere/dinos.txt")
    server.answers["/elsewhere/dinos.txt"] = (200, CONTENT, 0)
    secure = known.KnownCorpus(
        corpora.KNOWN["dinos"].url.replace("http:", "https:"), sha256(CONTENT), "data/genera.txt"
    )
    monkeypatch.setitem(corpora.KNOWN, "dinos", secure)
    with pytest.raises(FailedError, match="only https"):
        corpora.read("dinos", default="dinos")
    assert asked == [secure.url] and left(home) == []


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")
@pytest.mark.parametrize("target", [b"precious", None], ids=["file", "nothing"])
def test_a_link_in_the_cache_is_not_followed_to_write(home, server, target):
    precious, cached = home / "precious.txt", home / "cache" / "dinos.txt"
    if target:
        put(precious, target)
    cached.parent.mkdir()
    cached.symlink_to(precious)
    server.answers["/home/dinos.txt"] = (200, CONTENT, 0)
    check_is_read()
    assert not cached.is_symlink() and cached.read_bytes() == CONTENT
    assert (precious.read_bytes() if target else precious.exists()) == (target or False)


@pytest.mark.parametrize("address", ["https://[::1", "https://", "http://user:secret@mirror.invalid", "HTTP://x:y/"])
def test_a_mirror_that_is_no_address_is_one_clear_line_without_secrets(home, monkeypatch, address):
    monkeypatch.setenv("KERASGEN_MIRROR", address)
    with pytest.raises(FailedError, match="can't be had") as caught:
        corpora.read("dinos", default="dinos")
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["../README", "/etc/hostname", "..", "", "nothing", "genera.txt"])
def test_a_name_on_a_model_s_card_is_looked_up_and_never_made_a_path(name):
    assert corpora.at_hand(name) is None
    assert corpora.at_hand("genera").sha256 == sha256(GENERA.read_bytes())


def test_the_reason_is_told_for_long_addresses_too(home, server, monkeypatch):
    corpus = known.KnownCorpus(f"{server.url}/{'long/' * 30}dinos.txt", sha256(CONTENT), "data/genera.txt")
    monkeypatch.setitem(corpora.KNOWN, "dinos", corpus)
    with pytest.raises(FailedError, match="404"):
        corpora.read("dinos", default="dinos")


def test_nobody_listening_is_no_connection(home, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/dinos.txt"
        monkeypatch.setitem(corpora.KNOWN, "dinos", known.KnownCorpus(url, sha256(CONTENT), "data/genera.txt"))
        with pytest.raises(FailedError, match="no connection"):
            corpora.read("dinos", default="dinos")


@pytest.mark.parametrize("words", FAILURES)
def test_the_bundled_text_steps_in_where_none_is_named(home, server, words):
    server.answers["/home/dinos.txt"] = FAILURES[words]
    text = corpora.read(None, default="dinos")
    assert (text.name, text.text, text.sha256) == ("genera", GENERA.read_text(), sha256(GENERA.read_bytes()))
    assert (
        words in text.note
        and len(text.note) < 400
        and "going on with the bundled genera.txt" in text.note
        and "\n" not in text.note
    )
    assert left(home) == []


def test_a_cache_that_cannot_be_written_is_a_note(home, server, monkeypatch):
    put(home / "file", b"I am no folder")
    monkeypatch.setenv("KERASGEN_CACHE", str(home / "file" / "below"))
    server.answers["/home/dinos.txt"] = (200, CONTENT, 0)
    text = corpora.read("dinos", default="dinos")
    assert text.text == CONTENT.decode()
    assert "downloaded but can't be kept" in text.note and "\n" not in text.note
    assert left(home) == ["file"] and (home / "file").read_bytes() == b"I am no folder"


FULL_DISK = """
import os, resource
from kerasgen.text import corpora, known
corpora.KNOWN["dinos"] = known.KnownCorpus(os.environ["URL"], os.environ["SHA256"], "data/genera.txt")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
text = corpora.read(None, default="dinos")
print(text.name, len(text.text), text.note, sep="|")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_leaves_nothing_half_written(home, server):
    server.answers["/home/dinos.txt"] = (200, CONTENT, 0)
    environment = {
        "URL": f"{server.url}/home/dinos.txt", "SHA256": sha256(CONTENT), "TMPDIR": str(home / "tmp"),
        "KERASGEN_CACHE": str(home / "cache"), "NO_PROXY": "127.0.0.1", "PATH": "", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "" and done.stdout.startswith(f"dinos|{len(CONTENT)}|") and done.stdout.count("\n") == 1
    assert "can't be kept" in done.stdout and "File too large" in done.stdout
    assert server.asked == ["/home/dinos.txt"]
    assert left(home) == []


def test_the_real_corpora_are_pinned(mirror):
    for name, facts in {"dinos": (19_909, 27), "shakespeare": (94_275, 38)}.items():
        text = corpora.read(name, default="dinos")
        assert (text.name, text.sha256) == (name, corpora.KNOWN[name].sha256) and corpora.is_known(text)
        assert (len(text.text), len(set(text.text.lower()))) == facts
        assert corpora.KNOWN[name].url.startswith("https://") and corpora.KNOWN[name].file == f"{name}.txt"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b" \r\n\t\n", "is blank"),
        (b"rex\0zuul", "looks binary: byte 3 is NUL"),
        ("rex\nzuul".encode("utf-16"), "looks binary"),
        (b"rex\nzu\xe9l\n", r"byte 6 \(line 2\) is 0xe9"),
        (b"\xef\xbb\xbfre\xff\n", r"byte 5 \(line 1\) is 0xff"),
        (b"rex\n" + "é".encode()[:1], r"byte 4 \(line 2\) is 0xc3"),
        (b"rex\n\xed\xa0\x80", r"byte 4 \(line 2\) is 0xed"),  # a lone surrogate
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_used_says_why(tmp_path, content, words):
    path = put(tmp_path / "names.txt", content)
    with pytest.raises(BadInputError, match=words) as caught:
        corpora.read(str(path), default="dinos")
    assert str(path) in str(caught.value) and len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [b"rex\nzuul", b"rex\r\nzuul", b"rex\rzuul", b"\xef\xbb\xbfrex\nzuul", b"\xef\xbb\xbfrex\r\nzuul"],
    ids=["LF", "CRLF", "CR", "BOM", "BOM and CRLF"],
)  # fmt: skip
def test_line_ends_and_marks_of_other_systems_are_cleaned(tmp_path, content):
    path = put(tmp_path / "my towns.txt", content)
    assert corpora.read(str(path), default="dinos") == corpora.Text(
        "my towns", "rex\nzuul", sha256(content), source=corpora.place(str(path))
    )


def test_accents_are_composed_and_the_hash_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "towns.txt"
    path.write_bytes("Orle\u0301ans\nA\u030angstrom\nx\u0302\n".encode())  # as macOS writes file names and texts
    text = corpora.read(str(path), default="dinos")
    assert (text.text, text.sha256) == ("Orléans\nÅngstrom\nx\u0302\n", sha256(path.read_bytes()))
    assert corpora.of_text("names", "e\u0301").text == "é"


@pytest.mark.parametrize("name", ["genera", "pastiche"])
def test_a_bundled_text_is_known_by_any_name(name, tmp_path):
    path = tmp_path / "towns.txt"
    path.write_bytes(bundled(f"data/{name}.txt").read_bytes())
    assert corpora.is_known(corpora.read(str(path), default="dinos"))
    path.write_bytes(path.read_bytes() + b"rex\n")
    assert not corpora.is_known(corpora.read(str(path), default="dinos"))


def test_names_in_other_scripts_are_read(tmp_path):
    path = put(tmp_path / "names.txt", "Київ\n東京\n🦕\u0301\n".encode())
    assert corpora.read(str(path), default="dinos").text == "Київ\n東京\n🦕\u0301\n"


@pytest.mark.parametrize("data", ["nowhere.txt", "no/where.txt", "file/below.txt", "dinoz", "two\nlines", ""])
def test_a_missing_file_is_named(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "file")
    with pytest.raises((MissingFileError, BadInputError)) as caught:
        corpora.read(data, default="dinos")
    assert repr(data) in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_misspelled_corpus_gets_a_hint():
    with pytest.raises(FileNotFoundError, match="did you mean 'shakespeare'"):
        corpora.read("shakespear", default="dinos")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no /dev/zero here")
def test_a_device_that_never_ends_is_no_text():
    with pytest.raises(BadInputError, match="is a device"):
        corpora.read("/dev/zero", default="dinos")


def test_a_file_called_as_a_corpus_with_its_ending_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "dinos.txt", b"rex\nzuul")
    assert corpora.read("dinos.txt", default="dinos").text == "rex\nzuul"
