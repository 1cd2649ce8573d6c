"""The shipped model of prose: small, honest about its score, and no copyist."""

import numpy as np
import pytest

import kerasgen
from kerasgen.base.flags import parse
from kerasgen.metrics.novelty import copying
from kerasgen.modelfile import store
from kerasgen.tasks.settings import ProseSettings
from tests.conftest import ROOT
from tests.support.commands import call

FILE = ROOT / "saved_models" / "shakespeare.keras"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="saved_models/shakespeare.keras is not here yet")


@pytest.fixture(scope="module")
def poet():
    return kerasgen.load(FILE)


@pytest.fixture(scope="module")
def sonnets(mirror):
    return (mirror / "shakespeare.txt").read_text(encoding="utf-8").lower()


def test_it_is_small_and_its_card_is_complete():
    assert FILE.stat().st_size <= 4 * 2**20
    card = store.read(FILE).card
    assert card["kind"] == "prose" and card["data"]["name"] == "shakespeare"
    assert card["data"]["sha256"] == "1b454b67b44e6f367c83a17ed295c46c5d4a1173cf5d09161882af4041bae023"
    assert card["scores"]["part"] == "held out" and card["scores"]["characters"] == 9_428
    assert {"python", "tensorflow", "keras", "numpy"} <= set(card["versions"])
    assert card["config"]["seed"] is not None and card["training"]["seconds"] > 0


def test_its_held_out_score_is_what_the_card_says(poet, sonnets):
    score = poet.score(sonnets[int(len(sonnets) * 0.9) :])
    assert score.chars == poet.card["scores"]["characters"] == 9_428
    assert score.bits_per_char == pytest.approx(poet.card["scores"]["bits_per_char"], abs=1e-4)
    assert score.bits_per_char <= 2.30
    assert poet.card["scores"]["ngram_bits_per_char"] == pytest.approx(2.483, abs=1e-3)


def test_it_writes_words_and_lines_and_copies_no_long_span(poet, sonnets):
    settings = parse(ProseSettings, "x", "a\n\nb", "configs/shakespeare.toml", [])
    text = "".join(poet.stream("\n\n", length=10_000, temperature=settings.temperature, seed=0))
    found = copying(text, sonnets)
    assert len(found.longest) <= 40, found.longest
    assert found.words >= 0.85
    lines = [line for line in text.split("\n") if line.strip()]
    assert 20 <= np.mean([len(line) for line in lines]) <= 60


def test_it_answers_from_any_folder(tmp_path):
    done = call(tmp_path, "shakespeare", "--prompt", "Et tu, Brute?", "--length", 100)
    assert done.stdout.startswith("Et tu, Brute?") and len(done.stdout) == 13 + 100 + 1
    assert "generating with" in done.stderr and "shakespeare.keras" in done.stderr
