"""A model, its vocabulary and its card in one file: whole, verified, and safe to open."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import kerasgen
from kerasgen import artifacts
from kerasgen.backend import keras
from kerasgen.errors import FailedError
from kerasgen.files import sha256
from kerasgen.models import NameRNN, nats_per_name
from kerasgen.vocab import CharVocab
from tests.conftest import ROOT

# Keras' saving asks its own variables for an array in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

VOCAB = CharVocab("\nabcdé\U00010380")
IDS = np.array([[-1, 2, 3]])
CARD = {"kind": "names", "stop": "\n", "config": {"seed": 3}, "scores": {"nats_per_char": 1.5}}


def model_of(seed=3):
    model = NameRNN(len(VOCAB), 6, seed=seed, name="dino")
    model.compile(optimizer=keras.optimizers.SGD(0.02, clipvalue=5.0), loss=nats_per_name, auto_scale_loss=False)
    return model


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "deep" / "my-test.keras"
    artifacts.save(path, model_of(), VOCAB, CARD, ["abba", "dad"])
    return path


def fresh(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rewrite(path, member, change, sign=True):
    """Change one member of the archive; with `sign`, note the checksum of the new bytes, as a forger would."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = change(members[member])
    if sign and member != "kerasgen.json":
        content = json.loads(members["kerasgen.json"])
        content["checksums"][member] = sha256(members[member])
        members["kerasgen.json"] = json.dumps(content).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def edited(**changes):
    """Return what changes some keys of a JSON member's card."""

    def change(data):
        content = json.loads(data)
        content["card"].update(changes)
        return json.dumps(content).encode()

    return change


def test_a_fresh_process_gets_the_same_names(saved):
    code = "import sys, json, kerasgen; print(json.dumps(kerasgen.load(sys.argv[1]).generate(20, seed=4)))"
    here = kerasgen.load(saved)
    assert json.loads(fresh(code, saved)) == here.generate(20, seed=4)
    assert here.vocab == VOCAB
    np.testing.assert_array_equal(here.model(IDS), model_of()(IDS))


def test_the_card_says_what_it_was_told_and_how_it_was_made(saved):
    card = kerasgen.load(saved).card
    assert CARD.items() <= card.items()
    assert (card["format"], card["kerasgen"]) == (1, kerasgen.__version__)
    assert set(card["versions"]) == {"python", "tensorflow", "keras", "numpy"}


def test_it_knows_what_it_learned_from(saved):
    loaded = kerasgen.load(saved)
    assert loaded.is_known("abba") and loaded.is_known("dad")
    assert not loaded.is_known("abb") and not loaded.is_known("") and not loaded.is_known("dadabba")
    assert b"abba" not in zipfile.ZipFile(saved).read("kerasgen.json")


def test_plain_keras_loads_it(saved):
    code = (
        "import sys, numpy, kerasgen.models, keras; m = keras.saving.load_model(sys.argv[1]);"
        "print(m.optimizer.clipvalue, m.loss.__name__, m(numpy.array([[-1, 2, 3]])).numpy().sum())"
    )
    clipvalue, loss, total = fresh(code, saved).split()
    assert (clipvalue, loss) == ("5.0", "nats_per_name")
    assert float(total) == pytest.approx(model_of()(IDS).numpy().sum(), rel=1e-5)


def test_it_can_be_read_without_tensorflow(saved):
    code = (
        "import sys, pathlib; from kerasgen import artifacts; c = artifacts.read(pathlib.Path(sys.argv[1]));"
        "print(c.card['kind'], 'tensorflow' in sys.modules)"
    )
    assert fresh(code, saved).split() == ["names", "False"]


