"""Run the tests with the lowest versions that pyproject.toml allows, and the newest: ``python -m tests.tools.matrix``.

Each gets a virtual environment of its own in the folder of ``--keep``, or in one that is removed afterwards.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from tests.conftest import ROOT


def requirements() -> list[str]:
    """Return what kerasgen and its tests need, as in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["test"]]


def lowest(requirement: str) -> str:
    """Turn ``"numpy>=2.0"`` into ``"numpy==2.0"``; what has no lower bound stays."""
    return re.sub(r">=\s*([\w.]+).*", r"==\1", requirement)


def run(folder: Path, pins: list[str], tests: list[str]) -> tuple[bool, dict[str, str]]:
    """Make an environment, run the tests in it, and return whether they passed and what was installed."""
    venv.create(folder, with_pip=True, clear=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", *pins], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-e", str(ROOT)], check=True)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    )
    versions = dict(line.split("==") for line in listed.stdout.splitlines() if "==" in line)
    return subprocess.run([python, "-m", "pytest", "-q", *tests], cwd=ROOT).returncode == 0, versions


def main() -> int:
    """Print the versions of both, side by side, and whether the tests passed with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("lowest", "newest"), help="one of the two")
    parser.add_argument("--keep", type=Path, help="a folder for the environments, which stay there")
    parser.add_argument("tests", nargs="*", help="what pytest shall run (default: everything)")
    arguments = parser.parse_args()
    pins = {"lowest": [lowest(requirement) for requirement in requirements()], "newest": requirements()}
    with tempfile.TemporaryDirectory() as folder:
        home, found = arguments.keep or Path(folder), {}
        for name in [arguments.only] if arguments.only else list(pins):
            try:
                found[name] = run(home / name, pins[name], arguments.tests)
            except subprocess.CalledProcessError as error:
                print(f"{name}: {error}", file=sys.stderr)
                found[name] = (False, {})
    for requirement in requirements():
        package = re.split(r"[\[><=]", requirement)[0]
        print(f"{package:20}", *(f"{versions.get(package, '-'):>14}" for _, versions in found.values()))
    print(f"{'tests':20}", *(f"{'passed' if passed else 'failed':>14}" for passed, _ in found.values()))
    return 0 if all(passed for passed, _ in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
