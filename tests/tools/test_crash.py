"""Trainings that are killed, at moments that nobody chose, end as if they had not been: a short series of `crash`."""

import subprocess
import sys

from tests.conftest import ROOT


def test_names_killed_at_random_moments_end_bit_for_bit_the_same():
    flags = ["--kills", "2", "--kind", "names", "--", "--steps", "8000", "--quiet"]
    command = [sys.executable, "-m", "tests.tools.crash", *flags]  # a process without threads: it forks
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "names: 2 kills" in done.stdout and "1 runs reached their end, each bit for bit" in done.stdout
