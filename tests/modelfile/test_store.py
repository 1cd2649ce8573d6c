"""A model, its vocabulary and its card in one file: whole, verified, and safe to open."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import kerasgen
from kerasgen.base.errors import FailedError
from kerasgen.base.files import sha256
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.metrics.score import Score
from kerasgen.modelfile import loader, store
from kerasgen.modelfile.upgrade import upgrade
from kerasgen.models.backend import keras
from kerasgen.models.names import NameRNN, nats_per_name
from kerasgen.models.prose import stacked_lstm
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT
from tests.support import hostile, poems

# Keras' saving asks its own variables for an array in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

VOCAB = CharVocab("\nabcdé\U00010380")
IDS = np.array([[-1, 2, 3]])
SCORES = {"part": "validation", "names": 2, "nats_per_char": 1.5, "bits_per_char": 2.2}
SCORES |= {"ngram_nats_per_char": 1.6, "ngram_bits_per_char": 2.3}
CARD = {"kind": "names", "stop": "\n", "config": {"seed": 3}, "scores": SCORES}


def model_of(seed=3):
    model = NameRNN(len(VOCAB), 6, seed=seed, name="dino")
    model.compile(optimizer=keras.optimizers.SGD(0.02, clipvalue=5.0), loss=nats_per_name, auto_scale_loss=False)
    return model


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "deep" / "my-test.keras"
    store.save(path, model_of(), VOCAB, CARD, KnownTexts.of(["abba", "dad"]))
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


def test_a_fresh_process_gets_the_same_names_and_plain_keras_loads_the_model(saved):
    code = (
        "import sys, json, numpy, kerasgen.models.names, keras; m = keras.saving.load_model(sys.argv[1])\n"
        "print(m.optimizer.clipvalue, m.loss.__name__, m(numpy.array([[-1, 2, 3]])).numpy().sum())\n"
        "print(json.dumps(kerasgen.load(sys.argv[1]).generate(20, seed=4)))"
    )
    plain, names = fresh(code, saved).splitlines()
    clipvalue, loss, total = plain.split()
    assert (clipvalue, loss) == ("5.0", "nats_per_name")
    assert float(total) == pytest.approx(model_of()(IDS).numpy().sum(), rel=1e-5)
    here = kerasgen.load(saved)
    assert json.loads(names) == here.generate(20, seed=4)
    assert here.vocab == VOCAB
    np.testing.assert_array_equal(here.model(IDS), model_of()(IDS))


def test_the_card_says_what_it_was_told_and_how_it_was_made(saved):
    card = kerasgen.load(saved).card
    assert CARD.items() <= card.items()
    assert (card["format"], card["kerasgen"]) == (2, kerasgen.__version__)
    assert set(card["versions"]) == {"python", "tensorflow", "keras", "numpy"}


def test_it_knows_what_it_learned_from(saved):
    loaded = kerasgen.load(saved)
    assert "abba" in loaded.known and "dad" in loaded.known
    assert "abb" not in loaded.known and "" not in loaded.known and "dadabba" not in loaded.known
    assert b"abba" not in zipfile.ZipFile(saved).read("kerasgen.json")


def test_it_can_be_read_without_tensorflow(saved):
    code = (
        "import sys, pathlib; from kerasgen.modelfile import store; c = store.read(pathlib.Path(sys.argv[1]));"
        "print(c.card['kind'], 'tensorflow' in sys.modules)"
    )
    assert fresh(code, saved).split() == ["names", "False"]


DAMAGE = {
    "weights": ("model.weights.h5", lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], False, "damaged"),
    "config": ("config.json", lambda data: data.replace(b'"units": 6', b'"units": 7'), False, "damaged"),
    "card": ("kerasgen.json", edited(stop="a"), False, "damaged"),
    "vocabulary": ("kerasgen.json", lambda data: data.replace(b'"b"', b'"x"'), False, "damaged"),
    "no JSON": ("kerasgen.json", lambda data: data[:50], False, "damaged"),
    "a later format": ("kerasgen.json", edited(format=3, kerasgen="9.0"), False, r"later kerasgen \('9.0'\).*upgrade"),
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
        store.save(saved, model, VOCAB, CARD, KnownTexts())
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_a_save_replaces_the_old_file(saved):
    store.save(saved, model_of(seed=9), VOCAB, CARD, KnownTexts.of(["new"]))
    loaded = kerasgen.load(saved)
    assert "new" in loaded.known and "abba" not in loaded.known
    np.testing.assert_array_equal(loaded.model(IDS), model_of(seed=9)(IDS))
    assert os.listdir(saved.parent) == [saved.name]


def test_keras_is_never_given_the_file_or_its_configuration(saved, monkeypatch):
    """Plain Keras opens it as well, and gives the same; but whatever an advisory may find there is not on our way."""
    theirs = keras.saving.load_model(saved)
    for name in ("load_model", "deserialize_keras_object", "load_weights"):
        monkeypatch.setattr(keras.saving, name, None)
    monkeypatch.setattr(NameRNN, "from_config", None)
    ours = loader.keras_model(store.read(saved), compile=True)
    assert_same(ours, theirs)


def configured(model):
    """All that a model is built from, but for its name and how its first weights were drawn."""

    def without(value):
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items() if not key.endswith("_initializer")}
        return [without(item) for item in value] if isinstance(value, list | tuple) else value

    return {**without(model.get_config()), "name": ""}


def assert_same(ours, theirs):
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(mine, other)
    for mine, other in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_array_equal(mine, other)
    settings, others = ours.optimizer.get_config(), theirs.optimizer.get_config()
    assert {**settings, "name": ""} == {**others, "name": ""}


MODELS = {
    "names": lambda: NameRNN(len(VOCAB), 6, recurrent_dropout=0.1, recurrent_l2=0.5, seed=2**32 - 1),
    "names with a state": lambda: NameRNN(len(VOCAB), 6, carry_state=True, batch_size=3, dtype="mixed_bfloat16"),
    "prose": lambda: stacked_lstm(len(VOCAB), 5, dropout=0.0, seed=4),
    "embedded prose": lambda: stacked_lstm(len(VOCAB), 5, embedding=3, dropout=0.0, seed=4),
    "double prose": lambda: stacked_lstm(len(VOCAB), 5, dropout=0.3, dtype="float64"),
}
decay = keras.optimizers.schedules.PolynomialDecay(0.1, 7, end_learning_rate=0.0)
OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.3, momentum=0.9, nesterov=True, clipvalue=float("inf")),
    "Adam": lambda: keras.optimizers.Adam(decay, clipnorm=1.0),
    "AdamW": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, beta_2=0.5, global_clipnorm=2.0, amsgrad=True),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_built_again_is_what_was_saved(tmp_path, name, optimizer):
    model = MODELS[name]()
    loss = nats_per_name if name.startswith("names") else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=OPTIMIZERS[optimizer](), loss=loss, auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    rng = np.random.RandomState(0)
    learned = model.trainable_variables if "prose" in name else model.weights
    for variable in [*learned, *model.optimizer.variables[1:]]:
        variable.assign(rng.rand(*variable.shape))
    model.optimizer.iterations.assign(7)
    card = {**CARD, "kind": name.split()[-1] if "prose" in name else "names", "start": "\n"}
    card["scores"] = {**SCORES, "characters": 2}
    store.save(tmp_path / "model.keras", model, VOCAB, card, KnownTexts())
    contents = store.read(tmp_path / "model.keras")
    loaded = loader.keras_model(contents, compile=True)
    assert_same(loaded, model)
    assert loaded.compute_dtype == model.compute_dtype
    assert configured(loaded) == configured(model)
    assert contents.blueprint.parameters == sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert getattr(loader.keras_model(contents), "optimizer", None) is None


def test_letters_of_other_vectors_than_ours_are_not_saved(tmp_path):
    model = MODELS["prose"]()
    model.layers[0].embeddings.assign(np.ones((7, 7)))
    with pytest.raises(FailedError, match="one-hot"):
        store.save(tmp_path / "model.keras", model, VOCAB, {"kind": "prose", "start": "\n"}, KnownTexts())
    assert not os.listdir(tmp_path)


def test_a_model_that_could_not_be_loaded_again_is_not_saved(saved):
    before, model = saved.read_bytes(), model_of()
    model.compile(optimizer=keras.optimizers.RMSprop(), loss=nats_per_name)
    with pytest.raises(FailedError, match="not written.*'RMSprop'"):
        store.save(saved, model, VOCAB, CARD, KnownTexts())
    with pytest.raises(FailedError, match="not written.*of 2 characters.*one of names of 7"):
        store.save(saved, model_of(), CharVocab("\na"), CARD, KnownTexts())
    assert saved.read_bytes() == before and os.listdir(saved.parent) == [saved.name]


OLD = ROOT / "tests" / "data"


def test_plain_keras_loads_prose_without_kerasgen(tmp_path):
    """Of format 2 as well, from the weights in HDF5; those that kerasgen loads are the same."""
    code = (
        "import sys, numpy, keras; m = keras.saving.load_model(sys.argv[1]);"
        "numpy.savez(sys.argv[2], *m.get_weights()); print('kerasgen' in sys.modules)"
    )
    assert fresh(code, hostile.PROSE, tmp_path / "theirs.npz").split()[-1] == "False"
    ours, _ = store.arrays(store.read(hostile.PROSE))
    for mine, other in zip(ours, np.load(tmp_path / "theirs.npz").values(), strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("name", ["NAMES", "PROSE"])
def test_an_upgrade_changes_the_format_alone(tmp_path, name):
    old, path = getattr(hostile, f"OLD_{name}"), tmp_path / "model.keras"
    path.write_bytes(old.read_bytes())
    path.chmod(0o640)
    assert upgrade(path) and not upgrade(path)
    assert path.read_bytes() == getattr(hostile, name).read_bytes()  # which was upgraded on another day
    before, after = store.read(old), store.read(path)
    assert before.card | {"format": 2, "upgraded_from": before.sha256} == after.card
    assert after.sha256 == before.sha256, "a training that began with it can be resumed"
    assert (before.vocab, before.known, before.blueprint) == (after.vocab, after.known, after.blueprint)
    for theirs, mine in zip(store.arrays(before), store.arrays(after), strict=True):
        assert [array.tobytes() for array in theirs] == [array.tobytes() for array in mine]
    with zipfile.ZipFile(old) as one, zipfile.ZipFile(path) as other:
        for member in set(one.namelist()) - {"kerasgen.json"}:
            assert one.read(member) == other.read(member)
    assert path.stat().st_mode & 0o777 == 0o640 and os.listdir(tmp_path) == [path.name]


def test_a_model_that_is_saved_anew_is_not_the_one_that_was_upgraded(tmp_path):
    kerasgen.load(hostile.NAMES).save(tmp_path / "new.keras")
    assert "upgraded_from" not in store.read(tmp_path / "new.keras").card


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data.replace(b'"units": 8', b'"units": 9')])
def test_what_can_t_be_upgraded_stays_as_it_is(tmp_path, damage):
    path = tmp_path / "model.keras"
    path.write_bytes(damage(hostile.OLD_NAMES.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="damaged"):
        upgrade(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]


def test_no_first_weights_are_drawn_for_a_model_that_is_loaded(monkeypatch):
    for name in ("GlorotUniform", "Orthogonal"):
        monkeypatch.setattr(getattr(keras.initializers, name), "__call__", None)
    for path in (hostile.NAMES, hostile.PROSE):
        loader.keras_model(store.read(path))


def test_one_hot_letters_of_a_large_vocabulary_stay_as_they_were_learned(tmp_path):
    """A model of format 1; new ones of more than 1,000 characters have shorter vectors."""
    chars, path = "\n" + "".join(map(chr, range(0x4E00, 0x4E00 + 1100))), tmp_path / "model.keras"
    parts = hostile.members(poems.save(path, chars=chars))
    content = json.loads(parts[hostile.CONTENT])
    content["card"]["format"] = 1
    parts[hostile.CONTENT] = json.dumps(content).encode()
    del parts[hostile.TENSORS]
    path.write_bytes(hostile.pack(parts))
    model = kerasgen.load(path)
    assert model.card["format"] == 1 and model.model.get_layer("one_hot").output_dim == 1101
    (text,) = model.generate(1, seed=3, max_length=9)
    assert len(text) == 9 and set(text) <= set(chars)
    logits = np.asarray(model.model(np.array([[0, *model.vocab.encode(text)]], np.int32)))[0, -1].astype(float)
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    found = model.next_probabilities(text)
    np.testing.assert_allclose([found[char] for char in model.vocab.chars], expected, rtol=1e-4, atol=1e-7)


LOGITS = {
    "names": ([[-1, 2, 3, 4]], [-5.772601, 2.532926, 0.540983, 0.213236], 2.582312),
    "prose": ([[0, 2, 3, 4]], [0.268210, 1.887906, -2.215982, -2.079909], -32.569847),
}


@pytest.mark.parametrize("kind", LOGITS)
def test_a_file_of_format_1_loads_as_it_did(kind):
    """The files are never written again: whatever the format will be, this one stays readable."""
    ids, last, total = LOGITS[kind]
    contents = store.read(OLD / f"format1_{kind}.keras")
    logits = np.asarray(loader.keras_model(contents)(np.array(ids, np.int32)))
    np.testing.assert_allclose(logits[0, -1, :4], last, rtol=0, atol=1e-4)
    assert logits.sum() == pytest.approx(total, abs=1e-3)
    assert (contents.card["kind"], contents.card["format"], contents.card["kerasgen"]) == (kind, 1, "0.1.0")
    assert ("tyrannosaurus" in contents.known) == (kind == "names")
    steps = {"names": 8000, "prose": 160}[kind]
    assert int(loader.keras_model(contents, compile=True).optimizer.iterations) == steps


def test_combining_and_astral_characters_come_out_of_a_file_as_they_went_in(tmp_path):
    """A model that answers each character with the next one writes its whole vocabulary."""
    chars = "\nae\u0301\u20dd\u05d0\u202e\u200d\u0e33\ufe0f\u4e2d\U00010380\U0001f995\U0001f1fa\U000e0041"
    model = NameRNN(len(chars), len(chars))
    shift = np.roll(np.eye(len(chars)), 1, axis=1)
    model.set_weights([9 * np.eye(len(chars)), 0 * shift, np.zeros(len(chars)), 99 * shift, np.zeros(len(chars))])
    card = {"kind": "names", "stop": "\n", "data": {"name": chars[1:]}}
    store.save(tmp_path / f"{chars[1:]}.keras", model, CharVocab(chars), card, KnownTexts.of([chars[1:]]))
    loaded = kerasgen.load(tmp_path / f"{chars[1:]}.keras")
    assert loaded.generate(2, prefix="a", seed=1) == [chars[1:]] * 2
    assert chars[1:] in loaded.known and chars[1:-1] not in loaded.known and loaded.card["data"]["name"] == chars[1:]


SHIPPED = ROOT / "saved_models" / "dino.keras"


def test_the_shipped_model_answers_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = kerasgen.load("saved_models/dino.keras").generate(20, prefix="tri", temperature=0.8, seed=0)
    assert len(names) == 20 and all(name.startswith("tri") and len(name) > 3 for name in names)


def test_the_shipped_models_score_is_that_of_the_test_part(mirror):
    from kerasgen.text.names import read_names, split_names

    dino = kerasgen.load(SHIPPED)
    names = read_names((mirror / "dinos.txt").read_text(), "dinos")
    split = split_names([name.lower() for name in names], "test")
    assert len(split.test) == 152
    score = Score.total(dino.score(split.test))
    scores = dino.card["scores"]
    assert (scores["part"], scores["names"]) == ("held out", 152)
    assert scores["nats_per_char"] == pytest.approx(score.nats_per_char, abs=1e-5)
    assert score.nats_per_char <= 1.75
    text = "\n".join(name.title() for name in split.test)  # the public way, with upper case as a user has it
    assert dino.score(text).nats_per_char == pytest.approx(score.nats_per_char, abs=1e-9)
    assert all(name in dino.known for name in names)
