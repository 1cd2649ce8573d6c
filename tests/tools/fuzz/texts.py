"""Texts and prompts."""

import unicodedata
from typing import get_args

import numpy as np
from hypothesis import strategies as st

from kerasgen.generation.lines import whole_lines
from kerasgen.metrics.ngrams import best_ngrams
from kerasgen.text import corpora
from kerasgen.text.casing import Casing
from kerasgen.text.folding import Folding, OnUnknown
from kerasgen.text.names import NameRows, read_names, split_names
from kerasgen.text.vocab import CharVocab
from kerasgen.text.windows import WindowBatches, split_text
from tests.tools.fuzz.common import chars, content, inputs, put, refusable, texts


@inputs(content)
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
        for name, row in zip(names, NameRows(names, vocab), strict=True):
            assert vocab.decode(row) == name + "\n" and row[0] == -1
        split = split_names(names, "both")
        assert {*split.train, *split.validation, *split.test} == set(names)
        assert not {*split.validation, *split.test} & set(split.train)
        counted = [vocab.encode(name) for name in names[:20]]
        assert best_ngrams(counted, counted[:1], len(vocab)).nats >= 0


ways = st.sampled_from(get_args(OnUnknown))


@inputs(texts, st.text(chars, min_size=1, max_size=12), st.booleans(), ways)
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
