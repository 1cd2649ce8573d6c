"""What can't fit is refused before anything slow; what may fit is not."""

import subprocess
import sys

import pytest

from kerasgen.base import console, memory
from kerasgen.base.errors import BadInputError
from kerasgen.tasks import limits
from kerasgen.tasks.registry import make_task
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from kerasgen.text.corpora import Text
from tests.support.commands import call, environment
from tests.support.poems import write_text

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MEASURED = [  # MB over those of TensorFlow and of a tiny model: kind, settings, characters
    (156, "names", {"units": 2048}, 27),
    (545, "names", {"units": 4096}, 27),
    (415, "names", {"units": 512, "batch_size": 2048}, 27),
    (791, "names", {"units": 512, "batch_size": 4096}, 27),
    (851, "names", {"units": 512, "batch_size": 4096, "fused": False}, 27),
    (1265, "prose", {"units": 1024, "batch_size": 512, "seq_len": 8}, 27),
    (4051, "prose", {"units": 1024, "batch_size": 16, "seq_len": 2000}, 27),
    (1835, "prose", {"units": 64, "batch_size": 4096, "seq_len": 64}, 27),
    (1339, "prose", {"units": 64, "batch_size": 4096, "seq_len": 64, "fused": False}, 27),
    (910, "prose", {"units": 256, "batch_size": 1024, "seq_len": 32}, 27),
    (845, "prose", {"units": 128, "batch_size": 1024, "seq_len": 64, "dropout": 0.0, "target": "next"}, 27),
    (286, "prose", {"units": 8, "batch_size": 512, "seq_len": 10, "dropout": 0.0}, 4000),
]


def sizes_of(kind, settings, characters=27):
    chars = LETTERS if characters == 27 else "".join(map(chr, range(0x4E00, 0x4E00 + characters - 1)))
    if kind == "names":
        return make_task(NamesSettings(**settings), Text("x", f"{chars[:8]}\n{chars[8:16]}\n", "")).sizes
    return make_task(ProseSettings(**settings), Text("x", f"{chars}\n" * (200 if characters == 27 else 4), "")).sizes


@pytest.mark.parametrize(("measured", "kind", "settings", "characters"), MEASURED)
def test_an_estimate_is_below_what_was_measured_and_not_far_below(measured, kind, settings, characters):
    estimate = sum(sizes_of(kind, settings, characters).memory.values()) / 2**20
    assert 0.4 * measured < estimate < 0.95 * measured


@pytest.mark.parametrize(
    ("kind", "settings", "lower"),
    [
        ("names", {"units": 8192, "batch_size": 65536}, "--batch-size"),
        ("prose", {"units": 512, "batch_size": 65536}, "--batch-size or --seq-len"),
        ("prose", {"units": 3000}, "--units"),
    ],
)
def test_a_training_that_fits_in_no_memory_says_what_to_lower(kind, settings, lower, monkeypatch):
    monkeypatch.setattr(memory, "most", lambda: (4 * 10**9, "this machine"))
    with pytest.raises(BadInputError, match=rf"4.0 GB \(this machine\); this one takes \d+\.\d GB .* lower {lower}$"):
        limits.check(sizes_of(kind, settings), saved=False)
    limits.check(sizes_of(kind, {"units": 64}))


def test_a_model_too_large_for_its_file_is_refused_before_it_is_trained(monkeypatch):
    monkeypatch.setattr(memory, "most", lambda: (10**15, "this machine"))
    with pytest.raises(BadInputError, match="at most 2.1 GB; one of 3,850 units .* lower --units$"):
        limits.check(sizes_of("prose", {"units": 3850}))
    limits.check(sizes_of("prose", {"units": 3850}), saved=False)


def test_twenty_thousand_characters_fit_without_a_square_of_them(monkeypatch):
    monkeypatch.setattr(memory, "most", lambda: (4 * 10**9, "this machine"))
    sizes = sizes_of("prose", {}, 20_000)
    limits.check(sizes)
    assert sizes.arguments["embedding"] == 128 and sizes.file < 250e6 < 4 * 20_000**2 / 6
    few = sizes_of("prose", {}).variables
    assert few[1] == 4 * 27**2 and sizes.variables[1] == 0
    with pytest.raises(BadInputError, match=r"takes 129\.\d GB at the least; lower --batch-size or --seq-len$"):
        limits.check(sizes_of("prose", {"batch_size": 65_536}, 5000))


def test_the_command_refuses_under_a_limit_of_the_shell_and_makes_nothing(tmp_path):
    write_text(tmp_path / "book.txt")
    flags = "--data book.txt --units 3500 --no-save-optimizer"
    command = f"ulimit -v 4000000; exec {sys.executable} -m kerasgen.shakespeare {flags}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "4.1 GB (ulimit -v)" in done.stderr and "lower --units" in done.stderr
    assert not list(tmp_path.glob("saved_models/*"))


def test_the_limits_of_control_groups_count(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("4:cpu,memory:/a\n0::/b/c\n", encoding="utf-8")
    assert memory.most()[1] in ("this machine", "ulimit -v")
    for folder, file, limit in [
        ("b", "memory.max", "3000"),
        ("b/c", "memory.max", "max"),
        ("memory/a", "memory.limit_in_bytes", "2000"),
    ]:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / file).write_text(f"{limit}\n", encoding="utf-8")
    assert memory.most() == (2000, "the control group")
    (tmp_path / "memory/a/memory.limit_in_bytes").unlink()
    assert memory.most() == (3000, "the control group")


def test_dino_says_so_too(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "most", lambda: (10**9, "this machine"))
    done = call(tmp_path, "dino", "--units", 8192, code=2)
    assert "this one takes" in done.stderr and "lower --units" in done.stderr and not list(tmp_path.glob("logs/*"))


@pytest.mark.parametrize("name", ["MemoryError", "ResourceExhaustedError"])
def test_what_was_not_foreseen_is_one_line_too(name, monkeypatch, capsys):
    kind = MemoryError if name == "MemoryError" else type(name, (Exception,), {})

    def command(argv):
        raise kind("Unable to allocate 95.4 MiB\nfor an array")

    assert console.run_command(command, []) == 1
    err = capsys.readouterr().err
    assert err.startswith("kerasgen: error: there is not enough memory (Unable to allocate") and err.count("\n") == 1
