"""Models of one architecture share what was compiled, and each computes with its own weights."""

import ctypes
import gc
import weakref

import numpy as np
import pytest

import kerasgen
from kerasgen.generation import programs
from kerasgen.generation.generator import Generator
from kerasgen.models.names import NameRNN
from kerasgen.models.prose import ProseLSTM, stacked_lstm
from kerasgen.text.vocab import CharVocab
from tests.support import hostile

VOCAB = CharVocab("\nabcdef")
MODELS = {
    "names": lambda seed: NameRNN(len(VOCAB), 6, seed=seed),
    "prose": lambda seed: ProseLSTM(stacked_lstm(len(VOCAB), 5, seed=seed)),
}


@pytest.fixture
def compiled(monkeypatch):
    """The functions that were compiled since the test began."""
    monkeypatch.setattr(programs, "_functions", {})
    return programs._functions


def generator(kind, seed):
    return Generator(MODELS[kind](seed), VOCAB, stop="\n" if kind == "names" else None)


def written(model):
    return model.generate(3, seed=1, max_length=9), model.score("abcab").each.tolist(), model.next_probabilities("ab")


@pytest.mark.parametrize("kind", MODELS)
def test_each_model_computes_with_its_own_weights_in_shared_programs(kind, compiled):
    one, other = generator(kind, 1), generator(kind, 2)
    first, second = written(one), written(other)
    assert first != second and written(one) == first
    assert max(function.experimental_get_tracing_count() for function in compiled.values()) == 1
    compiled.clear()
    assert written(generator(kind, 2)) == second
    other.model.set_weights(one.model.get_weights())
    assert written(other) == first


def test_other_architectures_and_other_ends_have_programs_of_their_own(compiled):
    ending, endless = generator("names", 1), Generator(NameRNN(len(VOCAB), 6, seed=1), VOCAB)
    texts = [model.generate(9, seed=1, max_length=9) for model in (ending, endless)]
    assert {len(text) for text in texts[1]} == {9} and min(len(text) for text in texts[0]) < 9
    wider = Generator(NameRNN(len(VOCAB), 7, seed=1), VOCAB, stop="\n")
    assert wider.score("abcab").each.tolist() != ending.score("abcab").each.tolist()


def test_no_more_functions_are_kept_than_a_few(compiled, monkeypatch):
    monkeypatch.setattr(programs, "_MOST", 1)
    found = [generator("names", 1) for _ in range(2)]
    assert found[0].score("abcab") == found[1].score("abcab") and len(compiled) == 1


def test_a_model_that_is_dropped_goes(compiled):
    model = generator("prose", 1)
    written(model)
    gone = weakref.ref(model.model)
    del model
    gc.collect()
    assert compiled and gone() is None


class Allocated(ctypes.Structure):
    """What glibc's ``mallinfo2`` says; the eighth of ten numbers is the bytes in use."""

    _fields_ = [("others", 7 * ctypes.c_size_t), ("in_use", ctypes.c_size_t), ("more", 2 * ctypes.c_size_t)]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33")
def test_memory_does_not_grow_with_the_models_that_were_loaded_and_dropped():
    allocated = ctypes.CDLL(None).mallinfo2
    allocated.restype = Allocated

    def load():
        kerasgen.load(hostile.NAMES).generate(3)
        gc.collect()
        return allocated().in_use / 1e6

    load(), load()
    grown = np.diff([load() for _ in range(5)])
    assert np.median(grown) < 0.5, "MB a model; one program of its own is 13"
