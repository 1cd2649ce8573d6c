"""Model files that were damaged, or that say something else of themselves."""

import functools
import json

import numpy as np
from hypothesis import strategies as st

from kerasgen import inspect
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import archive as gate
from kerasgen.modelfile import store
from kerasgen.text.vocab import CharVocab
from tests.support import hostile
from tests.tools.fuzz import common
from tests.tools.fuzz.common import chars, inputs, outcomes, put, refusable, values


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


@inputs(sources, edits)
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


@inputs(
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
        told = inspect.story(inspect.describe(common.FOLDER / "forged.keras"))
        assert all(char.isprintable() for _, line in told for char in line)


@inputs(st.lists(chars.filter(lambda char: char != "\n"), min_size=3, max_size=12, unique=True))
def round_trip(letters):
    """Whatever characters a text has: saved, loaded and generated, they are the same."""
    import kerasgen
    from kerasgen.models.names import NameRNN

    vocab, size = CharVocab(["\n", *letters]), len(letters) + 1
    next_one = np.roll(np.eye(size), 1, axis=1)  # after each letter comes the next
    rnn = NameRNN(size, size)
    rnn.set_weights([9 * np.eye(size), 0 * next_one, np.zeros(size), 99 * next_one, np.zeros(size)])
    word = "".join(letters)
    path = common.FOLDER / "letters.keras"
    store.save(path, rnn, vocab, {"kind": "names", "stop": "\n", "data": {"name": word}}, KnownTexts.of([word]))
    loaded = kerasgen.load(path)
    assert loaded.generate(1, prefix=letters[0], seed=1) == [word]
    assert word in loaded.known and loaded.vocab == vocab and loaded.card["data"]["name"] == word
    outcomes["accepted"] += 1
