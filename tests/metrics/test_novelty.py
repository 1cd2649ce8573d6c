"""How new names are, and how much of a text is copied."""

import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasgen.metrics.novelty import Copying, KnownTexts, MeanCopying, Novelty, copying, novelty


def test_novelty_counts_new_and_different_texts():
    known = {"rex", "zuul"}
    found = novelty(["rex", "rux", "rux", "zuul", "zul"], known)
    assert found == Novelty(new=3 / 5, distinct=4 / 5, count=5)


def test_novelty_of_nothing_is_nan():
    found = novelty([], set())
    assert found.count == 0 and math.isnan(found.new) and math.isnan(found.distinct)


def test_known_texts_are_known_by_their_hashes():
    known = KnownTexts.of(["rex", "zuul", "rex"])
    assert "rex" in known and "zuul" in known and "re" not in known and "" not in known and 3 not in known
    assert len(known) == 2 and known == KnownTexts.of_digits(known.digits) != KnownTexts()
    hashes = [hashlib.sha256(name).hexdigest()[:16] for name in (b"rex", b"zuul")]
    assert known.digits == "".join(sorted(hashes))
    in_disorder = KnownTexts.of_digits("".join([*sorted(hashes)[::-1], hashes[0]]))
    assert in_disorder == known and hash(in_disorder) == hash(known) and "zuul" in in_disorder
    assert "ReX" in known.folded(str.lower) and "ReX" not in known and "" not in KnownTexts.of([])


@given(st.lists(st.text(max_size=5)), st.lists(st.text(max_size=5)))
def test_known_texts_are_as_good_as_a_set(texts, others):
    known = KnownTexts.of(texts)
    assert len(known) == len(set(texts)) and all(text in known for text in texts)
    assert [text in known for text in others] == [text in set(texts) for text in others]


def test_novelty_reads_as_a_sentence():
    assert str(Novelty(0.996, 0.998, 1000)) == "of 1,000 names, 99.6% are new and 99.8% are different"
    found = MeanCopying()
    for one in (Copying("abc", 0.25, 0.5, 20), Copying("abcd", 0.75, 1.0, 20)):
        assert found.add(one) is one
    assert found.mean == Copying("abcd", 0.5, 0.75, 20)
    sentence = "novelty: 50.0% of its 20-character spans and 75.0% of its words stand in book"
    assert found.mean.sentence("book") == sentence


TEXTS = st.text(alphabet="ab ", max_size=30)


@given(TEXTS, TEXTS, st.integers(1, 5), st.integers(1, 4))
def test_copying_is_what_a_look_at_every_span_finds(generated, learned, width, sieve):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kerasgen.metrics.novelty.SIEVE", sieve)
        patch.setattr("kerasgen.metrics.novelty._BLOCK", 7)
        found = copying(generated, learned, width)
    spans = [generated[i:j] for i in range(len(generated)) for j in range(i, len(generated) + 1)]
    assert found.longest in generated and found.longest in learned
    assert len(found.longest) == max((len(span) for span in spans if span in learned), default=0)
    wide = [span for span in spans if len(span) == width]
    share = sum(span in learned for span in wide) / len(wide) if wide else 0.0
    words = generated.split()
    in_words = sum(word in learned.split() for word in words) / len(words) if words else 0.0
    assert (found.share, found.words, found.width) == (share, in_words, width)


def test_words_are_letters_and_apostrophes_inside():
    found = copying("thou'rt 'tis, nay! 12 été", "thou'rt tis; no été")
    assert found.words == 3 / 4  # thou'rt, tis and été, but not nay
    assert copying("", "abc") == Copying("", 0.0, 0.0, 20)
    whole = copying("x" * 25, "y" + "x" * 25)
    assert (whole.longest, whole.share) == ("x" * 25, 1.0)