DAMAGE = {
    "weights": ("model.weights.h5", lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], False, "damaged"),
    "config": ("config.json", lambda data: data.replace(b'"units": 6', b'"units": 7'), False, "damaged"),
    "card": ("kerasgen.json", edited(stop="a"), False, "damaged"),
    "vocabulary": ("kerasgen.json", lambda data: data.replace(b'"b"', b'"x"'), False, "damaged"),
    "no JSON": ("kerasgen.json", lambda data: data[:50], False, "damaged"),
    "a later format": ("kerasgen.json", edited(format=2, kerasgen="9.0"), False, r"later kerasgen \(9.0\).*upgrade"),
    "another class": (
        "config.json",
        lambda data: data.replace(b'"class_name": "NameRNN"', b'"class_name": "Lambda"'),
        True,
        "asks for 'Lambda'",
    ),
    "a class deep inside": (
        "config.json",
        lambda data: data.replace(b'"DTypePolicy"', b'"TFSMLayer"'),
        True,
        "asks for 'TFSMLayer'",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_was_changed_is_refused_in_one_line(saved, damage):
    member, change, sign, message = DAMAGE[damage]
    before = saved.read_bytes()
    rewrite(saved, member, change, sign)
    assert saved.read_bytes() != before
    with pytest.raises(ValueError, match=message) as raised:
        kerasgen.load(saved)
    assert "\n" not in str(raised.value) and str(saved) in str(raised.value)


def test_an_archive_that_was_only_packed_again_is_fine(saved):
    rewrite(saved, "config.json", lambda data: data)
    assert kerasgen.load(saved).vocab == VOCAB


def test_a_member_that_kerasgen_never_writes_is_refused(saved):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("assets/../../evil", "x")
    with pytest.raises(ValueError, match="never writes"):
        kerasgen.load(saved)


@pytest.mark.parametrize("kind", ["empty", "text", "half", "folder", "plain keras", "zip"])
def test_what_is_no_file_of_ours_is_a_value_error(saved, tmp_path, kind):
    path = tmp_path / "foreign.keras"
    if kind == "folder":
        path.mkdir()
    elif kind == "plain keras":
        keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]).save(path)
    elif kind == "zip":
        zipfile.ZipFile(path, "w").close()
    else:
        path.write_bytes({"empty": b"", "text": b"hello\n", "half": saved.read_bytes()[:2000]}[kind])
    with pytest.raises(ValueError, match=r"foreign\.keras") as raised:
        kerasgen.load(path)
    assert "\n" not in str(raised.value)


def test_no_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no"):
        kerasgen.load(tmp_path / "none.keras")


@pytest.mark.parametrize(
    "error, expected", [(OSError(28, "No space left on device"), FailedError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_an_interrupted_save_leaves_the_old_file(saved, monkeypatch, error, expected):
    before, model = saved.read_bytes(), model_of(seed=9)

    def half(path, *arguments, **settings):
        path.write_bytes(b"half a model")
        raise error

    monkeypatch.setattr(model, "save", half)
    with pytest.raises(expected):
        artifacts.save(saved, model, VOCAB, CARD, [])
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_a_save_replaces_the_old_file(saved):
    artifacts.save(saved, model_of(seed=9), VOCAB, CARD, ["new"])
    loaded = kerasgen.load(saved)
    assert loaded.is_known("new") and not loaded.is_known("abba")
    np.testing.assert_array_equal(loaded.model(IDS), model_of(seed=9)(IDS))
    assert os.listdir(saved.parent) == [saved.name]


SHIPPED = ROOT / "saved_models" / "dino.keras"


def test_the_shipped_model_answers_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = kerasgen.load("saved_models/dino.keras").generate(20, prefix="tri", temperature=0.8, seed=0)
    assert len(names) == 20 and all(name.startswith("tri") and len(name) > 3 for name in names)


def test_the_shipped_models_score_is_that_of_the_test_part(mirror):
    from kerasgen import datasets, metrics

    dino = kerasgen.load(SHIPPED)
    names = datasets.read_names((mirror / "dinos.txt").read_text(), "dinos")
    split = datasets.split_names(names, "test")
    assert len(split.test) == 152
    score = metrics.score_rows(dino.model, datasets.encode_names(split.test, dino.vocab))
    scores = dino.card["scores"]
    assert (scores["part"], scores["names"]) == ("held out", 152)
    assert scores["nats_per_char"] == pytest.approx(score.nats_per_char, abs=1e-5)
    assert score.nats_per_char <= 1.75
    text = "\n".join(name.title() for name in split.test)  # the public way, with upper case as a user has it
    assert kerasgen.score(dino, text).nats_per_char == pytest.approx(score.nats_per_char, abs=1e-9)
    assert all(dino.is_known(name) for name in names)
