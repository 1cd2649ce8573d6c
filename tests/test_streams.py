"""What becomes of commands whose streams are closed, full or gone: each cell of the table in docs/streams.md."""

import os
import re
import subprocess
import sys

import pytest

from kerasgen.modelfile import store
from tests.conftest import ROOT
from tests.support.commands import environment
from tests.support.streams import CLOSED, DEVICE, FULL, HANGUP, PIPE, STREAMS, TERMINAL, execute, run_all, run_case

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full and small disks are Linux'")
PAGE = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
STATES = [CLOSED, FULL, DEVICE, PIPE, TERMINAL]
COMMANDS = [
    "kerasgen",
    *(
        f"kerasgen.{name}"
        for name in ("dino", "shakespeare", "tune", "score", "inspect", "export", "playground", "serve", "clean")
    ),
]
GENERATING = ["kerasgen.dino", "--sample-only", "--num-samples", "3"]
TRAINING = ["kerasgen.dino", "--data", "towns.txt", "--units", "4", "--holdout", "none", "--no-log"]
# Each process holds three cells: no two of its streams are in the same state, and each stream is in each of them once.
MIXED = [dict(zip(STREAMS, (STATES[n], STATES[(n + 1) % 5], STATES[(n + 3) % 5]), strict=True)) for n in range(5)]


def table():
    """The exit codes of the page, by stream and state: for showing, generating and training."""
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.M)
    return {(stream, state): [int(code) for code in codes] for stream, state, *codes in rows}


def expected(states, kind):
    """The exit code of a process, by those of its streams; all but one of them must be 0."""
    codes = {table()[stream, state][kind] for stream, state in states.items()} - {0}
    assert len(codes) <= 1
    return codes.pop() if codes else 0


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A folder on a disk of 3 MB, mounted for this module; nothing where this user may not mount one."""
    folder = tmp_path_factory.mktemp("disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True).returncode:
        yield ""
        return
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    towns = [
        a + b for a in ("spring", "shel", "oak", "wal", "kin") for b in ("ford", "ton", "field", "by", "ville", "ham")
    ]
    (folder / "towns.txt").write_text("\n".join(towns))
    return folder


def quietly(words, states):
    """Leave out what takes long and says little, where standard error shows no progress bar and has room."""
    return words if states.get(STREAMS[2]) in (TERMINAL, HANGUP, FULL) else [*words, "--quiet"]


@pytest.fixture(scope="module")
def outcomes(folder, disk):
    """How all the slow cases ended: generating, then training, each in all states, and with SIGHUP."""
    hangup = {STREAMS[2]: HANGUP}
    cases = [{"words": quietly(GENERATING, states), "states": states} for states in [*MIXED, hangup]]
    for number, states in enumerate([*MIXED, hangup]):
        steps = 50 if states in MIXED else 1_000_000
        words = quietly([*TRAINING, "--steps", str(steps), "--save-dir", f"models-{number}"], states)
        bar = "bits/char" if states[STREAMS[2]] in (TERMINAL, HANGUP) else ""
        cases.append({"words": words, "states": states, "until": bar})
    if disk:
        words = [*TRAINING, "--units", "24", "--steps", "40000", "--save-dir", str(disk / "user")]
        room = 40_000  # for a checkpoint, but not for the model as well
        cases.append({"words": words, "states": {STREAMS[1]: FULL, STREAMS[2]: FULL}, "room": room})
    return run_all(folder, cases, disk)


def test_the_table_has_every_stream_in_every_state():
    assert table().keys() == {(stream, state) for stream in STREAMS for state in STATES} | {("any of them", HANGUP)}
    assert {stream: {state[stream] for state in MIXED} for stream in STREAMS} == dict.fromkeys(STREAMS, {*STATES})


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("state", STATES)
def test_what_a_command_that_shows_something_ends_with(folder, disk, stream, state):
    code, out, error = run_case(folder, disk, ["kerasgen.inspect"], {stream: state}, execute)
    assert code == table()[stream, state][0]
    assert ("dino.keras" in out) == (stream != STREAMS[1])
    lines = error.splitlines()
    assert lines == [] if code == 0 else len(lines) == 1 and lines[0].startswith("kerasgen: error: the output can't be")


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_begins_with_sane_streams(folder, disk, module):
    every = dict.fromkeys(STREAMS, CLOSED)
    assert run_case(folder, disk, [module, "--help"], every, execute) == (1, "", "")
    code, out, error = run_case(folder, disk, [module, "--help"], {STREAMS[1]: DEVICE}, execute)
    assert (code, out) == (1, "") and error == "kerasgen: error: the output can't be written: No space left on device\n"


def test_a_terminal_that_goes_while_it_asks_for_a_prompt_ends_the_asking(folder, disk):
    states, question = dict.fromkeys(STREAMS, TERMINAL), "(an empty line ends): "
    assert run_case(folder, disk, ["kerasgen.shakespeare"], states, execute, question)[0] == 1


@pytest.mark.parametrize(
    ("words", "path", "mode", "said"),
    [
        ("shakespeare --prompt -", "out.txt", os.O_WRONLY | os.O_CREAT, "standard input, which can't be read"),
        ("dino --data -", "out.txt", os.O_WRONLY | os.O_CREAT, "standard input, which can't be read"),
        ("shakespeare --prompt -", "/dev/full", os.O_RDONLY, "must be at most 16 MiB"),
    ],
)
def test_a_standard_input_that_is_no_text_is_one_line(folder, words, path, mode, said):
    handle = os.open(folder / path, mode)
    done = subprocess.run(
        [sys.executable, "-m", *f"kerasgen.{words}".split()], stdin=handle, cwd=folder, env=environment(),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    os.close(handle)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", range(5))
def test_what_generating_ends_with(outcomes, number):
    assert outcomes[number].code == expected(MIXED[number], 1)


@pytest.mark.parametrize("number", range(5))
def test_a_training_saves_its_model_whatever_becomes_of_its_streams(outcomes, folder, number):
    assert outcomes[6 + number].code == expected(MIXED[number], 2)
    contents = store.read(folder / f"models-{number}" / "my-towns.keras")
    assert contents.card["training"]["steps"] == 50
    assert not (folder / f"models-{number}" / "runs").exists()


def test_a_hangup_ends_generating_and_lets_a_training_save(outcomes, folder):
    assert table()["any of them", HANGUP] == [129] * 3
    assert outcomes[5].code == -1  # which a shell calls 129
    assert outcomes[11].code == 129
    (run,) = (folder / "models-5" / "runs").glob("towns-*")
    assert list(run.glob("*.checkpoint"))


def test_a_night_of_training_on_a_full_disk_is_not_lost(outcomes, folder, disk):
    if not disk:
        pytest.skip("this user may not mount a small disk; /dev/full stood in for it elsewhere")
    copies = list(folder.glob("kerasgen-*/my-towns.keras"))
    saved = [path for path in [disk / "user" / "my-towns.keras", *copies] if path.exists()]
    assert [store.read(path).card["training"]["steps"] for path in saved] == [40000]
    assert outcomes[12].code == (1 if copies else 3)
