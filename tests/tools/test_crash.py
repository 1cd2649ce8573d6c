"""Trainings that are killed, at moments that nobody chose, end as if they had not been: a short series of `crash`."""

import re
import subprocess
import sys

from tests.conftest import ROOT


def test_names_killed_at_random_moments_end_bit_for_bit_the_same():
    flags = ["--kills", "2", "--kind", "names", "--", "--steps", "8000", "--quiet"]
    command = [sys.executable, "-m", "tests.tools.crash", *flags]  # a process without threads: it forks
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    # How many runs get to their end between two kills is a matter of chance; one always does, after the last.
    assert re.search(r"^names: 2 kills, .* [1-9] runs reached their end, each bit for bit", done.stdout), done.stdout
