"""Thousands of inputs that nobody would write, each ending in a result that is right or in one line that says why not.

``python -m tests.tools.fuzz`` tries 10,000 (``--count``), or runs for a time (``--seconds``), with new ones each time
(``--seed`` brings the same ones back). `tests/test_fuzz.py` tries a few of them.
"""

import argparse
import contextlib
import dataclasses
import faulthandler
import functools
import io
import itertools
import json
import os
import random
import tempfile
import time
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import get_args

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from kerasgen import inspect
from kerasgen.base.errors import KerasgenError
from kerasgen.base.flags import parse
from kerasgen.generation.lines import whole_lines
from kerasgen.metrics.ngrams import best_ngrams
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import archive as gate
from kerasgen.modelfile import store
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from kerasgen.text import corpora
from kerasgen.text.casing import Casing
from kerasgen.text.folding import Folding, OnUnknown
from kerasgen.text.names import encode_names, read_names, split_names
from kerasgen.text.vocab import CharVocab
from kerasgen.text.windows import WindowBatches, split_text
from tests.support import hostile

HANGS = 60  # seconds after which an input is taken to hang
FOLDER = Path()  # where the inputs that are files are written, set by who calls `attempt`
STRANGE = "\0\n\r\t \x0b\x1b\x85\xa0\u0130\u0301\u0e33\u05d0\u200d\u2028\u202e\ufe0f\ufeff\uffff\U0001f995\U000e0041aA'"
chars = st.one_of(st.sampled_from(STRANGE), st.characters(exclude_categories=["Cs"]))
texts = st.one_of(
    st.text(chars, max_size=200),
    st.builds(lambda line, count: line * count, st.text(chars, max_size=4), st.integers(0, 30_000)),
    st.builds("\n".join, st.lists(st.text("abcdefghij", max_size=12), max_size=60)),
)
encoded = st.builds(
    lambda text, name: text.encode(name, "replace"),
    texts,
    st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1251", "shift_jis", "utf-7"]),
)
content = st.one_of(encoded, encoded, st.binary(max_size=300), st.builds(lambda a, b: a + b, encoded, encoded))
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.integers(-2, 300), st.floats(), st.text(max_size=8),
        st.sampled_from([10**9, 2**31, 2**63, 10**400, "float32", "\n", "a", "../x", "NameRNN", "Lambda", "builtins"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=5,
)  # fmt: skip
KINDS = {"dino": NamesSettings, "shakespeare": ProseSettings}
FIELDS = {field.name: field.default for kind in KINDS.values() for field in dataclasses.fields(kind)}
pair = st.sampled_from([*FIELDS, *FIELDS, *FIELDS, "unit", ""]).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.one_of(st.just(FIELDS.get(name)), st.just(FIELDS.get(name)), st.integers(0, 50), st.floats(0, 1), values),
    )
)
outcomes = {"accepted": 0, "refused": 0}


@contextlib.contextmanager
def refusable():
    """Allow one kind of failure: an error of ours, in one line that can be shown anywhere."""
    try:
        yield
        outcomes["accepted"] += 1
    except KerasgenError as error:
        assert str(error).strip() and len(" ".join(str(error).split())) < 3000
        " ".join(str(error).split()).encode("utf-8", "backslashreplace")
        outcomes["refused"] += 1


def put(name, data):
    path = FOLDER / name
    path.write_bytes(data)
    return path


