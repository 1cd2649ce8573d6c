"""Forms of the output, and files that appear whole or not at all."""

import csv
import io
import json
import os
import signal

import pytest

from kerasgen.base import output
from kerasgen.base.errors import BadInputError, FailedError, StoppedError
from kerasgen.base.seeds import drawn

ROWS = [
    {"name": 'a "b", c', "seed": 3, "longest": None, "left out": 1},
    {"name": "d\n\té\u2028", "seed": 4, "longest": "x", "left out": 2},
]
FIELDS = ("name", "seed", "longest")


def written(form, rows, file=None):
    file = file or io.StringIO(newline="")
    with output.rows(file, form, FIELDS) as write:
        for row in rows:
            write(row)
    return file.getvalue()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_form_is_read_back_by_its_own_reader(count):
    rows = [{name: row[name] for name in FIELDS} for row in ROWS[:count]]
    assert json.loads(written("json", ROWS[:count])) == rows
    assert [json.loads(line) for line in written("jsonl", ROWS[:count]).split("\n")[:-1]] == rows
    text = [{**row, "seed": str(row["seed"]), "longest": row["longest"] or ""} for row in rows]
    assert list(csv.DictReader(io.StringIO(written("csv", ROWS[:count]), newline=""))) == text


def test_a_row_is_written_at_once():
    file = io.StringIO()
    with output.rows(file, "jsonl", FIELDS) as write:
        write(ROWS[0])
        assert json.loads(file.getvalue())["name"] == 'a "b", c'


def test_json_stays_json_where_the_terminal_has_no_such_letters():
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    with output.rows(plain, "json", FIELDS) as write:
        write(ROWS[1])
    plain.flush()
    assert json.loads(plain.buffer.getvalue())[0]["name"] == ROWS[1]["name"]


@pytest.mark.parametrize(
    ("wanted", "file", "found"),
    [
        ("auto", None, "text"), ("auto", "a.txt", "text"), ("auto", "a.CSV", "csv"), ("auto", "x/a.json", "json"),
        ("auto", "a.jsonl", "jsonl"), ("auto", "a", "text"), ("json", "a.csv", "json"), ("text", "a.csv", "text"),
    ],
)  # fmt: skip
def test_the_form_goes_by_the_flag_and_then_by_the_ending(wanted, file, found):
    assert output.form(wanted, file) == found


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with output.opened(str(path)) as file:
        file.write("é\n")
        assert not path.exists()
    assert path.read_bytes() == "é\n".encode()
    with pytest.raises(KeyboardInterrupt), output.opened(str(path)) as file:
        file.write("half")
        raise KeyboardInterrupt
    assert os.listdir(path.parent) == ["a.txt"] and path.read_bytes() == "é\n".encode()


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with output.opened(str(tmp_path / "link.txt")) as file:
        file.write("x")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "x"


def test_what_is_no_file_or_the_text_itself_is_refused_before_any_work(tmp_path):
    (tmp_path / "a.txt").write_text("rex")
    for path, sources in [
        (tmp_path, []), ("", []), ("/dev/null", []), (tmp_path / "a.txt", [f"{tmp_path}/./a.txt"])
    ]:  # fmt: skip
        with pytest.raises(BadInputError, match=r"^--output must "):
            output.check(str(path), sources)
    with pytest.raises(FailedError, match="name another with --output"):
        output.check(str(tmp_path / "a.txt" / "b.txt"))
    output.check(str(tmp_path / "a.txt"), ["-", "dinos", str(tmp_path / "no.txt")])
    output.check(None, ["-"])


def test_a_random_seed_is_drawn_once_for_all():
    words, random = drawn(["--seed", "random", "--prefix", "random", "--seed=random"])
    assert random and words[1].isdecimal() and 0 <= int(words[1]) < 2**32
    assert words == ["--seed", words[1], "--prefix", "random", f"--seed={words[1]}"]
    assert drawn(["--seed", "random"]) != drawn(["--seed", "random"])
    for same in (["--seed", "3"], ["--", "--seed", "random"], ["random"], []):
        assert drawn(same) == (same, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_leaves_no_file_and_is_an_error_with_its_code(number, tmp_path):
    before = signal.getsignal(number)
    path = str(tmp_path / "x.txt")
    with pytest.raises(StoppedError, match="stopped; .*x.txt was not") as raised, output.opened(path) as file:
        file.write("some")
        signal.raise_signal(number)
    assert raised.value.exit_code == 128 + number
    assert os.listdir(tmp_path) == [] and signal.getsignal(number) is before


def test_a_part_of_a_table_has_no_header():
    file = io.StringIO(newline="")
    with output.rows(file, "csv", FIELDS, header=False) as write:
        write(ROWS[0])
    assert file.getvalue() == '"a ""b"", c",3,\n'
