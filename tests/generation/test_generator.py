"""The one sampler, asked with toy models whose logits are known: no training."""

import sys

import numpy as np
import pytest

from kerasgen.base.errors import BadInputError, TooFewWarning
from kerasgen.generation import batches, loop
from kerasgen.generation.chain import draw
from kerasgen.models.backend import tf
from kerasgen.tasks.notebook import notebook_uniforms
from tests.generation.toys import LOGITS, Fixed, Spells, generator


def softmax(logits, temperature=1.0):
    e = np.exp((np.array(logits) - max(logits)) / temperature)
    return e / e.sum()


def chi_square(text, expected, chars=".abcd"):
    counts = np.array([text.count(char) for char in chars])
    assert counts.sum() == len(text)
    return float(((counts - len(text) * expected) ** 2 / (len(text) * expected)).sum())


@pytest.mark.parametrize("temperature", [0, 1e-3, 1e-30, 1e-300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_towards_zero_temperature_it_is_the_likeliest_character(temperature, dtype):
    g = generator(compute_dtype=dtype)
    assert g.generate(3, temperature=temperature, max_length=6) == ["aaaaaa"] * 3


@pytest.mark.parametrize("temperature", [1e6, 1e30, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_towards_infinite_temperature_every_character_is_as_likely(temperature, dtype):
    g = generator(compute_dtype=dtype)
    (text,) = g.generate(1, temperature=temperature, max_length=5000)
    assert chi_square(text, np.full(5, 0.2)) < 18.47


@pytest.mark.parametrize("temperature", [1e6, 1e38, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_temperature_makes_a_forbidden_stop_possible(temperature, dtype):
    texts = generator(stop=".", compute_dtype=dtype).generate(200, temperature=temperature, min_length=6, max_length=6)
    assert {len(text) for text in texts} == {6}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("rows, length", [(20_000, 1), (1, 20_000), (100, 200)])
def test_draws_follow_the_softmax(temperature, rows, length):
    text = "".join(generator().generate(rows, temperature=temperature, max_length=length, seed=7))
    assert len(text) == 20_000
    assert chi_square(text, softmax(LOGITS, temperature)) < 18.47  # 99.9 % of chi-square with 4 degrees of freedom


def test_neighbours_are_independent():
    texts = generator().generate(200, max_length=101, seed=3)
    pairs = np.zeros((5, 5))
    for text in texts:
        for one, two in zip(text, text[1:], strict=False):
            pairs[".abcd".index(one), ".abcd".index(two)] += 1
    expected = np.outer(pairs.sum(axis=1), pairs.sum(axis=0)) / pairs.sum()
    assert ((pairs - expected) ** 2 / expected).sum() < 39.25  # 99.9 % with 16 degrees of freedom


def test_it_stops_at_the_stop_character():
    assert generator(model=Spells, stop=".").generate(2) == ["abc", "abc"]
    assert generator(model=Spells).generate(1, max_length=7) == ["abc.abc"]


def test_the_longest_and_the_shortest_text():
    g = generator(model=Spells, stop=".")
    assert g.generate(1, max_length=3) == ["abc"]
    assert generator(model=Spells).generate(1, max_length=2) == ["ab"]  # where nothing ends a text, it is cut
    texts = generator(stop=".").generate(300, min_length=3, max_length=5)
    assert {len(text) for text in texts} == {3, 4, 5}
    assert {len(text) for text in generator(stop=".").generate(300, min_length=5, max_length=5)} == {5}


def test_the_shortest_text_counts_where_it_is_greedy_too():
    assert generator((9, 1, 0, 0, 0), stop=".").generate(1, temperature=0) == [""]
    assert generator((9, 1, 0, 0, 0), stop=".").generate(1, temperature=0, min_length=3) == ["aaa"]


def test_a_prefix_is_gone_on_from():
    g = generator(model=Spells, stop=".")
    assert g.generate(1, prefix="dd") == ["ddc"]
    assert g.generate(1, prefix="ddd") == ["ddd"]
    assert g.generate(2, prefix="d", max_length=3) == ["dbc"] * 2
    assert {len(t) for t in generator(stop=".").generate(50, prefix="abc", min_length=4, max_length=6)} == {4, 5, 6}


@pytest.mark.parametrize("top_k, allowed", [(1, "a"), (2, "ab"), (4, ".abd"), (5, ".abcd"), (99, ".abcd")])
def test_top_k_draws_from_the_k_likeliest(top_k, allowed):
    (text,) = generator().generate(1, top_k=top_k, max_length=3000)
    assert set(text) == set(allowed)


@pytest.mark.parametrize("top_p, allowed", [(0.01, "a"), (0.5, "a"), (0.6, "ab"), (0.8, "abd"), (1.0, ".abcd")])
def test_top_p_draws_from_the_smallest_set_with_that_probability(top_p, allowed):
    order = np.argsort(softmax(LOGITS))[::-1]
    smallest = order[: np.searchsorted(np.cumsum(softmax(LOGITS)[order]), top_p - 1e-9) + 1]
    assert set(allowed) == {".abcd"[i] for i in smallest}  # the parameters above are what the definition says
    (text,) = generator().generate(1, top_p=top_p, max_length=3000)
    assert set(text) == set(allowed)


def test_what_remains_keeps_its_proportions():
    (text,) = generator().generate(1, top_k=2, max_length=20_000)
    assert chi_square(text, softmax([2.0, 1.0]), "ab") < 10.83
    (text,) = generator().generate(1, top_k=3, top_p=0.8, max_length=20_000)
    assert chi_square(text, softmax([2.0, 1.0]), "ab") < 10.83


def test_ties_are_kept_together():
    tied = (0.0, 2.0, 2.0, 2.0, -1.0)
    assert set(generator(tied).generate(1, top_k=2, max_length=500)[0]) == set("abc")
    assert set(generator(tied).generate(1, top_p=0.3, max_length=500)[0]) == set("abc")


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.7, "top_k": 4}, {"prefix": "ab", "top_p": 0.9}], ids=str)
def test_text_i_depends_neither_on_how_many_nor_on_how_long(settings):
    g = generator(stop=".")
    many = g.generate(2500, seed=5, **settings)
    for count in (1, 2, 10, 100, 1024, 1025):
        assert g.generate(count, seed=5, **settings) == many[:count]
    short = [text for text in many if len(text) <= 12]
    assert len(short) < len(many) and g.generate(100, seed=5, max_length=12, **settings) == short[:100]
    longer = generator().generate(100, seed=5, max_length=80, **settings)
    assert generator().generate(100, seed=5, max_length=12, **settings) == [text[:12] for text in longer]


def test_five_thousand_texts_span_blocks_and_repeat_nothing():
    texts = generator().generate(5000, max_length=20)
    assert len(texts) == len(set(texts)) == 5000


def test_every_seed_gives_other_texts_and_all_of_them_work():
    seeds = [0, 1, 2, 2**31 - 1, 2**31, 2**32 - 1]
    assert len({generator().generate(1, seed=seed)[0] for seed in seeds}) == len(seeds)


def test_a_draw_is_that_of_numpys_choice():
    probs = np.random.RandomState(1).dirichlet(np.ones(27), size=2000)
    uniforms = [np.random.RandomState(i).random_sample() for i in range(2000)]
    expected = [np.random.RandomState(i).choice(27, p=p) for i, p in enumerate(probs)]
    np.testing.assert_array_equal(draw(tf.constant(probs), tf.constant(uniforms, tf.float64)), expected)


def test_the_ends_of_the_unit_interval_draw_something_possible():
    probs = tf.constant([[0.0, 0.3, 0.7, 0.0]] * 2, tf.float64)
    assert draw(probs, tf.constant([0.0, np.nextafter(1, 0)], tf.float64)).numpy().tolist() == [1, 2]


def test_given_uniforms_are_drawn_with():
    uniforms = notebook_uniforms(7, 9)
    cdf = np.cumsum(softmax(LOGITS))
    expected = ["".join(".abcd"[np.searchsorted(cdf / cdf[-1], u, side="right")] for u in row) for row in uniforms]
    assert generator().generate(7, uniforms=uniforms, max_length=9) == expected
    many = np.random.RandomState(0).random_sample((1500, 4))
    assert generator().generate(1500, uniforms=many, max_length=4)[1200:1203] == generator().generate(
        3, uniforms=many[1200:1203], max_length=4
    )


class StartsWithA:
    """Contains every text that does."""

    def __contains__(self, text):
        return text.startswith("a")


class Everything:
    """Contains every text."""

    def __contains__(self, text):
        return True


def test_unique_and_novel_only():
    g = generator(stop=".", known=StartsWithA())
    plain = g.generate(3000, max_length=3)
    unique = g.generate(60, max_length=3, unique=True)
    assert unique == list(dict.fromkeys(plain))[:60]
    novel = g.generate(60, max_length=3, novel_only=True)
    assert novel == [text for text in plain if not text.startswith("a")][:60]
    both = g.generate(40, max_length=3, unique=True, novel_only=True)
    assert both == list(dict.fromkeys(text for text in plain if not text.startswith("a")))[:40]


def test_many_different_texts_come_in_the_order_of_their_rows():
    g = generator()
    plain = g.generate(4000, max_length=12)
    assert g.generate(2500, max_length=12, unique=True) == list(dict.fromkeys(plain))[:2500]


@pytest.mark.parametrize("settings", [{}, {"temperature": 0}], ids=str)
def test_where_there_are_too_few_texts_all_of_them_come_with_a_warning(settings):
    g = generator()
    with pytest.warns(
        TooFewWarning, match=r"^the model gives only \d of the 1,030 texts asked for; raise --temp[^\n]*$"
    ):
        found = g.generate(1030, max_length=1, unique=True, **settings)
    assert found == list(dict.fromkeys(g.generate(4000, max_length=1, **settings)))
    with pytest.warns(TooFewWarning, match="gives none of the texts asked for"):
        assert generator(known=Everything()).generate(1, max_length=1, novel_only=True, **settings) == []


def test_a_long_search_says_in_a_terminal_how_it_goes(monkeypatch, capsys):
    g = generator()
    monkeypatch.setattr(batches, "_SECONDS", 0)
    plain = g.generate(2500, max_length=12, unique=True)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert g.generate(2500, max_length=12, unique=True) == plain
    lines = capsys.readouterr().err.splitlines()
    assert "of the 2,500 texts after 2,048 were generated" in lines[-1] and len(lines) <= 4


@pytest.mark.parametrize("chars", ["\n\0ab", "\n\U00010380\U0001f996e", "\n\0\U0001f996e"])
def test_nul_and_astral_characters_come_out_right(chars):
    texts = generator((0.0,) * 4, stop="\n", chars=chars).generate(200, max_length=8)
    assert {char for text in texts for char in text} == set(chars[1:])
    assert max(len(text) for text in texts) == 8
    assert any(text.endswith(chars[1]) for text in texts)


BAD = {
    "num_samples": [0, -3],
    "temperature": [-0.1, float("nan"), float("inf"), "warm"],
    "top_k": [0, 1.5],
    "top_p": [0.0, 1.5, float("nan")],
    "max_length": [0, 2.5],
    "min_length": [-1, 51],
    "prefix": ["xyz", "a" * 50, "a.b"],
    "seed": [2**32],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in BAD.items() for value in values])
def test_bad_values_are_one_line_errors(name, value):
    with pytest.raises(BadInputError) as raised:
        generator(stop=".").generate(**{name: value})
    assert "\n" not in str(raised.value) and isinstance(raised.value, ValueError)


def test_a_letter_outside_the_vocabulary_is_named_with_what_to_write():
    with pytest.raises(BadInputError, match="received 'á'.*write 'a' instead"):
        generator().generate(1, prefix="bá")


def test_its_step_is_a_tf_function_with_explicit_state():
    g = generator()
    ids, state = g.step(tf.constant([-1, -1]), tf.zeros((2, 1), tf.int32), tf.constant([0.0, 0.999]), 1.0)
    assert ids.numpy().tolist() == [0, 4] and state.numpy().tolist() == [[1], [1]]


def test_the_step_forbids_the_stop_character_where_told():
    g = generator(stop=".")
    arguments = tf.constant([-1]), tf.zeros((1, 1), tf.int32), tf.constant([0.0]), 1.0
    assert [int(g.step(*arguments, stop_allowed=allowed)[0][0]) for allowed in (True, False)] == [0, 1]


def test_a_nested_state_goes_through():
    class Nested(Fixed):
        def initial_state(self, batch_size):
            return [(tf.zeros((batch_size, 2)), tf.zeros((batch_size, 3), tf.int32))]

        def step(self, ids, state):
            ((a, b),) = state
            return super().step(ids, a)[0], [(a + 1, b + 1)]

    assert generator(model=Nested).generate(3, prefix="ab", max_length=9) == [
        "ab" + text[2:] for text in generator().generate(3, prefix="ab", max_length=9)
    ]


def test_of_very_many_characters_fewer_rows_are_computed_at_once_and_the_texts_are_the_same(monkeypatch):
    shares, plain = [], loop.Loop._loop

    def noting(self, share, *given):
        shares.append(share)
        return plain(self, share, *given)

    monkeypatch.setattr(loop.Loop, "_loop", noting)
    texts = generator.__wrapped__().generate(40, seed=3, max_length=9)
    assert {*shares} == {64}
    monkeypatch.setattr(loop, "CELLS", 8 * len(LOGITS))
    shares.clear()
    assert generator.__wrapped__().generate(40, seed=3, max_length=9) == texts
    assert {*shares} == {8}
