"""``python -m kerasgen.playground``: one page, for browsers on this machine; tests/page/ looks at it in one."""

import http.client
import shutil
import threading
from types import SimpleNamespace

import pytest

from kerasgen import playground
from kerasgen.base.files import bundled
from tests.conftest import ROOT
from tests.support.commands import call

DINO = ROOT / "saved_models" / "dino.keras"


@pytest.fixture(scope="module")
def server():
    with playground.Server(b"<p>the page</p>", 0) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join(30)


@pytest.fixture
def ask(server):
    """Ask the server for something: the answer with its body."""

    def request(method="GET", path="/", host="127.0.0.1:{}", **headers):
        headers = {name: value.format(server.server_port) for name, value in {"Host": host, **headers}.items()}
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        connection.request(method, path, headers=headers)
        with connection.getresponse() as answer:
            found = SimpleNamespace(status=answer.status, headers=answer.headers, body=answer.read())
        connection.close()
        return found

    return request


def test_a_browser_on_this_machine_gets_the_page_and_may_not_keep_or_share_it(ask):
    for host in ("127.0.0.1:{}", "localhost:{}", "LOCALHOST:{}"):
        found = ask(host=host)
        assert (found.status, found.body) == (200, b"<p>the page</p>")
    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    assert found.headers["X-Content-Type-Options"] == "nosniff" and found.headers["X-Frame-Options"] == "DENY"
    assert found.headers["Cache-Control"] == "no-store"
    assert not [name for name in found.headers if name.startswith("Access-Control")]
    assert "Python" not in found.headers["Server"]
    head = ask("HEAD", "/?from=elsewhere")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "15")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{}", "127.0.0.1", "127.0.0.1.evil.example:{}", ""])
def test_a_name_of_elsewhere_that_leads_here_is_refused(ask, host):
    found = ask(host=host)
    assert (found.status, found.body) == (403, b"Forbidden\n")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{}", "http://127.0.0.1:1"])
def test_a_script_of_elsewhere_is_refused(ask, origin):
    assert ask(Origin=origin).status == 403
    assert ask(Origin="http://127.0.0.1:{}").status == 200


@pytest.mark.parametrize("path", ["/saved_models/", "/../pyproject.toml", "//x/", "/index.html", "/%2e%2e/"])
def test_there_is_nothing_else(ask, path):
    found = ask(path=path)
    assert (found.status, found.body) == (404, b"Not Found\n")


def test_nothing_can_be_sent(ask):
    assert ask("POST").status == ask("PUT").status == ask("OPTIONS").status == 501


@pytest.fixture
def pressed(monkeypatch):
    """Ctrl-C as soon as it serves; what a browser was opened with."""
    opened = []

    def press(server):
        raise KeyboardInterrupt

    monkeypatch.setattr(playground.Server, "serve_forever", press)
    monkeypatch.setattr(playground.webbrowser, "open", opened.append)
    return opened


def test_it_opens_a_browser_where_there_is_a_screen(pressed, tmp_path):
    screens = dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"), "")
    done = call(tmp_path, "playground", code=130, **screens)
    address = done.stdout.split()[0]
    assert done.stdout == f"{address} plays with dino, shakespeare; Ctrl-C ends it\n"
    assert done.stderr == "kerasgen: the playground is closed\n"
    assert pressed == [] or playground.sys.platform in ("darwin", "win32")
    pressed.clear()
    done = call(tmp_path, "playground", DINO, code=130, **{**screens, "DISPLAY": ":0"})
    assert pressed == [done.stdout.split()[0]] and " plays with dino;" in done.stdout
    call(tmp_path, "playground", "--no-browser", DINO, code=130, DISPLAY=":0")
    assert len(pressed) == 1


def test_all_models_that_are_there_are_played_with_and_damaged_ones_left_out(pressed, tmp_path):
    folder = tmp_path / "saved_models"
    folder.mkdir()
    shutil.copy(DINO, folder / "my-towns.keras")
    (folder / "damaged.keras").write_bytes(b"PK")
    (folder / ".my-towns-0a1b2c3d.keras").touch()
    done = call(tmp_path, "playground", "--no-browser", code=130)
    assert " plays with dino, shakespeare, my-towns;" in done.stdout
    told = done.stderr.splitlines()
    assert len(told) == 2 and "damaged.keras' is" in told[0] and told[0].endswith("; it is left out")


def test_a_model_of_ours_is_played_with_once(pressed, tmp_path):
    done = call(ROOT, "playground", "--no-browser", code=130)
    assert done.stdout.count("dino") - done.stdout.count("my-dino") == 1 and bundled("saved_models").is_dir()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--port", "70000"], 2, "--port must be between 0 and 65535; received 70000"),
        (["--port", "many"], 2, "invalid int value: 'many'"),
        (["--share"], 2, "unrecognized arguments: --share"),
        (["missing.keras"], 2, "there is no 'missing.keras'"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, arguments, code, told):
    done = call(tmp_path, "playground", *arguments, code=code)
    assert told in done.stderr and done.stderr.count("\n") == 1 and not done.stdout


def test_a_port_that_is_taken_is_one_line(server, tmp_path):
    done = call(tmp_path, "playground", DINO, "--port", server.server_port, code=1)
    assert f"port {server.server_port} can't be listened on (Address already in use)" in done.stderr
    assert "--port" in done.stderr and done.stderr.count("\n") == 1