@given(content)
def text(data):
    """Whatever a file holds: what is read of it is what stands there, and no character is lost on the way."""
    with refusable():
        read = corpora.read(str(put("text.txt", data)), "shakespeare")
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        assert read.text == unicodedata.normalize("NFC", text) and read.text.strip()
        vocab = CharVocab.from_text(read.text)
        assert vocab.decode(vocab.encode(read.text)) == read.text
        pieces = [read.text[i : i + 7] for i in range(0, min(len(read.text), 500), 7)]
        assert "".join(pieces).startswith("".join(whole_lines(pieces, 3)))
        with refusable():  # a list that is a table
            assert corpora.read(str(put("text.txt", data)), "dinos").text == read.text
        with refusable():
            assert set(corpora.read(str(put("text.txt", data)), "dinos", "1").text) <= {*read.text, "\n", " "}
        with refusable():
            split = split_text(read.text, "both")
            assert split.train + split.validation + split.test == read.text
            ids = np.array(vocab.encode(split.train), np.int32)
            windows = WindowBatches(ids, 5, batch_size=3)
            for start, window in zip(windows.starts(2, 1)[0], windows(2, 1)[0], strict=True):
                np.testing.assert_array_equal(window, ids[start : start + 6])
        names = read_names(read.text, read.name)
        vocab = CharVocab.from_text(["\n", *"".join(names)])
        for name, row in zip(names, encode_names(names, vocab), strict=True):
            assert vocab.decode(row) == name + "\n" and row[0] == -1
        split = split_names(names, "both")
        assert {*split.train, *split.validation, *split.test} == set(names)
        assert not {*split.validation, *split.test} & set(split.train)
        counted = [vocab.encode(name) for name in names[:20]]
        assert best_ngrams(counted, counted[:1], len(vocab)).nats >= 0


