"""A text becomes parts and windows; every position can be returned to, and nothing leaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.base.errors import BadInputError
from kerasgen.text.order import Orders, permuted
from kerasgen.text.vocab import CharVocab
from kerasgen.text.windows import WindowBatches, split_text

SEEDS = st.integers(0, 2**32 - 1)


def plain_windows(text, seq_len, stride):
    """The notebook's loop: every window that has a character after it, and that character."""
    return [text[i : i + seq_len] + text[i + seq_len : i + seq_len + 1] for i in range(0, len(text) - seq_len, stride)]


@pytest.fixture(scope="module")
def sonnets(mirror):
    return (mirror / "shakespeare.txt").read_text(encoding="utf-8").lower()


def test_the_real_text_has_the_notebook_s_windows(sonnets):
    vocab = CharVocab.from_text(sonnets)
    assert (len(sonnets), len(vocab)) == (94_275, 38)
    batches = WindowBatches(vocab.encode(sonnets), 40, stride=3, batch_size=128)
    assert (batches.windows, batches.steps_per_epoch) == (31_412, 246)
    rows = batches(0, 246).reshape(-1, 41)[:31_412]
    assert sorted(map(vocab.decode, rows)) == sorted(plain_windows(sonnets, 40, 3))


def test_the_real_text_is_split_as_promised(sonnets):
    both, test, validation = (split_text(sonnets, holdout) for holdout in ("both", "test", "validation"))
    assert [len(part) for part in (both.train, both.validation, both.test)] == [75_420, 9_427, 9_428]
    assert both.train + both.validation + both.test == sonnets
    assert (test.train, test.validation, test.test) == (both.train + both.validation, "", both.test)
    assert (validation.train, validation.validation, validation.test) == (test.train, both.test, "")


@pytest.mark.parametrize("holdout", ["validation", "test", "both", "none"])
@given(length=st.integers(2, 300))
def test_the_parts_are_contiguous_and_disjoint(holdout, length):
    text = "".join(map(chr, range(0x4E00, 0x4E00 + length)))  # each character tells where it stood
    split = split_text(text, holdout)
    assert split.train + split.validation + split.test == text
    early, late = int(length * 0.8), int(length * 0.9)
    sizes = {
        "validation": (late, length - late, 0),
        "test": (late, 0, length - late),
        "both": (early, late - early, length - late),
        "none": (length, 0, 0),
    }
    assert (len(split.train), len(split.validation), len(split.test)) == sizes[holdout]


@pytest.mark.parametrize("text", ["a", "aaaa", "\n\n\n", ""])
def test_one_character_is_too_little(text):
    with pytest.raises(BadInputError, match="at least two different characters") as caught:
        split_text(text, "validation")
    assert repr(text[:1]) in str(caught.value) and "\n" not in str(caught.value)


@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 60), st.integers(1, 9), SEEDS)
def test_strided_windows_are_those_of_a_plain_loop_in_every_pass(seq_len, stride, more, batch_size, seed):
    ids = np.arange(seq_len + stride + 1 + more)
    batches = WindowBatches(ids, seq_len, stride=stride, batch_size=batch_size, seed=seed)
    expected = plain_windows(ids.tolist(), seq_len, stride)
    assert batches.windows == len(expected)
    endless = batches(0, 3 * batches.steps_per_epoch).reshape(-1, seq_len + 1)
    for epoch in range(3):
        assert sorted(endless[epoch * len(expected) : (epoch + 1) * len(expected)].tolist()) == expected


@given(st.integers(1, 12), st.integers(0, 80), SEEDS)
def test_windows_end_to_end_lie_inside_the_text_and_never_overlap(seq_len, more, seed):
    ids = np.arange(3 * seq_len + more)
    batches = WindowBatches(ids, seq_len, batch_size=1, seed=seed)
    offsets = set()
    for epoch in range(40):
        starts = np.sort(batches.starts(epoch * batches.windows, batches.windows).ravel())
        assert 0 <= starts[0] < seq_len and starts[-1] + seq_len < len(ids)
        assert (np.diff(starts) == seq_len).all()
        offsets.add(int(starts[0]))
    assert seq_len == 1 or len(offsets) > 1
    np.testing.assert_array_equal(batches(0, 1)[0, 0], ids[batches.starts(0, 1)[0, 0] :][: seq_len + 1])


def test_offsets_reach_every_place_and_hardly_any_character_is_left_out():
    batches = WindowBatches(np.arange(400), 8, batch_size=7)
    endless = batches.starts(0, 3500).ravel()
    passes = [endless[e * batches.windows : (e + 1) * batches.windows] for e in range(500)]
    assert {min(starts) for starts in passes} == set(range(8))
    assert len({*map(tuple, passes)}) == 500
    assert len({*(endless[:, None] + np.arange(9)).ravel()}) >= 400 - 8


