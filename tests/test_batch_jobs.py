"""Generation as a batch job, by the real commands: parts, files that appear whole, and an end by a signal."""

import os
import signal
import subprocess
import sys
import time

import pytest

from kerasgen.base import memory
from kerasgen.generation import batches
from tests.conftest import ROOT
from tests.support.commands import call, environment

DINO = ("dino", "--model", ROOT / "saved_models" / "dino.keras", "--sample-only", "--quiet")
POET = ("shakespeare", "Et tu", "--model", ROOT / "saved_models" / "shakespeare.keras", "--sample-only", "--quiet")


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        ((*DINO, "--num-samples", 2500, "--novel-only", "--seed", 4, "--max-length", 12), "csv"),
        ((*POET, "--num-samples", 5, "--length", 20, "--lines", 1), "txt"),
    ],
    ids=str,
)
def test_the_parts_one_after_another_are_what_one_process_writes(command, ending, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "SPAN", 1)
    call(tmp_path, *command, "--output", f"whole.{ending}")
    for part in (1, 2):
        call(tmp_path, *command, "--part", f"{part}/2", "--output", f"{part}.{ending}")
    whole = (tmp_path / f"whole.{ending}").read_bytes()
    assert len(whole) > 50
    assert b"".join((tmp_path / f"{part}.{ending}").read_bytes() for part in (1, 2)) == whole


def test_more_names_than_anyone_reads_come_one_a_line(tmp_path):
    loud = [word for word in DINO if word != "--quiet"]
    done = call(tmp_path, *loud, "--num-samples", 1001, "--output", "names.txt")
    names = (tmp_path / "names.txt").read_text().splitlines()
    assert len(names) == 1001 and not any(" " in name for name in names)
    assert "wrote 1,001 names to names.txt" in done.stderr and "are new" in done.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((*DINO, "--part", "2/8", "--unique"), "--part can't be had with --unique, which looks at all texts; leave"),
        ((*DINO, "--part", "2/8", "--rank"), "--part can't be had with --rank"),
        ((*DINO, "--part", "2/8", "--output", "names.json"), "--part must have a --format of lines"),
        ((*DINO, "--part", "0/8"), "--part must be a part such as 2/8, the second of eight; received '0/8'"),
    ],
    ids=str,
)
def test_what_no_part_can_have_is_one_line(flags, words, tmp_path):
    done = call(tmp_path, *flags, code=2)
    assert words in done.stderr and done.stderr.count("\n") == 1 and not done.stdout
    assert os.listdir(tmp_path) == []


def test_any_number_of_names_fits_but_of_different_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "most", lambda: (16 * 10**9, "this machine"))
    words = "1,000,000,000 of them take 54.0 GB at the least; lower --num-samples, or leave out --unique and --rank"
    for flag in ("--unique", "--rank"):
        assert words in call(tmp_path, *DINO, "--num-samples", 10**9, flag, code=2).stderr
    last = call(tmp_path, *DINO, "--num-samples", 10**9, "--part", f"{10**8}/{10**8}")
    assert len(last.stdout.splitlines()) == 10


def test_a_job_that_is_stopped_leaves_nothing_and_says_so(tmp_path):
    (tmp_path / "names.txt").write_text("before\n")
    command = [sys.executable, "-m", f"kerasgen.{DINO[0]}", *DINO[1:], "--num-samples", "1000000000"]
    with subprocess.Popen(
        [*command, "--output", "names.txt"], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 100
            while time.monotonic() < deadline and sum(path.stat().st_size for path in tmp_path.iterdir()) < 10_000:
                time.sleep(0.05)
            assert len(os.listdir(tmp_path)) == 2
            process.send_signal(signal.SIGTERM)
            error = process.stderr.read()
            process.wait(30)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert error == "kerasgen: stopped; names.txt was not written, as it is written whole or not at all\n"
    assert os.listdir(tmp_path) == ["names.txt"] and (tmp_path / "names.txt").read_text() == "before\n"