def toml(value):
    """Write a value as TOML would have it, or near it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


tables = st.builds(
    lambda pairs: "\n".join(f"{key} = {toml(value)}" for key, value in pairs if value is not None).encode(
        errors="replace"
    ),
    st.lists(pair, max_size=3),
)


@given(st.sampled_from([*KINDS]), st.one_of(tables, tables, tables, content))
def configuration(kind, data):
    """Whatever a configuration file says: what is taken from it is what stands there, and the rest is refused."""
    import tomllib

    with refusable():
        path = put("config.toml", data)
        found = parse(KINDS[kind], kind, "a\n\nb", "configs/dino.toml", ["--config", str(path)])
        for key, value in tomllib.loads(data.decode()).items():
            assert getattr(found, key) == value


arguments = st.lists(
    st.one_of(
        st.builds(lambda pair: [f"--{pair[0]}={pair[1]}"], pair),
        st.builds(lambda pair: [f"--{pair[0].replace('_', '-')}", str(pair[1])], pair),
        st.builds(lambda pair: [f"--{pair[0]}"], pair),
        st.builds(lambda word: [word], st.one_of(st.text(max_size=10), st.sampled_from(["--", "-", "--config", "-h"]))),
    ),
    max_size=3,
)


@given(st.sampled_from([*KINDS]), arguments)
def command_line(kind, words):
    """Whatever flags there are: settings that follow the rules, or what is wrong with them."""
    words = [word for pair in words for word in pair]
    with refusable(), contextlib.redirect_stdout(io.StringIO()):
        try:
            found = parse(KINDS[kind], kind, "a\n\nb", f"configs/{kind}.toml", words)
        except SystemExit as stop:  # --help and --version
            assert stop.code == 0
            return
        assert dataclasses.replace(found) == found  # the rules hold


ways = st.sampled_from(get_args(OnUnknown))


@given(texts, st.text(chars, min_size=1, max_size=12), st.booleans(), ways)
def prompt(given_text, known, lower_case, on_unknown):
    """Whatever a prompt is: what the model reads has only characters that it knows."""
    casing = Casing("lower") if lower_case else Casing()
    vocab, folded = CharVocab.from_text(known), casing.fold(given_text)
    with refusable():
        read = Folding(casing, on_unknown).fold(given_text, vocab)
        assert vocab.decode(vocab.encode(read)) == read
        assert vocab.knows(read)
        composed = folded if vocab.knows(folded) else unicodedata.normalize("NFC", folded)
        assert on_unknown != "skip" or read == "".join(char for char in composed if char in vocab)
        assert on_unknown != "error" or read == composed


def look(path):
    """Read all of a model file that can be read without TensorFlow."""
    contents = store.read(path)
    return contents, store.arrays(contents)


@functools.cache
def good(source):
    return source.read_bytes(), *look(source)


sources = st.sampled_from([hostile.NAMES, hostile.PROSE])
edits = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "double", "insert", "end"]), st.floats(0, 1), st.binary(max_size=9)),
    min_size=1,
    max_size=3,
)


@given(sources, edits)
def damage(source, changes):
    """Whatever happens to a model file: it is found, or all that is used of it is as it was."""
    original, contents, arrays = good(source)
    data = original
    for kind, place, new in changes:
        at = int(place * len(data))
        if kind == "flip":
            data = data[:at] + bytes(a ^ b for a, b in zip(data[at:], new, strict=False)) + data[at + len(new) :]
        else:
            stretch = data[at : at + 50]
            middle = {"cut": b"", "double": stretch * 2, "insert": new + stretch, "end": b""}[kind]
            data = data[:at] + middle + (b"" if kind == "end" else data[at + 50 :])
    with refusable():
        found, numbers = look(put("damaged.keras", data))
        assert (found.vocab, found.card, found.known) == (contents.vocab, contents.card, contents.known)
        assert found.blueprint == contents.blueprint
        for mine, theirs in zip(numbers, arrays, strict=True):
            assert all(map(np.array_equal, mine, theirs))


def replaced(node, path, value):
    """Put a value in the place that a list of numbers leads to."""
    if not path or not isinstance(node, dict | list) or not node:
        return value
    key = sorted(node)[path[0] % len(node)] if isinstance(node, dict) else path[0] % len(node)
    node[key] = replaced(node[key], path[1:], value)
    return node


@given(
    sources, st.sampled_from([gate.CONTENT, gate.CONFIG]), st.lists(st.integers(0, 99), min_size=1, max_size=8), values
)
def forgery(source, member, path, value):
    """Whatever a file says of itself, with right checksums: all that follows can use it, or it is refused."""
    parts = hostile.members(source)
    parts[member] = json.dumps(replaced(json.loads(parts[member]), path, value)).encode()
    with refusable():
        try:
            data = hostile.pack(parts)
        except (AttributeError, KeyError, TypeError):  # nothing left that could be signed
            data = hostile.pack(parts, sign=False)
        look(put("forged.keras", data))
        told = inspect.story(inspect.describe(FOLDER / "forged.keras"))
        assert all(char.isprintable() for _, line in told for char in line)


@functools.cache
def framework():
    data = hostile.members()[gate.WEIGHTS]
    return data, hostile.framework(data), store.read(hostile.NAMES).blueprint


@given(st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=8))
def numbers(changes):
    """Whatever an HDF5 file is like around its numbers: they are those of the model, or it is refused."""
    data, places, plan = framework()
    changed = bytearray(data)
    for place, value in changes:
        changed[places[place % len(places)]] = value
    try:
        weights, _ = gate.arrays(bytes(changed), plan.shapes, plan.dtype)
        assert [array.shape for array in weights] == list(plan.shapes.values())
        outcomes["accepted"] += 1
    except gate.Refused:
        outcomes["refused"] += 1


@functools.cache
def model(source):
    import kerasgen

    return kerasgen.load(source)


numbers_of_any_kind = st.one_of(st.floats(0, 3), st.floats(), st.integers(-1, 2))


@given(
    st.one_of(st.text("abcdefgh", max_size=4), st.text(chars, max_size=5)), numbers_of_any_kind,
    st.sampled_from([None, None, 1, 3, 0, 10**9]), st.sampled_from([None, None, 0.5, 0.0, 1.0, float("nan")]),
    st.integers(-1, 13), st.integers(-1, 2**32),
)  # fmt: skip
def generation(prefix, temperature, top_k, top_p, min_length, number):
    """Whatever is asked for: texts that follow the rules and are the same again, or what is wrong."""
    names, poet, max_length = model(hostile.NAMES), model(hostile.PROSE), 12
    options = dict(temperature=temperature, top_k=top_k, top_p=top_p, seed=number)
    with refusable():
        ask = dict(prefix=prefix, min_length=min_length, max_length=max_length, **options)
        made = names.generate(3, **ask)
        assert len(made) == 3 and names.generate(3, **ask) == made
        for one in made:
            assert one.startswith(prefix) and min_length <= len(one) <= max_length and "\n" not in one
            assert all(char in names.vocab for char in one)
    with refusable():
        written = "".join(poet.stream(prefix, length=max_length, **options))
        assert len(written) == max_length and all(char in poet.vocab for char in written)


@given(st.lists(chars.filter(lambda char: char != "\n"), min_size=3, max_size=12, unique=True))
def round_trip(letters):
    """Whatever characters a text has: saved, loaded and generated, they are the same."""
    import kerasgen
    from kerasgen.models.names import NameRNN

    vocab, size = CharVocab(["\n", *letters]), len(letters) + 1
    next_one = np.roll(np.eye(size), 1, axis=1)  # after each letter comes the next
    rnn = NameRNN(size, size)
    rnn.set_weights([9 * np.eye(size), 0 * next_one, np.zeros(size), 99 * next_one, np.zeros(size)])
    word = "".join(letters)
    path = FOLDER / "letters.keras"
    store.save(path, rnn, vocab, {"kind": "names", "stop": "\n", "data": {"name": word}}, KnownTexts.of([word]))
    loaded = kerasgen.load(path)
    assert loaded.generate(1, prefix=letters[0], seed=1) == [word]
    assert word in loaded.known and loaded.vocab == vocab and loaded.card["data"]["name"] == word
    outcomes["accepted"] += 1


# What is tried, and how many of 10,000 inputs each gets; the last two train or compile, so they get few.
LIGHT = {text: 3000, configuration: 1300, command_line: 1300, prompt: 1500, damage: 1200, forgery: 1300, numbers: 1000}
HEAVY = {generation: 300, round_trip: 20}


def attempt(kind, count, start):
    """Try a number of inputs of one kind, and return what came of them."""
    outcomes.update(accepted=0, refused=0)
    faulthandler.dump_traceback_later(HANGS + count, exit=True)
    try:
        rules = settings(
            max_examples=count, deadline=timedelta(seconds=HANGS), database=None, print_blob=True,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        seed(start)(rules(kind))()
    finally:
        faulthandler.cancel_dump_traceback_later()
    return dict(outcomes)


def main():
    """Try until there is enough, and say how many inputs of each kind were accepted and refused."""
    global FOLDER
    parser = argparse.ArgumentParser(prog="python -m tests.tools.fuzz", description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="how many inputs in all (default: 10000)")
    parser.add_argument("--seconds", type=float, help="go on for so long instead")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="the same number, the same inputs")
    options = parser.parse_args()
    print(f"--seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="kerasgen-fuzz-") as folder:
        FOLDER = Path(folder)
        go_on(options)


def go_on(options):
    started, tried = time.monotonic(), 0
    for turn in itertools.count():
        for kind, share in {**LIGHT, **HEAVY}.items():
            count = max(1, share * (options.count if options.seconds is None else 1000) // sum(LIGHT.values()))
            began = time.monotonic()
            came = attempt(kind, count, options.seed + turn)
            tried += count
            print(f"{kind.__name__:14} {count:6,} inputs  {came}  {time.monotonic() - began:.0f} s", flush=True)
            if options.seconds is not None and time.monotonic() - started > options.seconds:
                break
        if options.seconds is None or time.monotonic() - started > options.seconds:
            break
    print(f"{tried:,} inputs in {time.monotonic() - started:.0f} s: each gave what is right, or one clear line")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
