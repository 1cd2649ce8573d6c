"""How characters are drawn: the settings, the chain from logits to ids against plain NumPy, and what is compiled."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.generation.sampling import Sampling
from tests.conftest import ROOT
from tests.generation.toys import LETTERS, generator, remembering, small_poet


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"temperature": -1}, "temperature must be zero (greedy) or a positive number; received -1"),
        ({"temperature": float("nan")}, "received nan"),
        ({"temperature": None}, "received None"),
        ({"top_k": 0}, "top_k must be at least 1; received 0"),
        ({"top_k": 2.5}, "received 2.5"),
        ({"top_p": 0}, "top_p must be above 0 and at most 1; received 0"),
        ({"top_p": 1.01}, "received 1.01"),
        ({"max_length": 0}, "max_length must be at least 1; received 0"),
        ({"min_length": 51}, "min_length must be between 0 and the maximum of 50; received 51"),
        ({"min_length": -1}, "received -1"),
        ({"seed": 2**32}, "seed must be between 0 and 4294967295; received 4294967296"),
    ],
    ids=str,
)
def test_a_value_outside_its_range_is_refused_in_one_line(given, words):
    with pytest.raises(BadInputError) as raised:
        Sampling(**given)
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_sampling_is_a_value():
    assert Sampling(top_k=3) == Sampling(top_k=np.int64(3)) != Sampling()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sampling().seed = 1  # type: ignore[misc]
    assert Sampling(temperature=0).greedy and Sampling(temperature=1e-31).greedy and not Sampling().greedy


def oracle(model, uniforms, temperature=1.0, top_k=None, top_p=None, min_length=0, stop=None, prefix=""):
    """Write a text with the numbers of `uniforms`, by the definitions: a loop over characters, no tensors."""
    seen, last, text = np.zeros(len(LETTERS)), 0, ""
    for position, uniform in enumerate(uniforms):
        logits, seen = model.oracle(last, seen)
        if position < len(prefix):
            last, text = LETTERS.encode(prefix)[position], text + prefix[position]
            continue
        logits = logits.copy()
        if stop and position < min_length:
            logits[LETTERS.encode(stop)[0]] = -np.inf
        order = np.argsort(-logits, kind="stable").tolist()
        if temperature == 0:
            last = order[0]
        else:
            probs = np.exp((logits - logits.max()) / temperature)
            kept = order[:top_k]
            total, cumulated = sum(probs[kept]), 0.0
            if top_p is not None:
                for count, i in enumerate(kept, 1):
                    cumulated += probs[i]
                    if cumulated >= top_p * total:
                        kept = kept[:count]
                        break
            probs = np.where(np.isin(np.arange(len(probs)), kept), probs, 0)
            last = int(np.searchsorted(np.cumsum(probs) / probs.sum(), uniform, side="right"))
        if LETTERS.chars[last] == stop:
            return text
        text += LETTERS.chars[last]
    return text


ORACLE = [
    {},
    {"temperature": 0.5},
    {"temperature": 2.0, "prefix": "bad"},
    {"temperature": 0, "prefix": "a"},
    {"top_k": 3},
    {"top_k": 1, "temperature": 3.0},
    {"top_k": 99},
    {"top_p": 0.5},
    {"top_p": 0.95, "temperature": 1.5},
    {"top_p": 1.0},
    {"top_k": 4, "top_p": 0.6, "temperature": 1.3, "prefix": "egg"},
    {"stop": "\n"},
    {"stop": "\n", "min_length": 20, "top_k": 5},
    {"stop": "\n", "min_length": 9, "temperature": 0},
]


@pytest.mark.parametrize("given", ORACLE, ids=str)
def test_every_text_is_that_of_plain_numpy(given):
    stop = given.get("stop")
    generator = remembering(start="\n", stop=stop)
    uniforms = np.random.RandomState(3).random_sample((12, 40))
    expected = [oracle(generator.char_model, row, **given) for row in uniforms]
    settings = {key: value for key, value in given.items() if key != "stop"}
    assert generator.generate(12, uniforms=uniforms, max_length=40, **settings) == expected


COUNTING = """
import json, os, sys
import numpy as np
from tests.generation.toys import generator, remembering, small_poet

def compiled():
    return sum("before_optimizations" in name for name in os.listdir(sys.argv[1]))

letters, names = remembering(start="\\n"), generator(stop=".")
counts, traces = [], []
for turn in range(2):
    for rows in (1, 5, 50, 1000):
        names.generate(rows, prefix="ab")
        names.generate(rows, uniforms=np.full((rows, 50), 0.5))
    names.generate(2, pattern="abcd")  # which is so rare that it looks ahead
    "".join(letters.stream("a", length=5000))
    letters.next_probabilities("ab")
    for text in ("abc", "abc" * 12, "a" * 513):
        letters.score(text)
    if turn:
        for step in range(12):
            given = dict(temperature=step / 4, seed=step * 10**8)
            given |= dict(top_k=[None, 1 + step][step % 2], top_p=[None, 1 - step / 20][step % 3 > 0])
            for rows in (1, 2 + step % 7, 20 + step, 100 + 90 * step):
                prefix, most = "abcd"[: step % 5], 5 + 17 * step
                names.generate(rows, prefix=prefix, min_length=step % 3, max_length=most, **given)
                names.generate(rows, max_length=most, uniforms=np.full((rows, most), 0.3))
            names.generate(2, prefix="c" * (step % 3), ends_with="ca" + "b" * step, max_length=20 + step, seed=step)
            "".join(letters.stream("ab" * step * 100, length=1 + 1000 * step, **given))
            letters.next_probabilities("ab" * step)
            letters.score("abc" * (step + 1))
            letters.score("a" * (513 + step))
    counts.append(compiled())
    traces.append(names.char_model.traced)
made = names.generate(20, seed=9)
streamed = "".join(small_poet().stream("egg", length=60, seed=11))
print(json.dumps({"counts": counts, "traces": traces, "made": made, "streamed": streamed}))
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """What a fresh process compiled, by XLA's own dump, before and after many settings were changed."""
    folder = tmp_path_factory.mktemp("xla")
    flags = f"--xla_dump_to={folder} --xla_dump_hlo_as_text"
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, str(folder)],
        cwd=ROOT, env={**os.environ, "XLA_FLAGS": flags}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_changing_a_setting_compiles_nothing(counted):
    (first, later), traces = counted["counts"], counted["traces"]
    assert first > 0 and traces[0] > 0
    assert later == first
    assert traces[1] == traces[0]


def test_the_same_seed_gives_the_same_text_in_a_fresh_process(counted):
    assert counted["made"] == generator(stop=".").generate(20, seed=9)
    assert counted["streamed"] == "".join(small_poet().stream("egg", length=60, seed=11))
