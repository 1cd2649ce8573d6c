"""What ``--data`` may name: several files, a folder, a pattern, standard input, what is packed, a column of a table."""

import gzip
import io
import re
import sys

import pytest

from kerasgen.base.errors import BadInputError, MissingFileError
from kerasgen.base.files import sha256
from kerasgen.text import corpora, sources
from tests.support.commands import call

A, B, C = "rex\nzuul\n", "minmi\n\n", "\nkol\nmei"
JOINED = "rex\nzuul\n\nminmi\n\nkol\nmei\n"
TABLE = "name,country\n" + "".join(f'"Town, {number}",Land {number}\n' for number in range(9))
TOWNS = "".join(f"Town, {number}\n" for number in range(9)).rstrip()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with texts, and a folder of books in it."""
    for name, text in {
        "a.txt": A,
        "b.txt": B,
        "c.txt": C,
        "books/one.txt": "One.\n",
        "books/two.txt": "Two.\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "books" / ".hidden.txt").write_text("hidden")
    (tmp_path / "books" / "notes.md").write_text("# notes")
    (tmp_path / "t.csv").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(data, column=None, default="dinos"):
    """Read a text, and hold that its name was known without reading it."""
    text = corpora.read(data, default, column)
    assert corpora.names(data, default, column) == [text.name]
    return text


@pytest.mark.parametrize(
    ("data", "name", "text"),
    [
        (["a.txt", "b.txt", "c.txt"], "a-and-2-more", JOINED),
        (["c.txt", "a.txt"], "c-and-1-more", "kol\nmei\n\nrex\nzuul\n"),  # in the order that was given
        (["a.txt"], "a", A),
        ("[a-c].txt", "FOLDER", JOINED),
        ("books", "books", "One.\n\nTwo.\n"),
        ("books/", "books", "One.\n\nTwo.\n"),
        ("books/*.md", "books", "# notes"),
        ("books/t*.txt", "t", "Two.\n"),
        ("*/o*.txt", "o", "One.\n"),
        (["a.txt", "books"], "a-and-1-more", "rex\nzuul\n\nOne.\n\nTwo.\n"),
    ],
)
def test_several_files_are_one_text_in_a_fixed_order(folder, data, name, text):
    found = read(data)
    assert (found.name.replace(folder.name, "FOLDER"), found.text, found.note) == (name, text, "")
    assert found.sha256 == sha256(text.encode())


def test_a_known_corpus_may_be_one_of_several(mirror):
    assert read(["dinos", "a.txt"]).text.endswith("\n\nrex\nzuul\n")


def test_a_packed_file_is_the_file_itself(folder):
    (folder / "a.txt.gz").write_bytes(gzip.compress(A.encode()) + gzip.compress(b"kol\n"))  # of two members
    (folder / "t.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    expected = corpora.Text("a", A + "kol\n", sha256((A + "kol\n").encode()), source=corpora.place("a.txt.gz"))
    assert read("a.txt.gz") == expected
    assert read("t.csv.gz", "name").sha256 == read("t.csv", "name").sha256


@pytest.mark.parametrize("content", [A.encode(), gzip.compress(A.encode())], ids=["plain", "packed"])
def test_standard_input_is_read_once_and_is_the_file_itself(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert read("-") == corpora.Text("stdin", A, sha256(A.encode()))
    assert corpora.again("-", "dinos") is None and corpora.again("a.txt", "dinos") == read("a.txt")


def test_what_unpacks_to_too_much_is_refused(folder, monkeypatch):
    monkeypatch.setattr(sources, "_MOST", 5 << 20)
    (folder / "bomb.gz").write_bytes(gzip.compress(bytes([97]) * (6 << 20)))
    with pytest.raises(BadInputError, match=r"^'bomb.gz' must be at most 5 MiB, unpacked; it has more"):
        read("bomb.gz")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes([97]) * (6 << 20))))
    with pytest.raises(BadInputError, match="standard input must be at most 5 MiB"):
        read("-")


@pytest.mark.parametrize("cut", [3, 12, -9])
def test_a_damaged_packed_file_is_one_line(folder, cut):
    (folder / "bad.gz").write_bytes(gzip.compress(A.encode() * 50)[:cut])
    with pytest.raises(BadInputError, match=r"'bad.gz' can't: [^\n]+$"):
        read("bad.gz")


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ("empty", BadInputError, "the folder 'empty' has no .txt file; a pattern takes others: --data 'empty/*.md'"),
        ("no*.txt", MissingFileError, "none fits the pattern 'no*.txt'"),
        (["a.txt", "no.txt"], MissingFileError, "there is no 'no.txt'"),
        (["a.txt", ""], BadInputError, "received ''"),
        ("blank", BadInputError, "blank is empty"),
    ],
)
def test_what_has_no_text_says_so(folder, data, error, words):
    (folder / "empty").mkdir()
    (folder / "blank").mkdir()
    (folder / "blank" / "x.txt").write_text("\n")
    (folder / "blank" / "y.txt").write_text("")
    with pytest.raises(error) as caught:
        read(data)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["name", "NAME", " name"])
def test_a_column_by_its_name_leaves_the_header_out(column):
    found = read("t.csv", column)
    assert (found.text, found.note) == (TOWNS, "")
    assert found.name.startswith("t-") and found.sha256 == sha256(TOWNS.encode())


def test_a_column_by_its_number_takes_all_rows_and_notices_a_header():
    found = read("t.csv", "1")
    assert (found.name, found.text) == ("t-1", "name\n" + TOWNS)
    assert (
        found.note == "the first cell of t.csv, 'name', looks like a header and is learned; --column name leaves it out"
    )
    assert read("t.csv", "2").text.endswith("Land 8")


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_other_delimiters_are_found(folder, delimiter):
    (folder / "t.tsv").write_text(f"a{delimiter}b, c\nd{delimiter}e, f\n")
    assert read("t.tsv", "2").text == "b, c\ne, f"
    assert read("t.tsv", "b, c").text == "e, f"


def test_a_column_called_by_a_number(folder):
    (folder / "years.csv").write_text("place,2024\nOslo,7\nBergen,8\n")
    assert read("years.csv", "2024").text == "7\n8" and read("years.csv", "2").text == "2024\n7\n8"


def test_cells_of_several_lines(folder):
    (folder / "poems.csv").write_text('title,poem\nA,"one\ntwo"\nB,three\nC,\nD\n')
    assert read("poems.csv", "poem", "shakespeare").text == "one\ntwo\n\nthree"
    assert read("poems.csv", "poem").text == "one two\nthree"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("nam", "received 'nam'; did you mean 'name'?; the first row is 'name', 'country'"),
        ("3", "received '3'; the first row is"),
        ("x", "received 'x'; the first row is"),
    ],
)
def test_a_column_that_is_not_there(column, words):
    with pytest.raises(BadInputError) as caught:
        read("t.csv", column)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_column_needs_a_table():
    with pytest.raises(BadInputError, match="--column needs the table that --data names; received 'x'"):
        read(None, "x")


def test_a_list_that_is_a_table_is_refused_with_its_flag_and_prose_is_not():
    with pytest.raises(BadInputError) as caught:
        read("t.csv")
    assert "looks like a table of 2 columns with ',' between them, the first row 'name', 'country'; --column" in str(
        caught.value
    )
    assert read("t.csv", "0").text == read("t.csv", default="shakespeare").text == TABLE
    assert read("t.csv", "0").sha256 == sha256(TABLE.encode())


@pytest.mark.parametrize("line", ["Doe{0}, Jane", "Ort {0}", "Ort" + ",{0}" * 3, "Rock; roll{0}"])
def test_a_list_with_a_comma_here_and_there_is_no_table(folder, line):
    lines = [line.format(number) if number % 4 or "Doe" in line else "Ort" for number in range(20)]
    (folder / "list.txt").write_text("\n".join(lines))
    assert read("list.txt").note == ""


def test_a_header_of_a_list_is_noticed(folder):
    (folder / "towns.txt").write_text("City\nOslo\nBergen\n")
    found = read("towns.txt")
    assert found.note == (
        "the first line of towns.txt, 'City', looks like a header and is learned; --column City leaves it out"
    )
    assert read("towns.txt", "City").text == "Oslo\nBergen"


def test_the_name_is_safe_and_not_too_long(folder):
    assert read("t.csv", "country").name == "t-country"
    assert sources.name(["x.txt", "b"], "../a b/é") == "x-a-b-é-and-1-more"
    assert re.fullmatch(r"x{100,191}-\w{8}", sources.name(["x" * 300 + ".txt", "b"], "../a b/é" * 20))


def test_the_names_command_takes_them(folder):
    quick = ("--steps", 3, "--units", 4, "--no-log", "--num-samples", 2, "--quiet")
    call(folder, "dino", "--data", "a.txt", "b.txt", "--data", "c.txt", *quick)
    done = call(folder, "dino", "--data", "-", "--column", "name", *quick, stdin=TABLE)
    assert len(done.stdout.splitlines()) == 2 and done.stderr == ""
    assert {path.name for path in folder.glob("saved_models/*")} == {"my-a-and-2-more.keras", "my-stdin-name.keras"}
    assert call(folder, "dino", "--data", "a.txt", "b.txt", "c.txt", "--sample-only", "--quiet").stdout
    done = call(folder, "dino", "--data", "t.csv", *quick, code=2)
    assert "looks like a table" in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_prose_command_takes_them_and_says_how_new_it_is(folder):
    tiny = ("--units", 4, "--seq-len", 4, "--batch-size", 2, "--no-log", "--scratch-epochs", 1, "--length", 30)
    (folder / "books" / "one.txt").write_text("one day it rained and rained.\n" * 30)
    done = call(folder, "shakespeare", "one", "--data", "books", "--data", "a.txt", *tiny, "--from-scratch")
    assert (folder / "saved_models" / "my-books-and-1-more.keras").is_file()
    assert "words stand in books-and-1-more" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "--data", "-"], "standard input is read once"),
        (["--data", "a.txt", "b.txt"], "'b.txt' is a file; give --data again for each file"),
    ],
)
def test_what_is_prompt_and_what_is_data_is_never_guessed(folder, arguments, words):
    done = call(folder, "shakespeare", *arguments, code=2)
    assert words in done.stderr and len(done.stderr.splitlines()) == 1 and done.stdout == ""
