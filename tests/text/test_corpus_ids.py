"""Long texts: their id files say what the text says, are made once, and never lie."""

import gc
import gzip
import os
import pickle
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerasgen.base import files
from kerasgen.base.errors import BadInputError, FailedError
from kerasgen.text import corpora, id_file, sources
from kerasgen.text.corpus_ids import CorpusIds, LongText, all_over, distinct, excerpt
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT

MANY = "".join(map(chr, [*range(32, 127), *range(0x4E00, 0x4E00 + 400)]))  # more than a byte tells apart
TEXTS = {
    "plain": "Shall I compare thee\nto a summer's day?\n" * 300,
    "Greek": "Ο ΣΟΦΟΣ ΑΝΗΡ, ΟΣ ΟΔΥΣΣΕΥΣ.\n" * 300 + "İstanbul'da\n",
    "many": ("aéb " * 3000 + MANY + "\U0001f600\n") * 2,
    "Windows": "\ufeffThou\r\nart\r\nmore lovely\r\n" * 400,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder where a text of 4 kB is large, and a cache of its own."""
    monkeypatch.setattr(sources, "LARGE", 4096)
    monkeypatch.setattr(sources, "_CHUNK", 1000)
    monkeypatch.setattr(id_file, "BLOCK", 700)
    monkeypatch.setattr("kerasgen.text.corpus_ids.BLOCK", 700)
    monkeypatch.setenv("KERASGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(data, column=None):
    return corpora.read(data, "shakespeare", column)


def in_memory(data, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sources, "LARGE", 1 << 30)
        return read(data)


def kept(folder):
    return sorted(path.name for path in (folder / "cache").glob("ids/*"))


@pytest.mark.parametrize("name", TEXTS)
def test_a_long_text_is_the_text(folder, monkeypatch, name):
    (folder / "book.txt").write_bytes(TEXTS[name].encode())
    long, short = read("book.txt"), in_memory("book.txt", monkeypatch)
    assert isinstance(long.text, LongText) and isinstance(short.text, str)
    assert (str(long.text), long.sha256, long.name, long.source) == (
        short.text, short.sha256, short.name, short.source,
    )  # fmt: skip
    assert "book is long: while it is learned, it is read from" in long.note
    assert len(long.text) == len(short.text) and distinct(long.text) == set(short.text)
    assert str(long.text.lower()) == short.text.lower()
    assert str(long.text[-50:-3]) == short.text[-50:-3] and not long.text[7:3]
    vocab = CharVocab.from_text(short.text)
    starts = np.array([[0, 5], [len(short.text) - 40, 77]])
    found, expected = (CorpusIds.of(text, vocab).windows(starts, 40) for text in (long.text, short.text))
    assert found.dtype == expected.dtype == np.int32 and found.shape == (2, 2, 40)
    np.testing.assert_array_equal(found, expected)
    part = CorpusIds.of(long.text[100:], vocab).windows(np.array([4]), 9)
    np.testing.assert_array_equal(part, CorpusIds.of(short.text[100:], vocab).windows(np.array([4]), 9))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("ΑΣσς İIı.\n'é"), min_size=1, max_size=3000))
def test_lower_case_is_that_of_the_whole_text(folder, text):
    file = id_file.id_file(folder / "x.ids", [text], lambda: [text], lambda: files.sha256(text.encode()))
    lowered = str(LongText(file).lower())
    assert len(lowered) == len(text.lower())
    if max(map(len, text.split()), default=0) < 400:  # where a word fits into a piece
        assert lowered == text.lower()


def test_several_files_are_one_text_as_they_are_in_memory(folder, monkeypatch, mirror):
    (folder / "a.txt").write_text("\n\n \nfirst\n\n" + TEXTS["plain"] + "\n\n\n")
    (folder / "b.txt").write_text("\n \n")
    (folder / "c.txt.gz").write_bytes(gzip.compress(("\nlast\n" * 900).encode(), mtime=0))
    data = ["a.txt", "shakespeare", "b.txt", "c.txt.gz"]
    long, short = read(data), in_memory(data, monkeypatch)
    assert (str(long.text), long.sha256, long.name) == (short.text, short.sha256, short.name)
    (folder / "c.txt.gz").write_bytes(gzip.compress(("\nLAST\n" * 900).encode(), mtime=0))
    assert str(read(data).text).endswith("LAST\n") and len(kept(folder)) == 1


def test_an_id_file_is_made_once_and_again_when_the_text_changes(folder, monkeypatch):
    source = folder / "book.txt"
    source.write_text(TEXTS["plain"])
    first = read("book.txt")
    with monkeypatch.context() as patch:
        patch.setattr(sources, "chunks", None)  # nothing is read again
        again = read("book.txt")
    assert (again.sha256, again.note, str(again.text)) == (first.sha256, "", str(first.text))
    times = source.stat()
    source.write_text(TEXTS["plain"].replace("thee", "thou"))
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))  # as long, and as old
    changed = read("book.txt")
    assert changed.sha256 != first.sha256 and "thou" in str(changed.text) and changed.source == first.source
    assert "thee" in str(first.text)  # who reads the old one reads on
    assert kept(folder) == [f"{first.source}.ids"]


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"x" * 99])
def test_a_damaged_id_file_is_made_anew(folder, damage):
    (folder / "book.txt").write_text(TEXTS["plain"])
    path = read("book.txt").text.file.path
    path.write_bytes(damage(path.read_bytes()))
    assert str(read("book.txt").text) == TEXTS["plain"]


def test_an_id_file_that_is_cut_while_it_is_read_is_one_line(folder):
    (folder / "book.txt").write_text(TEXTS["plain"])
    text = read("book.txt").text
    os.truncate(text.file.path, 5000)
    ids = CorpusIds.of(text, CharVocab.from_text(TEXTS["plain"]))
    assert ids.windows(np.array([4990]), 10).shape == (1, 10)
    with pytest.raises(FailedError, match=r"ids can't be read: it was cut; the same command again makes it anew$"):
        ids.windows(np.array([10, 4995]), 10)


def test_another_process_that_is_handed_a_long_text_opens_it_itself(folder):
    (folder / "book.txt").write_text(TEXTS["plain"])
    long = read("book.txt").text
    handed = pickle.dumps(long)
    del long  # and its handle is closed
    gc.collect()
    assert str(pickle.loads(handed)) == TEXTS["plain"]


def test_a_source_that_changes_while_it_is_read_is_one_line(folder, monkeypatch):
    source, chunks = folder / "book.txt", sources.chunks
    source.write_text(TEXTS["plain"])

    def growing(path):
        for number, chunk in enumerate(chunks(path)):
            if number == 2:
                with source.open("a") as file:
                    file.write("more\n")
            yield chunk

    monkeypatch.setattr(sources, "chunks", growing)
    with pytest.raises(FailedError, match="^book changed while it was read; give the command again"):
        read("book.txt")
    assert kept(folder) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ab\n" * 3000 + b"\xff", "book.txt is not: byte 9000 (line 3001) is 0xff"),
        (b"ab\n" * 3000 + b"\0", "book.txt looks binary: byte 9000 is NUL"),
        (b" \n" * 3000, "book is blank"),
        (gzip.compress(b"ab\n" * 9000, mtime=0)[:-9], "'book.txt' can't be read: "),
        ("".join(map(chr, range(0x100, 0x11000))).replace("\ud800", "").encode("utf-8", "ignore"), "65,535 different"),
    ],
)
def test_what_can_not_be_learned_leaves_nothing(folder, content, words):
    (folder / "book.txt").write_bytes(content)
    with pytest.raises(BadInputError) as caught:
        read("book.txt")
    assert words in str(caught.value) and "\n" not in str(caught.value) and kept(folder) == []


def test_what_can_not_be_written_is_one_line_with_a_remedy(folder, monkeypatch):
    (folder / "book.txt").write_text(TEXTS["plain"])
    with monkeypatch.context() as patch:
        patch.setattr(id_file, "_ROOM", 0.0)
        with pytest.raises(FailedError, match="free some space or name another folder with KERASGEN_CACHE"):
            read("book.txt")
    assert kept(folder) == []
    (folder / "file").touch()
    monkeypatch.setenv("KERASGEN_CACHE", str(folder / "file"))
    with pytest.raises(FailedError, match="can't be written"):
        read("book.txt")


KILLED = """
import os, signal, sys
from kerasgen.text import corpora, sources
sources.LARGE, chunks = 4096, sources.chunks
def until(path):
    for number, chunk in enumerate(chunks(path)):
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        yield chunk
sources.chunks = until
corpora.read("book.txt", "shakespeare")
"""


def test_a_process_that_is_killed_leaves_no_half_file(folder):
    (folder / "book.txt").write_text(TEXTS["plain"] * 100)
    done = subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)
    assert done.returncode == -signal.SIGKILL
    left = [name for name in kept(folder) if name.endswith(".ids")]
    assert len(left) == 1 and left[0].startswith(".")
    assert str(read("book.txt").text) == TEXTS["plain"] * 100
    assert [name for name in kept(folder) if name.endswith(".ids")] == [f"{corpora.place('book.txt')}.ids"]


def test_processes_that_want_the_same_text_write_it_once(folder):
    (folder / "book.txt").write_text(TEXTS["plain"])
    path, holds, found = folder / "cache/ids" / f"{corpora.place('book.txt')}.lock", threading.Event(), []
    with files.locked(path, "writes it"):
        waiting = threading.Thread(target=lambda: (holds.set(), found.append(read("book.txt"))))
        waiting.start()
        holds.wait(10)
        waiting.join(0.2)
        assert waiting.is_alive()  # flock waits for another open file of the same process, too
    waiting.join(30)
    assert str(found[0].text) == TEXTS["plain"]


def test_what_is_no_file_stays_in_memory(folder, monkeypatch):
    (folder / "t.csv").write_text("name,verse\n" + "x,Shall I compare thee\n" * 500)
    assert isinstance(read("t.csv", "verse").text, str) and isinstance(read("t.csv", "0").text, LongText)
    (folder / "names.txt").write_text("rex\nzuul\n" * 900)
    assert isinstance(corpora.read("names.txt", "dinos").text, str)


def test_parts_of_a_long_text_stand_for_it():
    text = "".join(map(chr, range(1000, 2000)))
    assert all_over(text, 1000, 8) == [text] and excerpt(text, 1000, "book") == (text, "book")
    pieces = all_over(text, 80, 8)
    assert [len(piece) for piece in pieces] == [10] * 8 and (pieces[0], pieces[-1]) == (text[:10], text[-10:])
    assert all(piece in text for piece in pieces)
    found, name = excerpt(text, 128, "book")
    assert name == "128 characters from all over book" and found.split("\0") == all_over(text, 128, 64)


def test_characters_that_a_model_never_saw_are_named(folder):
    (folder / "book.txt").write_text(TEXTS["plain"])
    with pytest.raises(BadInputError, match="received '\\?'"):
        CorpusIds.of(read("book.txt").text, CharVocab.from_text(TEXTS["plain"].replace("?", "")))
