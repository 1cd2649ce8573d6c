"""A list of names becomes parts, rows and batches; every position can be returned to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.base.errors import BadInputError
from kerasgen.tasks.notebook import notebook_order
from kerasgen.text.names import STOP, LongList, NameBatches, NameRows, read_names, split_names
from kerasgen.text.vocab import CharVocab

HOLDOUTS = ["validation", "test", "both", "none"]
NAMES = st.lists(st.text(alphabet="abcde", min_size=1, max_size=3), min_size=2, max_size=60)


@pytest.fixture(scope="module")
def dinos(mirror):
    return read_names((mirror / "dinos.txt").read_text(encoding="utf-8").lower(), "dinos")


def test_the_facts_of_the_real_list(dinos):
    assert (len(dinos), len(set(dinos)), max(map(len, dinos))) == (1536, 1524, 26)
    assert (dinos[0], dinos[-1]) == ("aachenosaurus", "zuul")
    assert round(sum(map(len, dinos)) / len(dinos), 2) == 11.96
    assert CharVocab.from_text([*"".join(dinos), STOP]).chars == tuple("\nabcdefghijklmnopqrstuvwxyz")


def test_the_real_list_is_split_as_promised(dinos):
    test, validation = split_names(dinos, "test"), split_names(dinos, "validation")
    assert (len(test.test), len(test.train), test.validation) == (152, 1382, [])
    assert (len(validation.validation), validation.test) == (152, [])
    both = split_names(dinos, "both")
    assert (both.test, both.validation) == (test.test, validation.validation)
    distinct = sorted(set(dinos))
    order = np.random.RandomState(0).permutation(1524)
    assert test.test == [distinct[i] for i in order[:152]]
    assert validation.validation == [distinct[i] for i in order[152:304]]


@pytest.mark.parametrize("holdout", HOLDOUTS)
@given(names=NAMES)
def test_no_name_is_in_two_parts_and_none_is_lost(holdout, names):
    split = split_names(names, holdout)
    parts = [set(split.train), set(split.validation), set(split.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(set(names))
    assert len(split.validation) == len(parts[1]) and len(split.test) == len(parts[2])  # each once
    tenth = len(set(names)) // 10
    assert len(split.validation) == (tenth if holdout in ("validation", "both") else 0)
    assert len(split.test) == (tenth if holdout in ("test", "both") else 0)
    assert split.train == [name for name in names if name in parts[0]]  # in order, repetitions kept


@given(st.permutations(sorted({a + b for a in "abcde" for b in "abcde"})))
def test_the_split_does_not_depend_on_the_order_of_the_list(names):
    again = split_names(sorted(names), "both")
    split = split_names(names, "both")
    assert (split.validation, split.test) == (again.validation, again.test)


def test_names_are_cleaned():
    assert read_names("  Rex \n\n\tZUUL\n \nMinmi", "x") == ["Rex", "ZUUL", "Minmi"]
    assert read_names("Ёж\nЯк\n竜\n", "x") == ["Ёж", "Як", "竜"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "names.txt has none"), ("rex\n\n", "only 'rex'"), ("rex\n\n rex", "only 'rex'")],
)
def test_fewer_than_two_different_names_are_refused(text, words):
    with pytest.raises(BadInputError, match="at least two different names") as caught:
        read_names(text, "names.txt")
    assert words in str(caught.value)


def test_an_endless_line_is_refused_with_its_number_and_length():
    assert len(read_names("rex\n" + "a" * 256, "x")[1]) == 256
    with pytest.raises(BadInputError, match=r"at most 256 characters; line 3 of big\.txt has 257"):
        read_names("rex\n\n" + "a" * 257, "big.txt")


def test_the_layout_of_rows():
    vocab = CharVocab("\nab")
    rows = NameRows(["ab", "b"], vocab)
    assert rows[0].dtype == np.int32 and rows[np.array([[1], [0]])].shape == (2, 1, 17) and rows.chars == 5
    assert rows[np.arange(2)].tolist() == [[-1, 1, 2, 0, *[-1] * 13], [-1, 2, 0, *[-1] * 14]]


@pytest.mark.parametrize(("longest", "width"), [(1, 17), (15, 17), (16, 33), (26, 33), (31, 33), (32, 49)])
def test_rows_are_a_multiple_of_16_wide_and_one_more(longest, width):
    assert NameRows(["a" * longest], CharVocab("\na")).shape == (1, width)


@given(NAMES, st.integers(1, 7))
def test_rows_hold_every_name_whole(names, block):
    vocab = CharVocab("\nabcde")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kerasgen.text.names._BLOCK", block)
        rows = NameRows(names, vocab)
    assert list(LongList(rows)) == names and LongList(rows)[1:5] == names[1:5]
    for row, name in zip(rows, names, strict=True):
        assert row[0] == -1 and vocab.decode(row) == name + STOP
        assert (row[1 : len(name) + 2] >= 0).all() and (row[len(name) + 2 :] == -1).all()


def numbered(count):
    """Rows that tell which they are."""
    return np.stack([np.full(count, -1), np.arange(count)], axis=1).astype(np.int32)


def places(batches, first, count):
    return batches(first, count)[:, :, 1]  # (count, batch)


COUNTS, SIZES = st.integers(1, 30), st.integers(1, 12)


@given(COUNTS, SIZES, st.integers(0, 2**32 - 1), st.integers(0, 200), st.integers(1, 20))
def test_any_position_equals_the_sequential_one(count, size, seed, first, steps):
    rows = numbered(count)
    walked = NameBatches(rows, size, seed=seed)
    sequential = np.concatenate([walked(step, 1) for step in range(first + steps)])
    jumped = NameBatches(rows, size, seed=seed)
    np.testing.assert_array_equal(jumped(first, steps), sequential[first:])
    np.testing.assert_array_equal(jumped(0, 1), sequential[:1])  # and back again
    assert sequential.shape == (first + steps, size, 2) and sequential.dtype == np.int32


@given(COUNTS, SIZES, st.integers(0, 2**32 - 1))
def test_each_epoch_is_a_permutation_and_batches_straddle_passes(count, size, seed):
    batches = NameBatches(numbered(count), size, seed=seed)
    endless = places(batches, 0, 5 * batches.steps_per_epoch).ravel()
    assert batches.steps_per_epoch == -(-count // size)
    for epoch in range(5):
        one_pass = endless[epoch * count : (epoch + 1) * count]
        assert sorted(one_pass) == list(range(count))


def test_the_order_is_a_function_of_seed_and_epoch():
    rows = numbered(100)
    orders = {
        (seed, epoch): tuple(places(NameBatches(rows, seed=seed), 100 * epoch, 100).ravel())
        for seed in (0, 1)
        for epoch in (0, 1, 7)
    }
    assert len(set(orders.values())) == 6
    late = NameBatches(rows, 10, seed=1)
    late(500, 3)
    assert tuple(places(late, 70, 10).ravel()) == orders[1, 7]


def test_one_order_for_every_pass():
    order = notebook_order(7, seed=0)
    batches = NameBatches(numbered(7), order=order)
    np.testing.assert_array_equal(places(batches, 0, 21).ravel(), np.tile(order, 3))


@pytest.mark.parametrize("seed", [0, 1, 12345])
@pytest.mark.parametrize("count", [2, 27, 1536])
def test_the_notebook_s_order_is_that_of_shuffling_its_list(count, seed):
    examples = [f"name {i}" for i in range(count)]
    shuffled = list(examples)
    np.random.seed(seed)
    np.random.shuffle(shuffled)
    assert [examples[i] for i in notebook_order(count, seed)] == shuffled
