"""A model in other programs' formats: the same logits, the same text, without kerasgen."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import kerasgen
from kerasgen.base.errors import BadInputError, FailedError
from kerasgen.generation.portable import LONGEST
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import exports, loader, store
from kerasgen.models.backend import tf
from kerasgen.models.names import LARGE, NameRNN
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT

# Keras' saving asks its own variables for an array in a way that NumPy 2 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:google.*"),
]

MODELS = {name: ROOT / "saved_models" / f"{name}.keras" for name in ("dino", "shakespeare")}
RUNTIMES = {"saved_model": "tensorflow", "onnx": "onnxruntime", "litert": "ai_edge_litert"}
SUFFIXES = {"saved_model": "", "onnx": ".onnx", "litert": ".tflite"}
NEEDED = {"saved_model": "tensorflow", "onnx": "tf2onnx", "litert": "tensorflow"}
DEFAULTS = {"temperature": 0.7, "top_k": 0, "top_p": 1.0}


def there(*packages):
    return all(importlib.util.find_spec(package) for package in packages)


@pytest.fixture(scope="module")
def generators():
    """The shipped models, and one of names with so many characters that they are looked up."""
    found = {name: kerasgen.load(path) for name, path in MODELS.items()}
    vocab = CharVocab("\n" + "".join(map(chr, range(0x4E00, 0x4E00 + LARGE))))
    model = NameRNN(len(vocab), 8, seed=1)
    card = {"kind": "names", "stop": "\n"}
    return found | {"many": loader.TrainedGenerator(model, vocab, card, KnownTexts.of([]))}


@pytest.fixture(scope="module")
def exported(tmp_path_factory, generators):
    """Return the path of a model in a format; each is written once."""
    folder, paths = tmp_path_factory.mktemp("exported"), {}

    def path_of(name, format):
        if not there(NEEDED[format], RUNTIMES[format]):
            pytest.skip(f"{NEEDED[format]} or {RUNTIMES[format]} is not installed")
        if (name, format) not in paths:
            source = MODELS.get(name, folder / f"{name}.keras")
            if not source.exists():
                generators[name].save(source)
            paths[name, format] = folder / f"{name}{SUFFIXES[format]}"
            exports.export(store.read(source), format, paths[name, format])
        return paths[name, format]

    return path_of


@pytest.mark.parametrize("name", ["dino", "shakespeare", "many"])
@pytest.mark.parametrize("format", RUNTIMES)
def test_a_step_gives_the_same_logits_and_states_in_a_process_of_its_own(name, format, exported, generators, tmp_path):
    path, model = exported(name, format), generators[name].char_model
    rng, start = np.random.default_rng(0), model.initial_state(1)
    ids = np.array([-1, 0, 3, model.vocab_size - 1], np.int32)
    states = [rng.normal(0, 0.5, (4, state.shape[1])).astype(np.float32) for state in tf.nest.flatten(start)]
    given = {"ids": ids, **{f"state_{n}": state for n, state in enumerate(states, 1)}}
    np.savez(tmp_path / "in.npz", **given)
    script = ROOT / "tests" / "support" / "portable_step.py"
    done = subprocess.run(
        [sys.executable, script, format, path, tmp_path / "in.npz", tmp_path / "out.npz"],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    logits, after = model.step(tf.constant(ids), tf.nest.pack_sequence_as(start, list(map(tf.constant, states))))
    out = np.load(tmp_path / "out.npz")
    wanted = {"logits": logits, **{f"new_state_{n}": s for n, s in enumerate(tf.nest.flatten(after), 1)}}
    assert set(out) == set(wanted)
    for key, value in wanted.items():
        np.testing.assert_allclose(out[key], value, atol=1e-5, rtol=0)


@pytest.mark.parametrize("format", RUNTIMES)
def test_vocabulary_and_card_travel_with_it(format, exported, generators):
    path = exported("dino", format)
    if format == "saved_model":
        notes = {name: (path / exports.EXTRAS / f"{name}.json").read_text() for name in ("vocabulary", "card")}
    elif format == "onnx":
        import onnx

        notes = {note.key: note.value for note in onnx.load(path).metadata_props}
    else:
        with zipfile.ZipFile(path) as archive:
            notes = {name: archive.read(f"{name}.json") for name in ("vocabulary", "card")}
    assert json.loads(notes["vocabulary"]) == list(generators["dino"].vocab.chars)
    assert json.loads(notes["card"]) == generators["dino"].card


@pytest.fixture(scope="module")
def continued(exported):
    """Continue a prompt by the whole loop of a SavedModel."""
    loaded = {}

    def text(name, prompt, seed, length, **knobs):
        if name not in loaded:
            loaded[name] = tf.saved_model.load(str(exported(name, "saved_model")))
        given = {"seed": seed, "length": length, **DEFAULTS, **knobs}
        dtypes = {"seed": tf.int64, "length": tf.int32, "top_k": tf.int32}
        given = {key: tf.constant(value, dtypes.get(key, tf.float32)) for key, value in given.items()}
        found = loaded[name].signatures["generate"](prompt=tf.constant(prompt), **given)
        return found["text"].numpy().decode()

    return text


KNOBS = [{}, {"temperature": 1.2, "top_k": 5}, {"top_p": 0.8}, {"temperature": 0.0}, {"top_k": 10_000}]


@pytest.mark.parametrize("knobs", KNOBS)
@pytest.mark.parametrize("name, prompt", [("dino", "tri"), ("dino", ""), ("shakespeare", "et tu, brute?")])
def test_the_loop_gives_the_same_text_for_the_same_seed(name, prompt, knobs, continued, generators):
    for seed in (0, 7, 2**32 - 1):
        wanted = generators[name].stream(prompt, length=60, **{"temperature": 0.7, **knobs}, seed=seed)
        wanted = "".join(wanted)
        if name == "dino" and not wanted:
            wanted = generators[name].generate(1, temperature=0.7, min_length=1, seed=seed)[0]
        assert continued(name, prompt, seed, 60, **knobs) == wanted


def test_a_prompt_may_be_of_any_length_and_case(continued, generators):
    prompt = "Shall I compare thee to a summer's day?\n" * 120
    folded = generators["shakespeare"].fold(prompt)
    assert len(folded) > 4096
    assert continued("shakespeare", prompt, 1, 30) == "".join(
        generators["shakespeare"].stream(folded, length=30, seed=1)
    )
    assert continued("shakespeare", "what\u4e00", 1, 30) == continued("shakespeare", "what", 1, 30)


def test_a_loop_gives_no_more_than_is_asked_for(continued):
    assert len(continued("shakespeare", "o", 0, 1)) == 1
    assert len(continued("shakespeare", "o", 0, LONGEST + 9)) == LONGEST


@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
def test_other_precisions_are_exported_in_single(dtype, tmp_path):
    model = NameRNN(4, 6, seed=3, dtype=dtype)
    generator = loader.TrainedGenerator(model, CharVocab("\nabc"), {"kind": "names", "stop": "\n"}, KnownTexts.of([]))
    generator.save(tmp_path / "a.keras")
    exports.export(store.read(tmp_path / "a.keras"), "saved_model", tmp_path / "a")
    step = tf.saved_model.load(str(tmp_path / "a")).signatures["step"]
    logits = step(ids=tf.constant([2]), state_1=tf.zeros((1, 6)))["logits"]
    same, _ = model.step(tf.constant([2]), model.initial_state(1))
    assert logits.dtype == tf.float32
    np.testing.assert_allclose(logits, np.asarray(same, float), atol=1e-6 if dtype == "float64" else 1e-2)


def test_what_stands_there_is_kept(tmp_path):
    contents = store.read(MODELS["dino"])
    (tmp_path / "poet").mkdir()
    with pytest.raises(BadInputError, match="must be new"):
        exports.export(contents, "saved_model", tmp_path / "poet")
    (tmp_path / "file").touch()
    with pytest.raises(FailedError, match="can't be written"):
        exports.export(contents, "saved_model", tmp_path / "file" / "poet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "poet"]


def test_a_package_that_is_missing_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.setitem(sys.modules, "tf2onnx.convert", None)
    with pytest.raises(BadInputError, match=re.escape("pip install 'kerasgen[export]'")):
        exports.export(store.read(MODELS["dino"]), "onnx", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