def test_the_windows_are_a_function_of_seed_and_epoch():
    def passes(seed):
        batches = WindowBatches(np.arange(300), 10, batch_size=1, seed=seed)
        return [tuple(batches.starts(e * batches.windows, batches.windows).ravel().tolist()) for e in range(3)]

    assert passes(5) == passes(5)
    assert len({*passes(5), *passes(6)}) == 6


@given(st.one_of(st.none(), st.integers(1, 9)), st.integers(1, 9), SEEDS, st.integers(0, 150), st.integers(1, 20))
def test_any_position_equals_the_sequential_one(stride, batch_size, seed, first, steps):
    def fresh():
        return WindowBatches(np.arange(60), 7, stride=stride, batch_size=batch_size, seed=seed)

    walked = fresh()
    sequential = np.concatenate([walked(step, 1) for step in range(first + steps)])
    assert sequential.shape == (first + steps, batch_size, 8) and sequential.dtype == np.int32
    jumped = fresh()
    np.testing.assert_array_equal(jumped(first, steps), sequential[first:])
    np.testing.assert_array_equal(jumped(0, 1), sequential[:1])  # and back again


@pytest.mark.parametrize("stride", [None, 3])
@pytest.mark.parametrize(
    ("first", "end", "size", "lengths"), [(0, 9, 3, [3, 3, 3]), (5, 13, 3, [3, 3, 2]), (4, 5, 20, [1]), (7, 7, 4, [])]
)
def test_chunks_are_the_same_batches(stride, first, end, size, lengths):
    batches = WindowBatches(np.random.randint(0, 30, 200), 11, stride=stride, batch_size=4, seed=3)
    found = batches.chunks(first, end, size)
    chunks = [np.asarray(chunk) for chunk in found]
    assert [len(chunk) for chunk in chunks] == lengths
    assert all(chunk.dtype == np.int32 for chunk in chunks)
    if chunks:
        np.testing.assert_array_equal(np.concatenate(chunks), batches(first, end - first))


@pytest.mark.parametrize("stride", [None, 1, 3, 40, 100])
@pytest.mark.parametrize("length", [0, 1, 39, 40, 41])
def test_text_for_less_than_two_windows_is_refused_with_what_there_is_and_what_to_do(stride, length):
    with pytest.raises(BadInputError, match=rf"two windows of 40 characters; .* has {length}; .*--seq-len") as caught:
        WindowBatches(np.zeros(length), 40, stride=stride)
    assert "\n" not in str(caught.value)


def test_the_least_text_that_has_two_strided_windows():
    assert WindowBatches(np.arange(44), 40, stride=3).windows == 2
    with pytest.raises(BadInputError, match="has 43"):
        WindowBatches(np.arange(43), 40, stride=3)


def test_a_text_of_two_windows_and_the_character_after_is_enough():
    batches = WindowBatches(np.arange(81), 40, batch_size=2)
    for epoch in range(20):
        assert sorted(batches.starts(epoch, 1).ravel()) == [0, 40]


@pytest.mark.parametrize("count", [2, 3, 5, 64, 65, 1000])
def test_a_keyed_order_is_a_permutation_that_hangs_on_its_key(count):
    orders = [permuted(np.arange(count), count, seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert all(sorted(order) == list(range(count)) for order in orders)
    assert np.array_equal(orders[0], orders[3])
    if count > 60:
        assert len({tuple(order) for order in orders}) == 3
        assert abs(np.corrcoef(orders[0], np.arange(count))[0, 1]) < 0.4
    np.testing.assert_array_equal(permuted(np.array([1, 0, 1]), count, 0, 0), orders[0][[1, 0, 1]])


def test_a_keyed_order_is_as_good_as_drawn():
    order = permuted(np.arange(100_000), 100_000, 7, 0)
    for other in (np.arange(100_000), np.roll(order, 1), permuted(np.arange(100_000), 100_000, 7, 1)):
        assert abs(np.corrcoef(order, other)[0, 1]) < 0.02
    assert np.abs(np.bincount(order[:10_000] // 10_000) - 1000).max() < 150  # of each tenth, a tenth
    few = [tuple(permuted(np.arange(3), 3, seed, 0)) for seed in range(600)]
    assert len(set(few)) == 6 and min(map(few.count, set(few))) > 60


def test_an_order_that_is_computed_where_it_is_needed_is_never_far_away():
    orders = Orders(10**15, 3, keyed=True)
    (epoch, found), (after, more) = orders.walk(2 * 10**15 - 5, 2 * 10**15 + 5)
    assert (epoch, after, len(found), len(more)) == (1, 2, 5, 5)
    np.testing.assert_array_equal(found, permuted(np.arange(10**15 - 5, 10**15), 10**15, 3, 1))
    assert len({*found, *more}) == 10 and max(found) > 10**13
