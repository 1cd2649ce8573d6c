"""Model files whose structure was changed, signed anew, each read in a process that is measured."""

import copy
import functools
import json
import re
import struct

import numpy as np
from hypothesis import strategies as st

from tests.support import hostile
from tests.support.checker import Checker
from tests.tools.fuzz.common import inputs, most, outcomes, put, values
from tests.tools.fuzz.files import replaced

PEAK = 600_000_000  # bytes beyond the file's own that reading it may take, in all processes together
SECONDS = 5  # of computing
INTEGERS = [0, 1, 255, 2**31, 2**40, 2**63 - 1, 2**64 - 1]  # and the file's length
checker = Checker()
number = st.integers(0, 2**32 - 1)
changes = st.lists(
    st.tuples(st.sampled_from(["byte", "integer", "offset"]), number, number, st.sampled_from([1, 2, 4, 8])),
    min_size=1,
    max_size=6,
)


def check(data):
    """Whatever the file is: it is read or refused, in little time and memory."""
    came = checker(put("mutated.keras", data))
    assert came["outcome"] != "traceback", came["message"]
    assert came["seconds"] <= SECONDS and came["peak"] <= PEAK + len(data), came
    assert len(came["message"].splitlines()) < 2 and len(came["message"]) < 3000
    outcomes[came["outcome"]] += 1
    most.update({key: max(most[key], came[key]) for key in most})


class Structure:
    """The bytes of something that are its structure.

    Args:
        data: all of its bytes.
        free: which of them are no plain numbers or text, bool ``(bytes,)``.
        width: the bytes of an offset.
    """

    def __init__(self, data, free, width):
        self.data, self.free, self.width = data, free, width
        self.places = np.flatnonzero(free)
        self.telling = np.flatnonzero(free & (np.frombuffer(data, np.uint8) != 0))  # the rest is often padding
        steps = range(0, len(data) - width, 1 if width == 4 else width)
        self.offsets = [at for at in steps if free[at : at + width].all() and 0 < self._integer(at) < len(data)]

    def _integer(self, at):
        return int.from_bytes(self.data[at : at + self.width], "little")

    def changed(self, steps):
        """Return the bytes after some changes, each a kind, two numbers that say where and what, and a width."""
        data = bytearray(self.data)
        for kind, one, other, width in steps:
            if kind == "offset":
                to, source = (self.offsets[number % len(self.offsets)] for number in (one, other))
                data[to : to + self.width] = data[source : source + self.width]
                continue
            places = self.places if one % 4 == 0 else self.telling
            at = int(places[one // 4 % len(places)])
            special = [*INTEGERS, len(self.data)][other % 8]
            new = bytes([other % 256]) if kind == "byte" else (special % 2 ** (8 * width)).to_bytes(width, "little")
            for place, byte in enumerate(new, at):
                if place < len(data) and self.free[place]:
                    data[place] = byte
        return bytes(data)


@functools.cache
def in_hdf5(source):
    parts = hostile.members(source)
    data = parts[hostile.WEIGHTS]
    free = np.zeros(len(data), bool)
    free[hostile.framework(data)] = True
    return parts, Structure(data, free, 8)


@inputs(st.sampled_from([hostile.OLD_NAMES, hostile.OLD_NAMES, hostile.OLD_PROSE]), changes)
def hdf5(source, steps):
    """Whatever an HDF5 file is like around its numbers."""
    parts, structure = in_hdf5(source)
    check(hostile.pack(parts | {hostile.WEIGHTS: structure.changed(steps)}))


@functools.cache
def in_header(source):
    parts = hostile.members(source)
    data = parts[hostile.TENSORS]
    return parts, Structure(data, np.arange(len(data)) < 8 + int.from_bytes(data[:8], "little"), 8)


new = st.sampled_from([*INTEGERS, -1, 2.5, 1e300, 10**400, [], {}, None, "F32", "F64", "I64", "BF16", [2**31, 2**31]])


entries = st.tuples(st.lists(st.integers(0, 99), max_size=4), st.one_of(new, new, values))


@inputs(
    st.sampled_from([hostile.NAMES, hostile.PROSE]), st.one_of(changes, st.lists(entries, min_size=1, max_size=3))
)  # fmt: skip
def arrays(source, steps):
    """Whatever the header of the arrays says: bytes of it are changed, or values in it."""
    parts, structure = in_header(source)
    if len(steps[0]) == 4:
        data = structure.changed(steps)
    else:
        start = 8 + int.from_bytes(structure.data[:8], "little")
        header = json.loads(structure.data[8:start])
        for path, value in steps:
            header = replaced(header, path, copy.deepcopy(value))
        text = json.dumps(header).encode()
        data = len(text).to_bytes(8, "little") + text + structure.data[start:]
    check(hostile.pack(parts | {hostile.TENSORS: data}))


@functools.cache
def in_archive(source):
    import zipfile

    data = source.read_bytes()
    free = np.ones(len(data), bool)
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            lengths = struct.unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
            start = info.header_offset + 30 + sum(lengths)
            free[start : start + info.compress_size] = False
    return Structure(data, free, 4)


@inputs(st.sampled_from([hostile.NAMES, hostile.PROSE, hostile.OLD_NAMES]), changes)
def archive(source, steps):
    """Whatever the archive says of its members, in its directory and before each of them."""
    check(in_archive(source).changed(steps))


TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|null')
tokens = st.one_of(
    st.sampled_from(INTEGERS).map(lambda value: b"%d" % value),
    st.sampled_from([b"-1", b"1e400", b"-0.0", b"NaN", b"Infinity", b"9" * 5000, b"null", b'"\\ud800"', b"{}"]),
    st.builds(lambda text, times: json.dumps(text * times).encode(), st.text(max_size=3), st.integers(0, 30_000)),
    st.builds(lambda depth: b"[" * depth + b"]" * depth, st.sampled_from([1, 19, 30, 900, 100_000])),
    st.builds(lambda count: b"[" + b",".join([b"7"] * count) + b"]", st.sampled_from([1, 100, 10_000, 60_000])),
    values.map(lambda value: json.dumps(value).encode()),
)  # fmt: skip


@inputs(
    st.sampled_from([hostile.NAMES, hostile.PROSE, hostile.OLD_PROSE]),
    st.sampled_from([hostile.CONTENT, hostile.CONFIG]),
    st.lists(st.tuples(number, tokens), min_size=1, max_size=4),
)  # fmt: skip
def member(source, name, steps):
    """Whatever stands in the JSON of a file: single words of it are others, however long or deep."""
    parts = hostile.members(source)
    text = parts[name]
    for place, token in steps:
        found = list(TOKEN.finditer(text))
        at = found[place % len(found)]
        text = text[: at.start()] + token + text[at.end() :]
    try:
        data = hostile.pack(parts | {name: text})
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):  # nothing left that could be signed
        data = hostile.pack(parts | {name: text}, sign=False)
    check(data)
