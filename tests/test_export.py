"""``python -m kerasgen.export``: one page with models inside, which needs nothing from elsewhere."""

import base64
import hashlib
import html.parser
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import store
from kerasgen.models.names import NameRNN
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT
from tests.support import pages
from tests.support.commands import call

DINO, POET = (ROOT / "saved_models" / f"{name}.keras" for name in ("dino", "shakespeare"))


class Page(html.parser.HTMLParser):
    """A page as a browser reads it: the texts of its scripts and styles, and the addresses that it names."""

    def __init__(self, text):
        super().__init__()
        self.parts, self.addresses, self.policy, self.inside = [], [], "", False
        self.feed(text)

    def handle_starttag(self, tag, given):
        """Take a tag."""
        given = dict(given)
        self.addresses += [given[name] for name in ("src", "href", "action") if name in given]
        self.policy = given["content"] if given.get("http-equiv") == "Content-Security-Policy" else self.policy
        self.inside = tag in ("script", "style")
        if self.inside:
            self.parts.append([tag, given.get("id"), given.get("type"), ""])

    def handle_endtag(self, tag):
        """Take an end."""
        self.inside = False

    def handle_data(self, data):
        """Take a text."""
        if self.inside:
            self.parts[-1][3] += data

    def __getitem__(self, name):
        return next(text for _, found, _, text in self.parts if found == name)


def test_a_page_holds_its_models_and_names_no_address(tmp_path):
    done = call(tmp_path, "export", DINO, POET, "--format", "html", "--output", "play.html")
    text = (tmp_path / "play.html").read_text(encoding="utf-8")
    assert done.stdout.startswith("play.html: dino, shakespeare, 2.") and not done.stderr
    page = Page(text)
    assert page.addresses == ["data:,"] and "http:" not in text and "https:" not in text
    plans = json.loads(page["plans"])
    assert [plan["name"] for plan in plans] == ["dino", "shakespeare"]
    for number, path in enumerate((DINO, POET)):
        found = np.frombuffer(base64.b64decode(page[f"weights-{number}"]), "<f4")
        assert len(found) == store.read(path).blueprint.parameters
        np.testing.assert_array_equal(found[-len(plans[number]["chars"]) :], store.arrays(store.read(path))[0][-1])


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(tmp_path):
    call(tmp_path, "export", DINO, "--format", "html")
    page = Page((tmp_path / "dino.html").read_text(encoding="utf-8"))
    rules = dict(rule.split(" ", 1) for rule in page.policy.split("; "))
    run = {tag: text for tag, _, kind, text in page.parts if kind is None}
    assert set(run) == {"script", "style"}
    for tag, text in run.items():
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert rules.pop("worker-src") == "blob:" and rules.pop("img-src") == "data:"
    assert set(rules.values()) == {"'none'"} and {"default-src", "base-uri", "form-action"} <= set(rules)


@pytest.fixture
def hostile(tmp_path):
    """A model whose name and vocabulary would end the page's script, if they could."""
    vocab = CharVocab.from_text("\n</script>-!&\"'")
    card = {"kind": "names", "stop": "\n", "config": {}, "data": {"name": "</script><script>alert(1)</script>\u202e"}}
    path = tmp_path / "<!--<script>&quot;.keras"
    store.save(path, NameRNN(len(vocab), 3), vocab, card, KnownTexts())
    return path


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_hostile_model_stays_data(hostile, tmp_path):
    call(tmp_path, "export", DINO, "--format", "html")
    call(tmp_path, "export", hostile, "--format", "html", "--output", "hostile.html")
    tags = [
        [part[:3] for part in Page((tmp_path / name).read_text(encoding="utf-8")).parts]
        for name in ("dino.html", "hostile.html")
    ]
    assert tags[0] == tags[1]
    text = (tmp_path / "hostile.html").read_text(encoding="utf-8")
    (plan,) = json.loads(Page(text)["plans"])
    assert plan["name"] == hostile.stem and "alert(1)</script>\\u202e" in plan["about"] and "<" in plan["chars"]
    assert not re.search(r"alert\(1\)</", text)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "required: MODEL"),
        ([DINO], "required: --format"),
        ([DINO, "--format", "pickle"], "invalid choice: 'pickle'"),
        ([DINO, POET, "--format", "onnx"], "takes one model; received 2"),
        ([DINO, "--format", "onnx", "--output", "a.keras"], "a file that ends in .onnx"),
        ([DINO, "--format", "saved_model", "--output", "a.pb"], "a folder, without a suffix"),
        (["missing.keras", "--format", "html"], "there is no 'missing.keras'"),
        ([__file__, "--format", "html"], "is no .keras file"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, arguments, told):
    done = call(tmp_path, "export", *arguments, code=2)
    assert told in done.stderr and done.stderr.count("\n") == 1 and not done.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    done = call(tmp_path, "export", DINO, "--format", "html", "--output", "file/play.html", code=1)
    assert "file/play.html can't be written" in done.stderr and done.stderr.count("\n") == 1


EXPORTS = {
    "tensorflow": ("saved_model", "poet"),
    "onnxruntime": ("onnx", "poet.onnx"),
    "ai_edge_litert": ("litert", "poet.tflite"),
}
CLIENTS = [block for block in pages.blocks() if block.page == "docs/export.md" and block.language == "python"]


@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_the_clients_of_the_page_write_as_kerasgen_does(client, tmp_path):
    runtime = next(name for name in EXPORTS if f"import {name}" in client.text or f"from {name}" in client.text)
    pytest.importorskip(runtime)
    format, output = EXPORTS[runtime]
    if format == "onnx":
        pytest.importorskip("tf2onnx")
    done = call(tmp_path, "export", POET, "--format", format, "--output", output)
    assert done.stdout.startswith(f"{output}: shakespeare, ") and not done.stderr
    (tmp_path / "client.py").write_text(client.text + "\nimport sys\n\nassert 'kerasgen' not in sys.modules\n")
    wrote = subprocess.run([sys.executable, "client.py"], cwd=tmp_path, capture_output=True, text=True)
    assert wrote.returncode == 0, wrote.stderr
    words = ["--temperature", "0.8", "--seed", "7"] if runtime == "tensorflow" else ["--temperature", "0"]
    prompt = "Shall I " if runtime == "tensorflow" else "shall i "
    text = call(tmp_path, "shakespeare", prompt, *words, "--length", "60", "--quiet", "--model", POET).stdout
    assert wrote.stdout == (text.removeprefix(prompt) if runtime == "tensorflow" else text)
    assert len(client.text.splitlines()) <= 30
