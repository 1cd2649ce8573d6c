"""The shipped model of prose: small, honest about its score, and no copyist."""

import numpy as np
import pytest

import kerasgen
from kerasgen.base import settings as config
from kerasgen.metrics.novelty import copying
from kerasgen.modelfile import store
from kerasgen.tasks.prose import ShakespeareConfig
from tests.conftest import ROOT
from tests.support.poems import logits_in_plain_keras

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
    score = kerasgen.score(poet, sonnets[int(len(sonnets) * 0.9) :])
    assert score.chars == poet.card["scores"]["characters"] == 9_428
    assert score.bits_per_char == pytest.approx(poet.card["scores"]["bits_per_char"], abs=1e-4)
    assert score.bits_per_char <= 2.30
    assert poet.card["scores"]["ngram_bits_per_char"] == pytest.approx(2.483, abs=1e-3)


def test_it_writes_words_and_lines_and_copies_no_long_span(poet, sonnets):
    settings = config.parse(ShakespeareConfig, "x", "a\n\nb", "configs/shakespeare.toml", [])
    text = "".join(poet.stream("\n\n", length=10_000, temperature=settings.temperature, seed=0))
    found = copying(text, sonnets)
    assert len(found.longest) <= 40, found.longest
    assert found.words >= 0.85
    lines = [line for line in text.split("\n") if line.strip()]
    assert 20 <= np.mean([len(line) for line in lines]) <= 60


def test_plain_keras_loads_it_and_gives_the_same_logits(tmp_path):
    ids = np.random.RandomState(0).randint(0, 38, (2, 40))
    ours = store.load(store.read(FILE))
    np.testing.assert_allclose(logits_in_plain_keras(FILE, ids, tmp_path), ours(ids), rtol=0, atol=1e-5)


def test_it_answers_from_any_folder(command):
    done = command("shakespeare", "--prompt", "Et tu, Brute?", "--length", 100, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0 and done.stdout.startswith("Et tu, Brute?") and len(done.stdout) == 13 + 100 + 1
    assert "generating with" in done.stderr and "shakespeare.keras" in done.stderr
