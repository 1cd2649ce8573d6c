"""The Dockerfile, as far as it can be held without Docker: what it copies, builds and runs.

tests/test_serve.py runs its health check.
"""

import json
import re
import shutil
import subprocess
import sys
import zipfile

from kerasgen.base import flags
from kerasgen.serving.settings import ServeSettings
from tests.conftest import ROOT

TEXT = re.sub(r"\\\n\s*", "", (ROOT / ".docker" / "Dockerfile").read_text(encoding="utf-8"))
LINES = [line.split(" ", 1) for line in TEXT.splitlines() if line and not line.startswith("#")]
STAGES = [number for number, (word, _) in enumerate(LINES) if word == "FROM"]


def arguments(word, first=0):
    """What stands behind an instruction, from a line on."""
    return [rest for name, rest in LINES[first:] if name == word]


def test_every_instruction_is_one():
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT"}
    assert {word for word, _ in LINES} == known and len(STAGES) == 2


def test_what_it_copies_is_all_that_a_wheel_is_built_of(tmp_path):
    for sources in arguments("COPY"):
        *sources, target = sources.split()
        for source in sources:
            place = tmp_path / target / (ROOT / source).name if target.endswith("/") else tmp_path / target
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            place.parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / source, place)
    (command,) = [one for one in arguments("RUN") if one.startswith("pip wheel")]
    assert "--no-deps" in command
    words = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", "wheels", "."]
    subprocess.run(words, cwd=tmp_path, check=True, timeout=120)
    (wheel,) = (tmp_path / "wheels").glob("kerasgen-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("bundled/saved_models/shakespeare.keras", "serving/page.html", "serving/page.js", "serving/page.css"):
        assert f"kerasgen/{name}" in names
    assert (
        "Provides-Extra: serve"
        in zipfile.ZipFile(wheel).read(f"{wheel.name.rsplit('-', 3)[0]}.dist-info/METADATA").decode()
    )


def test_what_is_copied_is_not_ignored():
    ignored = (ROOT / ".docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    taken = {line[1:] for line in ignored if line.startswith("!")}
    assert taken == {source for sources in arguments("COPY") for source in sources.split()[:-1]}


def test_it_runs_as_nobody_in_particular_with_flags_that_there_are():
    user = arguments("USER", STAGES[-1])[-1]
    (entry,) = arguments("ENTRYPOINT")
    program, command, *rest = json.loads(entry)
    assert user.isdecimal() and int(user) > 0 and (program, command) == ("kerasgen", "serve")
    settings = flags.parse(ServeSettings, "serve", "a\n\nb", None, rest)
    assert (settings.host, str(settings.port)) == ("0.0.0.0", *arguments("EXPOSE"))
