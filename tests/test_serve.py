"""``python -m kerasgen.serve``: real servers on this machine, asked by a real client."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import kerasgen
from tests.conftest import ROOT
from tests.support.browser import Watched, chromium
from tests.support.commands import call
from tests.support.server import serving

POET, DINO = (ROOT / "saved_models" / f"{name}.keras" for name in ("shakespeare", "dino"))
LONG = 10_000_000  # characters, which take minutes
TOKEN = "a-token-of-letters-and-signs"


@pytest.fixture(scope="module")
def poet():
    return kerasgen.load(POET)


@pytest.fixture(scope="module")
def dino():
    return kerasgen.load(DINO)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    limits = ["--streams", "8", "--waiting", "24", "--max-length", LONG, "--max-prompt", "500", "--max-body", "20000"]
    with serving(tmp_path_factory.mktemp("served"), "--model", POET, DINO, *limits) as running:
        yield running


@pytest.fixture
def ask(server):
    """Send a request; the answer."""

    def request(path, body=None, **options):
        method = "GET" if body is None and not options.keys() & {"data", "method"} else "POST"
        options.setdefault("timeout", 60)
        return requests.request(options.pop("method", method), server.address + path, json=body, **options)

    return request


def test_a_text_comes_as_python_streams_it(ask, poet):
    asked = dict(length=150, temperature=0.6, top_k=12, top_p=0.95, seed=7)
    answer = ask("/generate", {"prompt": "Et tu, Brute?", **asked})
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == "".join(poet.stream("Et tu, Brute?", **asked))
    assert (answer.headers["Kerasgen-Model"], answer.headers["Kerasgen-Seed"]) == ("shakespeare", "7")
    assert "Kerasgen-Note" not in answer.headers


def test_it_comes_piece_by_piece(ask, poet):
    with ask("/generate", {"length": 30_000, "prompt": "O "}, stream=True) as answer:
        pieces = answer.iter_content(None)
        first = next(pieces)
        assert len(first) < 10_000
        whole = first + b"".join(pieces)
    assert whole.decode().startswith("".join(poet.stream("O ", length=2000))) and len(whole.decode()) == 30_000


def test_many_at_once_are_each_what_python_writes_and_nothing_is_lost(ask, poet):
    many = [
        dict(prompt="Hell is empty" if n % 2 else "", length=40 + 10 * n, seed=n, temperature=n % 5 / 4, top_k=3 + n)
        for n in range(24)
    ]
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda asked: ask("/generate", asked), many))
    assert [answer.status_code for answer in answers] == [200] * 24
    assert [answer.text for answer in answers] == ["".join(poet.stream(**asked)) for asked in many]


def test_as_json_where_that_is_accepted(ask, poet):
    accepts = {"Accept": "application/json"}
    answer = ask("/generate", {"prompt": "to be", "length": 40}, headers=accepts)
    assert answer.json() == {"model": "shakespeare", "texts": ["".join(poet.stream("to be", length=40))], "seed": 0}
    answer = ask("/generate", {"prompt": "tö be", "length": 40, "seed": "random"}, headers=accepts).json()
    assert answer["texts"] == ["".join(poet.stream("to be", length=40, seed=answer["seed"]))]
    assert "'ö' as 'o'" in answer["note"]


def test_no_body_asks_for_what_the_command_writes_by_default(ask, poet):
    answer = ask("/generate", method="POST")
    assert answer.text == "".join(poet.stream())


def test_names_are_those_of_python(ask, dino):
    asked = dict(num_samples=20, prefix="tri", temperature=0.8, seed=3, max_length=12, unique=True, novel_only=True)
    names = dino.generate(**asked)
    answer = ask("/generate", {"model": "dino", **asked})
    assert answer.text == "".join(f"{name}\n" for name in names)
    answer = ask("/generate", {"model": "dino", **asked}, headers={"Accept": "application/json"})
    assert answer.json() == {"model": "dino", "texts": names, "seed": 3}
    shaped = dict(num_samples=3, pattern="[aeiou].*", ends_with="us", contains="o")
    assert ask("/generate", {"model": "dino", **shaped}).text.split() == dino.generate(**shaped)


def test_fewer_names_than_asked_for_come_with_the_reason(ask):
    asked = {"model": "dino", "num_samples": 2, "temperature": 0, "unique": True, "prefix": "Tri-"}
    answer = ask("/generate", asked, headers={"Accept": "application/json"})
    assert answer.status_code == 422 and "'-'" in answer.json()["error"]
    answer = ask("/generate", {**asked, "prefix": "trí"}, headers={"Accept": "application/json"}).json()
    assert len(answer["texts"]) == 1 and "'í' as 'i'" in answer["note"] and "only 1 of the 2" in answer["note"]


def test_scores_and_next_characters_are_those_of_python(ask, poet, dino):
    texts = ["To be or not to be", "xyz"]
    answer = ask("/score", {"text": texts, "each": True}).json()
    for text, found in zip(texts, answer["scores"], strict=True):
        score = poet.score(text)
        assert found["each"] == pytest.approx(score.each.tolist(), rel=1e-4)
        assert (found["nats"], found["bits_per_char"]) == pytest.approx((score.nats, score.bits_per_char), rel=1e-4)
        assert found["chars"] == len(text)
    (found,) = ask("/score", {"model": "dino", "text": "rex"}).json()["scores"]
    assert found["nats"] == pytest.approx(dino.score("rex").nats, rel=1e-4) and "each" not in found
    answer = ask("/next", {"text": "To b", "top": 4}).json()["next"]
    expected = [*poet.next_probabilities("to b").items()][:4]
    assert [one["char"] for one in answer] == [char for char, _ in expected]
    assert [one["probability"] for one in answer] == pytest.approx([p for _, p in expected], rel=1e-4)


def test_the_models_are_listed(ask):
    first, second = ask("/models").json()
    assert (first["name"], first["writes"], first["learned_from"]) == ("shakespeare", "a text", "shakespeare")
    assert (second["name"], second["writes"], second["parameters"]) == ("dino", "names", 7643)
    assert ask("/health").json() == {"status": "ok", "texts": 0}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/generate", {"lenght": 3}, 422, "unknown setting 'lenght'; did you mean 'length'?"),
        ("/generate", {"length": "x"}, 422, "length must be a whole number; received 'x'"),
        ("/generate", {"length": 0}, 422, "length must be at least 1; received 0"),
        ("/generate", {"length": LONG + 1}, 422, "length must be at most 10,000,000 characters on this server"),
        ("/generate", {"prompt": "a" * 501}, 422, "prompt must be at most 500 characters on this server"),
        ("/generate", {"temperature": -1}, 422, "temperature must be zero (greedy) or a positive number; received -1"),
        ("/generate", {"temperature": True}, 422, "temperature must be a number; received True"),
        ("/generate", {"top_k": 0}, 422, "top_k must be at least 1; received 0"),
        ("/generate", {"top_p": 1.5}, 422, "top_p must be above 0 and at most 1; received 1.5"),
        ("/generate", {"seed": 2**32}, 422, "seed must be between 0 and 4294967295; received 4294967296"),
        ("/generate", {"seed": 10**30}, 422, "seed must be at most 10"),
        ("/generate", {"prompt": "a\ud800", "on_unknown": "error"}, 422, r"received '\ud800'"),
        ("/generate", {"on_unknown": "guess"}, 422, "on_unknown must be one of error, twin, skip, replace"),
        ("/generate", {"prefix": "a"}, 422, "prefix has no effect here, as shakespeare writes a text"),
        ("/generate", {"model": "dino", "prompt": "a"}, 422, "prompt has no effect here, as dino writes names"),
        ("/generate", {"model": "dino", "num_samples": 1001}, 422, "num_samples must be at most 1,000 names"),
        ("/generate", {"model": "dino", "num_samples": 0}, 422, "num_samples must be at least 1; received 0"),
        ("/generate", {"model": "dino", "pattern": "["}, 422, "pattern"),
        ("/generate", {"model": "dino", "max_length": LONG + 1}, 422, "max_length must be at most"),
        ("/generate", {"model": "dno"}, 422, "model must be one of shakespeare, dino; received 'dno'; did you mean"),
        ("/generate", [1], 422, "the body must be a JSON object; received [1]"),
        ("/score", {"text": ""}, 422, "a text to score must have at least one character"),
        ("/score", {}, 422, "text must be a text or a list of texts; received None"),
        ("/score", {"text": [1]}, 422, "text must be a text or a list of texts; received [1]"),
        ("/score", {"text": ["a" * 300] * 2}, 422, "text must be at most 500 characters in all"),
        ("/next", {"top": 0}, 422, "top must be at least 1; received 0"),
        ("/generate", {"prompt": "a" * 20_000}, 413, "the body must be at most 20,000 bytes"),
    ],
)
def test_bad_input_is_one_line_in_the_words_of_the_commands(ask, path, body, status, words):
    answer = ask(path, body)
    assert answer.status_code == status and [*answer.json()] == ["error"]
    assert words in answer.json()["error"] and "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        ("{", 400, "the body must be JSON; it is not"),
        ("[" * 15_000, 400, "the body must be JSON; it is not"),
        ('{"temperature": NaN}', 400, "NaN is no number of JSON"),
        ('{"seed": 1' + "0" * 5000 + "}", 400, "the body must be JSON; it is not"),
        (b"\xff\xfe\xfa", 400, "the body must be JSON; it is not"),
    ],
)
def test_what_is_no_json_is_one_line(ask, data, status, words):
    answer = ask("/generate", data=data, headers={"Content-Type": "application/json"})
    assert answer.status_code == status and words in answer.json()["error"]


def test_other_types_pages_and_methods_are_one_line(ask):
    answer = ask("/generate", data="{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415 and "application/json; received 'text/plain'" in answer.json()["error"]
    assert (ask("/elsewhere").status_code, ask("/generate").status_code) == (404, 405)
    assert "use POST" in ask("/generate").json()["error"] and ask("/generate").headers["Allow"] == "POST"
    chunks = (b" " * 9000 for _ in range(3))  # no length is given
    answer = ask("/generate", data=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_pages_of_elsewhere_are_refused_by_their_host_and_origin(ask, server):
    port = server.address.rpartition(":")[2]
    for host in ("localhost", f"127.0.0.1:{port}", f"LOCALHOST:{port}", "[::1]:9", "127.1.2.3"):
        assert ask("/health", headers={"Host": host}).status_code == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "8.8.8.8", "[", "a@b"):
        answer = ask("/generate", {"length": 1}, headers={"Host": host})
        assert answer.status_code == 403 and "Host must be" in answer.json()["error"]
    assert ask("/models", headers={"Origin": server.address}).status_code == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"https://127.0.0.1:{port}"):
        answer = ask("/models", headers={"Origin": origin})
        assert answer.status_code == 403 and "Origin must be" in answer.json()["error"]
    for path in ("/", "/models", "/elsewhere"):
        headers = ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert not [name for name in headers if name.lower().startswith("access-control")]


def settled(ask, texts=0):
    """Wait until so many texts are left."""
    deadline = time.monotonic() + 60
    while ask("/health").json()["texts"] != texts:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_goes_away_frees_the_slot_and_whoever_is_too_many_is_told_to_come_back(ask):
    with ThreadPoolExecutor(40) as pool:
        open_streams = [
            pool.submit(ask, "/generate", {"length": LONG, "seed": n}, stream=True, timeout=60) for n in range(8)
        ]
        begun = [one.result() for one in open_streams]
        pieces = [answer.iter_content(16) for answer in begun]  # an iterator that is dropped closes its connection
        assert [len(next(each)) for each in pieces] == [16] * 8
        left = threading.Event()

        def waits(n):
            answer = ask("/generate", {"length": 30, "seed": n})
            assert left.is_set()  # there was no slot before
            return answer

        waiting = [pool.submit(waits, n) for n in range(24)]
        settled(ask, 32)
        refused = ask("/generate", {"length": 5})
        assert refused.status_code == 503 and refused.headers["Retry-After"] == "1"
        assert refused.json() == {"error": "32 requests are being answered already"}
        left.set()
        for answer in begun:
            answer.close()
        assert [len(one.result().text) for one in waiting] == [30] * 24
    settled(ask)


def test_names_that_nobody_waits_for_hold_up_no_others(ask, dino):
    endless = {"model": "dino", "num_samples": 1000, "pattern": "[xq].*zz.*[xq]", "novel_only": True}
    with pytest.raises(requests.Timeout):
        ask("/generate", endless, timeout=1)
    answer = ask("/generate", {"model": "dino", "num_samples": 2, "seed": 4})
    assert answer.text.split() == dino.generate(2, seed=4)


def test_one_connection_bears_many_requests(server, poet):
    with requests.Session() as session:
        for n in range(3):
            body = {"prompt": "a", "length": 30, "seed": n}
            answer = session.post(f"{server.address}/generate", json=body, timeout=60)
            assert answer.text == "".join(poet.stream("a", length=30, seed=n))
            assert session.get(f"{server.address}/elsewhere", timeout=60).status_code == 404


def test_the_page_needs_nothing_from_elsewhere_and_tries_what_it_describes(server, poet):
    with chromium() as browser:
        watched = Watched(browser, viewport={"width": 360, "height": 800})
        watched.page.goto(server.address)
        assert watched.page.locator("h2").all_inner_texts() == [
            "POST /generate", "POST /score", "POST /next", "GET /models", "GET /health",
        ]  # fmt: skip
        box = watched.page.get_by_label("JSON").first
        box.fill('{"prompt": "to be", "length": 90}')
        box.press("Tab")
        watched.page.keyboard.press("Enter")
        text = "".join(poet.stream("to be", length=90))
        watched.page.get_by_role("status").first.filter(has_text=text[-20:].split("\n")[-1]).wait_for()
        assert watched.page.get_by_role("status").first.evaluate("it => it.textContent") == text
        assert watched.evaluate("document.documentElement.scrollWidth <= 360")
        assert watched.troubles == []
        assert {url.removeprefix(server.address) for url in watched.requests} <= {"/", "/generate", "data:,"}


def test_what_the_page_of_the_docs_shows_works(server, poet):
    shown = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8").replace("http://127.0.0.1:8000", server.address)
    text = "".join(poet.stream("Et tu, Brute?", seed=7))
    if shutil.which("curl"):
        lines = re.findall("^curl .*$", shown, re.M)
        found = [subprocess.run(shlex.split(line), capture_output=True, timeout=60).stdout.decode() for line in lines]
        assert found[0] == text and [*map(len, (json.loads(found[1])["scores"], json.loads(found[2])["next"]))] == [
            2,
            3,
        ]
    (client,) = re.findall(r"^```js\n(.*?)^```$", shown, re.M | re.S)
    with chromium() as browser:
        watched = Watched(browser)
        watched.page.goto(server.address)
        assert watched.evaluate(f"(async () => {{ {client}; return poem; }})()") == text[:200]


def test_the_image_s_health_check_tells_whether_it_answers(server):
    (health,) = re.findall(r'CMD \["python", "-c", "(.*)"\]', (ROOT / ".docker" / "Dockerfile").read_text())
    for address, code in ((server.address, 0), ("http://127.0.0.1:1", 1)):
        words = [sys.executable, "-c", health.replace("http://127.0.0.1:8000", address)]
        assert subprocess.run(words, timeout=60, stderr=subprocess.DEVNULL).returncode == code


def test_openapi_describes_what_is_there(ask):
    document = ask("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method in methods:
            assert ask(path, {} if method == "post" else None).status_code in (200, 422)


def test_a_port_that_is_taken_is_one_line(tmp_path, server):
    port = server.address.rpartition(":")[2]
    error = call(tmp_path, "serve", "--port", port, code=1).stderr
    assert f"127.0.0.1 port {port} can't be listened on" in error and len(error.splitlines()) == 1


def test_a_signal_lets_begun_answers_be_finished(server, ask, poet):
    """The last one of this server."""
    with ask("/generate", {"length": 30_000, "seed": 5}, stream=True) as answer:
        pieces = answer.iter_content(None)
        first = next(pieces)
        server.process.send_signal(signal.SIGTERM)
        text = (first + b"".join(pieces)).decode()
    assert len(text) == 30_000 and text.startswith("".join(poet.stream(length=3000, seed=5)))
    server.process.wait(60)
    said = server.process.stderr.read().splitlines()
    assert server.process.returncode == 143 and said[-1] == "kerasgen: stopped; no answer was cut off"
    assert [line for line in said if "error" in line] == []


def test_others_must_bring_the_token_and_ctrl_c_is_one_line(tmp_path):
    (tmp_path / "token.txt").write_text(f"{TOKEN}\n")
    with serving(tmp_path, "--model", DINO, "--host", "0.0.0.0", "--token-file", "token.txt", "--quiet") as running:
        address = running.address.replace("0.0.0.0", "127.0.0.1")
        right = {"Authorization": f"Bearer {TOKEN}"}
        body = {"num_samples": 2, "prefix": "tri"}
        for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}):
            answer = requests.post(f"{address}/generate", json=body, headers=wrong, timeout=60)
            assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
            assert requests.get(f"{address}/models", headers=wrong, timeout=60).status_code == 401
        elsewhere = {**right, "Host": "poems.example", "Origin": "https://poems.example"}  # a proxy stands before it
        answer = requests.post(f"{address}/generate", json=body, headers=elsewhere, timeout=60)
        assert answer.status_code == 200 and len(re.findall("^tri", answer.text, re.M)) == 2
        assert requests.get(f"{address}/health", timeout=60).status_code == 200
        assert requests.get(f"{address}/openapi.json", timeout=60).json()["security"] == [{"token": []}]
        assert running.stop(signal.SIGINT) == (130, "kerasgen: stopped; no answer was cut off\n")


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (["--host", "0.0.0.0"], {}, "others can reach 0.0.0.0, so a token is needed"),
        (["--host", "nowhere.invalid"], {}, "--host must be an address of this machine; received 'nowhere.invalid'"),
        (["--token-file", "none.txt"], {}, "--token-file must name a file; there is no 'none.txt'"),
        ([], {"KERASGEN_TOKEN": "short"}, "KERASGEN_TOKEN must have a token of at least 16"),
        ([], {"KERASGEN_TOKEN": "sixteen letters with blanks"}, "KERASGEN_TOKEN must have a token"),
        (["--model", "none.keras"], {}, "there is no 'none.keras'"),
        (["--model", DINO, "copy/dino.keras"], {}, "two are called 'dino'"),
        (["--streams", "257"], {}, "--streams must be between 1 and 256; received 257"),
        (["--seconds", "0"], {}, "--seconds must be between 1 and 86400"),
        (["--port", "99999"], {}, "--port must be between 0 and 65535"),
        (["--device", "npu"], {}, "--device must be one of"),
        (["--prot", "1"], {}, "did you mean '--port'"),
    ],
)
def test_wrong_use_is_one_line_before_anything_slow(tmp_path, arguments, env, words):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "dino.keras").write_bytes(DINO.read_bytes())
    error = call(tmp_path, "serve", *arguments, code=2, **{"KERASGEN_TOKEN": "", **env}).stderr
    assert words in error and len(error.splitlines()) == 1


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    from kerasgen import serve

    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    error = call(tmp_path, "serve", code=1).stderr
    assert error == "kerasgen: error: a server needs starlette and uvicorn; pip install 'kerasgen[serve]'\n"
