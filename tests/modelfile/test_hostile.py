"""Nothing let in: every hostile file ends in one clear error; none runs code, writes, hangs or takes much memory."""

import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from kerasgen.base.errors import BadInputError, FailedError, MissingFileError
from kerasgen.modelfile import hdf5, loader, store
from tests.conftest import ROOT
from tests.support import hostile as make
from tests.support.checker import Checker
from tests.support.hostile import CODE, CONFIG, CONTENT, KERNEL, LAMBDA, PROSE, TENSORS, WEIGHTS

WRITTEN = "never writes"
# What it is: how it is made, and words of the error that it ends in.
FILES = {
    # Code and files through Keras' configuration: every way that was ever announced, and its relatives.
    "lambda": (lambda: make.layer(3, make.keras_object("keras.layers", "Lambda", {"function": LAMBDA})), "'Lambda'"),
    "saved model": (
        lambda: make.layer(3, make.keras_object("keras.layers", "TFSMLayer", {"filepath": "/tmp/evil"})),
        "'TFSMLayer'",
    ),
    "torch": (
        lambda: make.layer(3, make.keras_object("keras.layers", "TorchModuleWrapper", {"module": CODE})),
        "'TorchModule",
    ),
    "lookup": (
        lambda: make.layer(3, make.keras_object("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"})),
        "'StringLookup'",
    ),
    "module": (lambda: make.config(lambda v: v.update(module="os")), "of 'os'"),
    "no module": (lambda: make.config(lambda v: v.pop("module") and None), WRITTEN),
    "list as module": (lambda: make.config(lambda v: v.update(module=["os"])), WRITTEN),
    "registered": (lambda: make.config(lambda v: v.update(registered_name="evil>NameRNN")), "evil>NameRNN"),
    "function": (lambda: make.compiled(loss=make.keras_object("os", "function", "system", "function")), "of 'os'"),
    "our function": (
        lambda: make.compiled(loss=make.keras_object("builtins", "function", "os.system", "function")),
        "'os.system'",
    ),
    "unsafe": (
        lambda: make.compiled(metrics=[make.keras_object("keras.config", "enable_unsafe_deserialization")]),
        "'enable_unsafe",
    ),
    "download": (
        lambda: make.compiled(
            metrics=[make.keras_object("keras.utils", "get_file", {"origin": "http://127.0.0.1:1/x"})]
        ),
        "'get_file'",
    ),
    "numpy": (
        lambda: make.compiled(metrics=[make.keras_object("numpy", "load", {"file": "x", "allow_pickle": True})]),
        "'load'",
    ),
    "activation": (lambda: make.layer_setting(2, activation=LAMBDA), "'__lambda__'"),
    "initializer": (lambda: make.layer_setting(2, kernel_initializer=LAMBDA), "'__lambda__'"),
    "tensor": (
        lambda: make.layer_setting(2, bias_initializer={"class_name": "__tensor__", "config": {"value": [1]}}),
        "'__tensor__'",
    ),
    # Other models than ours, and ours with other settings.
    "another activation": (lambda: make.layer_setting(2, activation="relu"), "activation='relu'"),
    "stateful": (lambda: make.layer_setting(2, stateful=True), "stateful=True"),
    "a layer less": (
        lambda: make.config(lambda v: v["config"]["layers"].pop() and None, PROSE),
        "no stack of the layers",
    ),
    "no layers": (lambda: make.config(lambda v: v["config"].update(layers={}), PROSE), "no stack of the layers"),
    "layers of text": (lambda: make.config(lambda v: v["config"].update(layers="LSTM"), PROSE), "of a form"),
    "unlike layers": (lambda: make.layer_setting(2, units=9), "do not belong together"),
    "an optimizer of another kind": (
        lambda: make.compiled(optimizer=make.keras_object("keras.layers", "Dense", {"units": 10**9})),
        "where kerasgen has one of keras.optimizers",
    ),
    "an optimizer's path": (lambda: make.optimizer(clipnorm="/etc/passwd"), "clipnorm='/etc/passwd'"),
    "an optimizer's setting": (lambda: make.optimizer(evil=1.0), None),
    "an optimizer's NaN": (lambda: make.optimizer(clipnorm=float("nan")), "clipnorm=nan"),
    "a list as configuration": (lambda: make.config(lambda v: [v]), "is no object"),
    "a number as layer": (lambda: make.config(lambda v: v.update(config=3)), "of a form"),
    "a precision": (
        lambda: make.setting(dtype=make.keras_object("keras", "DTypePolicy", {"name": "int8"})),
        "the precision 'int8'",
    ),
    "nothing": (lambda: make.config_text(lambda data: b""), "can't be read"),
    # Sizes.
    **{
        f"units {units!r}": (
            lambda units=units: make.setting(units=units),
            "units=" if units != 9 else "asks for <f4 (27, 9)",
        )
        for units in (9, 0, -8, 10**9, 10**400, 8.0, 1e9, float("nan"), float("inf"), True, None, "8", [8])
    },
    "huge units": (lambda: make.setting(units=2**24), "bytes of weights"),
    "huge batches": (lambda: make.setting(carry_state=True, batch_size=2**24), "bytes of weights"),
    "seed": (lambda: make.setting(seed=2**70), "seed="),
    "deep configuration": (
        lambda: make.config_text(lambda data: data[:-1] + b', "x": ' + make.nested(10_000) + b"}"),
        "recursion",
    ),
    "deep lists": (lambda: make.config_text(lambda data: data[:-1] + b', "x": ' + make.nested(900) + b"}"), None),
    "large configuration": (lambda: make.config_text(lambda data: b" " * 2_000_000 + data), "more than any of ours"),
    "many values": (lambda: make.content(lambda v: v.update(known=[[]] * 1_500_000)), "more values"),
    "key twice": (lambda: make.config_text(lambda data: data[:-1] + b', "class_name": "NameRNN"}'), "stands twice"),
    "other letters": (lambda: make.config_text(lambda data: data[:-1] + ', "é": 1}'.encode()), "can't be read"),
    # The arrays.
    "no arrays": (lambda: make.pack(make.members() | {TENSORS: b""}), "a header of 0"),
    "pickled arrays": (lambda: make.pack(make.members() | {TENSORS: pickle.dumps(make.Evil())}), "a header of"),
    "header beyond the end": (
        lambda: make.pack(make.members() | {TENSORS: (2**63).to_bytes(8, "little") + b"{}"}),
        "a header of 9223372036854775808",
    ),
    "long header": (lambda: make.header(lambda v: b" " * 200_000 + b"{}"), "a header of"),
    "header of no JSON": (lambda: make.header(lambda v: b"{]"), "can't be read"),
    "header of a list": (lambda: make.header(lambda v: b"[]"), "is no object"),
    "array twice": (lambda: make.header(lambda v: b'{"a": 1, "a": 2}'), "stands twice"),
    "many arrays": (lambda: make.header(lambda v: {str(n): {} for n in range(600)}), "more arrays"),
    "metadata": (lambda: make.header(lambda v: v.update(__metadata__={"x": "y"})), "no plain array"),
    **{
        f"array with {key} {value!r:.20}": (
            lambda key=key, value=value: make.tensor(KERNEL, **{key: value}),
            "no plain array",
        )
        for key, value in (
            ("dtype", "BF16"),
            ("dtype", "F64"),
            ("dtype", ["F32"]),
            ("shape", [2**30, 2**30]),
            ("shape", [27, 8.0]),
            ("shape", [-27, -8]),
            ("shape", [1] * 2000),
            ("shape", "27"),
            ("data_offsets", [0]),
            ("more", 1),
            ("data_offsets", [2**63, 2**63 + 864]),
            ("data_offsets", None),
            ("shape", [10**400]),
            ("shape", [True, 8]),
        )
    },
    "arrays that overlap": (
        lambda: make.header(lambda v: v[KERNEL].update(data_offsets=[8, 872])),
        "do not lie one after another",
    ),
    "bytes behind": (lambda: make.header(lambda v: None, data=lambda data: data + b"x"), "where its header asks for"),
    "bytes missing": (lambda: make.header(lambda v: None, data=lambda data: data[:-1]), "where its header asks for"),
    "turned array": (lambda: make.tensors(lambda v: v.update({KERNEL: v[KERNEL].T.copy()})), "has <f4 (8, 27)"),
    "NaN in an array": (lambda: make.tensors(lambda v: v[KERNEL].__setitem__((0, 3), np.nan)), "no finite numbers"),
    "missing array": (lambda: make.tensors(lambda v: v.pop(KERNEL)), "has nothing"),
    "one more array": (lambda: make.tensors(lambda v: v.update(evil=v[KERNEL])), "of no layer"),
    "steps that are two": (
        lambda: make.tensors(lambda v: v.update({"optimizer/vars/0": np.array([1, 2])})),
        "does not count",
    ),
    "steps below zero": (
        lambda: make.tensors(lambda v: v.update({"optimizer/vars/0": np.array(-5)})),
        "does not count",
    ),
    "more steps than there are": (
        lambda: make.tensors(lambda v: v.update({"optimizer/vars/0": np.array(2**62)})),
        "does not count",
    ),
    "one-hot vectors of nothing": (
        lambda: make.pack(make.members(PROSE) | {WEIGHTS: b""}),
        "has 0 bytes of model.weights.h5",
    ),
    "format 1 with two of a kind": (lambda: make.card(format=1), WRITTEN),
    "format 2 without arrays": (lambda: make.content(lambda v: v["card"].update(format=2), make.OLD_NAMES), "has no"),
    # The archive.
    **{
        f"member {name}": (lambda name=name: make.more(name), WRITTEN)
        for name in (
            "../evil",
            "/tmp/evil",
            "assets/../../evil",
            "..\\evil",
            "C:evil",
            "assets/x",
            "evil.pkl",
            "x" * 5000,
        )
    },
    "many members": (make.many_members, WRITTEN),
    "twice": (lambda: make.more(CONFIG), "twice"),
    "symbolic link": (make.symlink, "linked"),
    "encrypted": (lambda: make.entry(lambda info: setattr(info, "flag_bits", 1)), "encrypted"),
    "packed weights": (lambda: make.pack(make.members(), packed=[WEIGHTS]), "packed"),
    "packed otherwise": (lambda: make.entry(lambda info: setattr(info, "compress_type", zipfile.ZIP_LZMA)), "packed"),
    "overlapping": (make.overlapping, "inside of another"),
    "second directory": (make.second_directory, "does not end like one"),
    "something before": (lambda: b"MZ" + make.pack(make.members()), "does not end like one"),
    "something behind": (lambda: make.pack(make.members()) + b"x", "does not end like one"),
    "bomb": (lambda: make.bomb(100_000_000), "more than any of ours"),
    "bomb that lies": (lambda: make.bomb(100_000_000, says=20_000), "damaged"),
    "stored bytes that lie": (lambda: make.entry(lambda info: setattr(info, "file_size", 10**9), WEIGHTS), "packed"),
    "beyond the end": (
        lambda: make.entry(
            lambda info: (setattr(info, "file_size", 10**9), setattr(info, "compress_size", 10**9)), WEIGHTS
        ),
        "inside of another",
    ),
    # Vocabulary, card, hashes.
    "later": (lambda: make.card(format=3, kerasgen="9.9"), "later kerasgen ('9.9')"),
    **{
        f"format {value!r}": (lambda value=value: make.card(format=value), "format")
        for value in (0, -1, 1.0, float("nan"), True)
    },
    "format in words": (lambda: make.card(format="1"), "format '1'"),
    "upgraded from nothing": (lambda: make.card(upgraded_from="../x"), "no SHA-256"),
    "long string on a card": (lambda: make.card(config={"x": "\x7f" * 10_001}), "10,001 characters in a string"),
    "long name on a card": (lambda: make.card(config={"x" * 10_001: 1}), "10,001 characters in a string"),
    "long strings on a card": (lambda: make.card(config={"x": ["x" * 9_999] * 101}), "9,999 characters in a string"),
    "large card": (lambda: make.card(config={"x": [1] * 10_001}), "more than the 10,000 values"),
    "deep card": (lambda: make.card(config={"x": json.loads(make.nested(900))}), "deep in each other"),
    "another kind": (lambda: make.card(kind="../names"), "is a model of '../names'"),
    "the other kind": (lambda: make.card(kind="prose", start="\n", scores={}), "holds one of names"),
    "no kind": (lambda: make.content(lambda v: v["card"].pop("kind") and None), "of a form"),
    "no card": (lambda: make.content(lambda v: v.update(card={})), "damaged"),
    "stop": (lambda: make.card(stop="ab"), "not in its vocabulary"),
    "no stop": (lambda: make.card(stop=None), "not in its vocabulary"),
    "list as stop": (lambda: make.card(stop=["\n"]), "of a form"),
    "scores in words": (lambda: make.scores(nats_per_char="x" * 99), "no numbers"),
    "scores that steer the terminal": (lambda: make.scores(part="\x1b[2J"), "no numbers of a part"),
    "huge score": (lambda: make.scores(nats_per_char=10**400), "no numbers"),
    "no scores": (lambda: make.content(lambda v: v["card"]["scores"].pop("part") and None), "without part"),
    "list as scores": (lambda: make.card(scores=[1]), "whose scores is no"),
    "list as versions": (lambda: make.card(versions=["x"]), "whose versions is no"),
    "list as name": (lambda: make.card(data={"name": ["../../etc"]}), "whose data has no name"),
    "surrogate": (lambda: make.content(lambda v: v["vocab"].__setitem__(3, "\ud800")), "surrogate"),
    "syllable": (lambda: make.content(lambda v: v["vocab"].__setitem__(3, "ab")), "of a form"),
    "same letter": (lambda: make.content(lambda v: v["vocab"].__setitem__(3, "a")), "of a form"),
    "no letters": (lambda: make.content(lambda v: v.update(vocab=[])), "no character"),
    "one letter more": (lambda: make.content(lambda v: v["vocab"].append("é")), "of 28 characters"),
    "many letters": (lambda: make.content(lambda v: v.update(vocab=["x"] * 2_100_000)), "more values"),
    "known in words": (lambda: make.content(lambda v: v.update(known="no hash, sixteen")), "hashes"),
    "odd known": (lambda: make.content(lambda v: v.update(known="abc")), "hashes"),
    "known as a list": (lambda: make.content(lambda v: v.update(known=[1] * 16)), "hashes"),
    "no checksums": (lambda: make.pack(make.members() | {CONTENT: b'{"card": {"format": 2}}'}, sign=False), "damaged"),
    "deep content": (lambda: make.pack(make.members() | {CONTENT: make.nested(10_000)}, sign=False), "recursion"),
    # No archive at all.
    "pickle": (lambda: pickle.dumps(make.Evil()), "does not end like one"),
    "HDF5 alone": (lambda: make.members()[WEIGHTS], "does not end like one"),
    "empty": (lambda: b"", "does not end like one"),
    "empty archive": (lambda: b"PK\5\6" + bytes(18), "no kerasgen.json"),
}

