"""What all kinds of inputs share: strategies, the one kind of failure that is allowed, and what came of them."""

import contextlib
import faulthandler
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from kerasgen.base.errors import KerasgenError

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
outcomes = {"accepted": 0, "refused": 0}
most = {"seconds": 0.0, "peak": 0}  # that a model file took, where that is measured


def inputs(*strategies):
    """Say what a kind of inputs is made of; unlike hypothesis' own `given`, it can be tried again with another seed."""

    def note(kind):
        kind.strategies = strategies
        return kind

    return note


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


def attempt(kind, count, start):
    """Try a number of inputs of one kind, and return what came of them."""
    outcomes.update(accepted=0, refused=0)
    most.update(seconds=0.0, peak=0)
    faulthandler.dump_traceback_later(10 * HANGS + count, exit=True)  # by the wall's clock, also of a busy machine
    try:
        rules = settings(
            max_examples=count, deadline=timedelta(seconds=HANGS), database=None, print_blob=True,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        seed(start)(rules(given(*kind.strategies)(kind)))()
    finally:
        faulthandler.cancel_dump_traceback_later()
    return dict(outcomes)