OLD = make.members(make.OLD_NAMES)
# Files of format 1: what their HDF5 is like.
HDF5 = {
    "a link to itself in the heap": (lambda: make.patched({7368: 24}), "given up|can't be read"),
    "no HDF5": (lambda: make.pack(OLD | {WEIGHTS: b"no weights"}), "can't be read"),
    "pickled weights": (lambda: make.pack(OLD | {WEIGHTS: pickle.dumps(make.Evil())}), "can't be read"),
    "external link": (
        lambda: make.instead(KERNEL, lambda f, p, old: f.__setitem__(p, h5py.ExternalLink("/etc/passwd", "/x"))),
        "leads elsewhere",
    ),
    "soft link": (
        lambda: make.instead(KERNEL, lambda f, p, old: f.__setitem__(p, h5py.SoftLink("/layers/dense/vars/0"))),
        "leads elsewhere",
    ),
    "external storage": (
        lambda: make.instead(
            KERNEL, lambda f, p, old: f.create_dataset(p, old.shape, "<f4", external=[("/etc/passwd", 0, 864)])
        ),
        "no plain numbers",
    ),
    "virtual": (lambda: make.instead(KERNEL, make.virtual), "no plain numbers"),
    "filter": (
        lambda: make.instead(KERNEL, lambda f, p, old: f.create_dataset(p, data=old, chunks=True, compression="gzip")),
        "no plain numbers",
    ),
    "shape bomb": (lambda: make.instead(KERNEL, make.unwritten((2**30, 2**30))), "no such numbers"),
    "shape that overflows": (lambda: make.instead(KERNEL, make.unwritten((2**32, 2**32, 2**32))), "no such numbers"),
    "chunked bomb": (
        lambda: make.instead(
            KERNEL, lambda f, p, old: f.create_dataset(p, (2**30, 2**20), "<f4", chunks=(1, 2**20), fillvalue=1.0)
        ),
        "no plain numbers",
    ),
    "text as weights": (
        lambda: make.instead(KERNEL, lambda f, p, old: f.create_dataset(p, data=["x"] * 9, dtype=h5py.string_dtype())),
        "no plain numbers",
    ),
    "references": (
        lambda: make.instead(KERNEL, lambda f, p, old: f.create_dataset(p, (9,), h5py.ref_dtype)),
        "no plain numbers",
    ),
    "backwards": (
        lambda: make.instead(KERNEL, lambda f, p, old: f.create_dataset(p, data=old.astype(">f4"))),
        "no plain numbers",
    ),
    "a type": (
        lambda: make.instead(KERNEL, lambda f, p, old: f.__setitem__(p, np.dtype("<f4"))),
        "neither a group nor",
    ),
    "double weights": (
        lambda: make.instead(KERNEL, lambda f, p, old: f.create_dataset(p, data=old.astype("<f8"))),
        "has <f8 (27, 8)",
    ),
    "turned weights": (
        lambda: make.instead(KERNEL, lambda f, p, old: f.create_dataset(p, data=old.T)),
        "has <f4 (8, 27)",
    ),
    "NaN weights": (lambda: make.weights(lambda f: f[KERNEL].__setitem__(3, np.nan)), "no finite numbers"),
    "missing weights": (lambda: make.instead(KERNEL, lambda f, p, old: None), "has nothing"),
    "a group for weights": (lambda: make.instead(KERNEL, lambda f, p, old: f.create_group(p)), "has nothing"),
    "swapped weights": (
        lambda: make.weights(
            lambda f: (f.move(KERNEL, "x"), f.move("layers/dense/vars/0", KERNEL), f.move("x", "layers/dense/vars/0"))
        ),
        "has <f4 (8, 27)",
    ),
    "more weights": (lambda: make.weights(lambda f: f.create_dataset("layers/evil/vars/0", data=[1.0])), "of no layer"),
    "shared weights": (
        lambda: make.weights(lambda f: [f.__setitem__(f"optimizer/vars/{n}", f[KERNEL]) for n in range(2, 90)]),
        "bytes of weights",
    ),
    "padded": (
        lambda: make.pack(OLD | {WEIGHTS: OLD[WEIGHTS] + bytes(10**6)}),
        "bytes of weights",
    ),
    "circle": (lambda: make.weights(lambda f: f.__setitem__("layers/dense/circle", f["layers"])), "more groups"),
    "many groups": (lambda: make.weights(lambda f: [f.create_group(f"x/{n}") for n in range(600)]), "more groups"),
    "steps": (
        lambda: make.instead("optimizer/vars/0", lambda f, p, old: f.create_dataset(p, data=[1.0, 2.0])),
        "does not count",
    ),
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """What came of all files, each used in every way that there is, in one process that is watched."""
    folder, elsewhere = tmp_path_factory.mktemp("hostile"), tmp_path_factory.mktemp("elsewhere")
    for number, (data, _) in enumerate(FILES.values()):
        (folder / f"{number}.keras").write_bytes(data())
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile", folder],
        cwd=elsewhere, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return {**json.loads(done.stdout), "left": [path.name for path in elsewhere.iterdir()]}


@pytest.mark.parametrize("kind", FILES)
def test_a_hostile_file_ends_in_one_clear_line(tried, kind):
    name, words = f"{list(FILES).index(kind)}.keras", FILES[kind][1]
    plainly, compiled_too, inspected = tried["outcomes"][name]
    if words is None:  # what is wrong is in a part that is not used, or not in each way
        assert (plainly, inspected) == ("", "")
        return
    for message in (plainly, compiled_too, inspected):
        assert words in message and name in message
        assert len(message.splitlines()) == 1 and len(message) < 600


def test_an_optimizer_is_only_made_where_it_is_asked_for(tried):
    kind = "an optimizer's setting"
    _, compiled_too, _ = tried["outcomes"][f"{list(FILES).index(kind)}.keras"]
    assert "no model that can be built" in compiled_too and "evil" in compiled_too


def test_nothing_of_them_was_run_or_written_or_asked_for(tried):
    assert [event.split("'")[1] for event in tried["events"]] == [make.SEEN]  # the watcher's own, to show that it sees
    assert tried["left"] == [make.SEEN]


def test_none_of_them_took_much_memory(tried):
    assert tried["grown"] < 400_000_000


def look(path):
    contents = store.read(path)
    return contents, store.arrays(contents)


def check_the_same_or_refused(path, good):
    """Return whether a file is refused; one that is not is the good one in all that is used of it."""
    try:
        contents, arrays = look(path)
    except BadInputError as error:
        assert path.name in str(error) and len(str(error).splitlines()) == 1
        return True
    assert (contents.vocab, contents.card, contents.known) == (good[0].vocab, good[0].card, good[0].known)
    assert contents.blueprint == good[0].blueprint
    for found, expected in zip(arrays, good[1], strict=True):
        assert all(map(np.array_equal, found, expected))
    return False


@pytest.mark.parametrize("source", [make.NAMES, make.PROSE], ids=["names", "prose"])
def test_a_bit_that_is_flipped_anywhere_is_found_or_harmless(source, tmp_path):
    data, good, refused = source.read_bytes(), look(source), 0
    for place in np.random.RandomState(0).choice(len(data), 500, replace=False):
        bit = 1 << np.random.randint(8)
        (tmp_path / "bad.keras").write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
        refused += check_the_same_or_refused(tmp_path / "bad.keras", good)
    assert refused > 450  # the others are times, attributes and the member that nobody reads


@pytest.mark.parametrize("source", [make.NAMES, make.PROSE], ids=["names", "prose"])
def test_what_is_cut_off_anywhere_is_refused(source, tmp_path):
    data = source.read_bytes()
    for length in [*range(0, len(data), len(data) // 100), len(data) - 1]:
        (tmp_path / "bad.keras").write_bytes(data[:length])
        with pytest.raises(BadInputError, match="bad.keras"):
            look(tmp_path / "bad.keras")


@pytest.fixture(scope="module")
def checker():
    checker = Checker()
    yield checker
    checker.close()


@pytest.mark.parametrize("kind", HDF5)
def test_hostile_hdf5_ends_in_one_clear_line_and_takes_little(kind, checker, tmp_path):
    make_it, words = HDF5[kind]
    (tmp_path / "bad.keras").write_bytes(make_it())
    came = checker(tmp_path / "bad.keras")
    message = came["message"]
    assert came["outcome"] == "refused" and any(word in message for word in words.split("|")), message
    assert "bad.keras" in message and len(message.splitlines()) == 1 and len(message) < 600
    assert came["seconds"] < 5 and came["peak"] < 600_000_000


def test_the_hdf5_library_sees_no_file_in_this_process(tmp_path, monkeypatch, capsys):
    """The file that took all memory, by the real way."""
    path = tmp_path / "bad.keras"
    path.write_bytes(make.patched({7368: 24}))
    monkeypatch.setattr(h5py, "File", None)
    began = time.monotonic()
    with pytest.raises(BadInputError, match="bad.keras.*(given up|can't be read)"):
        look(path)
    assert time.monotonic() - began < 10
    look(make.OLD_NAMES), look(make.NAMES)
    assert capsys.readouterr().err.count("--upgrade") == 1


@pytest.mark.parametrize(
    ("program", "error", "words"),
    [
        ("import time; print('ready', flush=True); time.sleep(60)", BadInputError, "within 1 s"),
        ("import os; print('ready', flush=True); os.abort()", BadInputError, "given up"),
        ("print('ready'); print('{')", BadInputError, "can't be read"),
        ("print('ready'); print('{}')", BadInputError, "damaged"),
        ('print(\'ready\'); print(\'{"arrays": [["x", "<f4", [9], 999999]]}\')', BadInputError, "no plain numbers"),
        ('print(\'ready\'); print(\'{"arrays": [["x", "<f4", [6500], 9999]]}\')', BadInputError, "no such numbers"),
        ('print(\'ready\'); print(\'{"arrays": [["x", "O", [2], 9]]}\')', BadInputError, "no plain numbers"),
        ("import h5pyy", FailedError, "is h5py there"),
    ],
    ids=["hangs", "crashes", "no JSON", "nothing", "beyond", "too long", "objects", "no h5py"],
)
def test_whatever_the_other_process_does_ends_in_one_line(tmp_path, monkeypatch, program, error, words):
    (tmp_path / "places.py").write_text(program)
    monkeypatch.setattr(hdf5, "_PROGRAM", tmp_path / "places.py")
    monkeypatch.setattr(hdf5, "SECONDS", 1 if "sleep" in program else 60)
    with pytest.raises(error, match=words) as raised:
        look(make.OLD_NAMES)
    assert len(str(raised.value).splitlines()) == 1


def test_without_a_python_to_start_it_says_so(monkeypatch):
    for executable in ("", "/nowhere/python"):
        monkeypatch.setattr(sys, "executable", executable)
        with pytest.raises(FailedError, match="no process could be started to read .*format1_names"):
            look(make.OLD_NAMES)


def test_a_module_in_the_current_folder_is_not_run(tmp_path, monkeypatch):
    """The file may have come in an archive with others beside it."""
    for name in ("h5py", "json", "numpy", "places"):
        (tmp_path / f"{name}.py").write_text("open('was-run', 'w')")
    monkeypatch.chdir(tmp_path)
    look(make.OLD_NAMES)
    assert not (tmp_path / "was-run").exists()


def test_what_is_no_file_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pipe, device, folder, link = (tmp_path / f"{name}.keras" for name in ("pipe", "device", "folder", "link"))
    os.mkfifo(pipe)  # opening it would wait for somebody to write
    device.symlink_to("/dev/zero")
    folder.mkdir()
    (folder / "config.json").write_text("{}")  # what Keras takes a folder with this for a model
    link.symlink_to(link)
    old = tmp_path / "old.h5"
    old.write_bytes(make.NAMES.read_bytes())
    for path in (pipe, device, folder, old):
        with pytest.raises(BadInputError, match="no .keras file"):
            look(path)
    for path in (link, Path("https://127.0.0.1:1/model.keras"), Path("hf://somebody/model")):
        with pytest.raises(MissingFileError):
            look(path)


def test_a_file_that_changes_once_it_was_read_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(make.NAMES.read_bytes())
    contents = store.read(path)
    path.write_bytes(make.tensors(lambda arrays: arrays[KERNEL].__setitem__(3, 1.0)))
    with pytest.raises(BadInputError, match="has changed since"):
        loader.keras_model(contents)
