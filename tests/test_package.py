"""The wheel: built, installed outside the checkout, and used there."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(command, check=True, timeout=120)
    (path,) = folder.glob("kerasgen-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The Python of an environment with the wheel, which sees this environment's packages but not the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True, timeout=120)
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip()
    with open(os.path.join(site, "test_dependencies.pth"), "w") as file:
        file.write(sysconfig.get_path("purelib") + "\n")
    return python


def run(python, folder, *arguments):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [python, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_wheel_carries_configs_data_and_model(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("configs/dino.toml", "configs/dino_notebook.toml", "data/genera.txt", "data/pastiche.txt"):
        assert f"kerasgen/bundled/{name}" in names
    assert "kerasgen/bundled/saved_models/dino.keras" in names
    assert "kerasgen/bundled/saved_models/shakespeare.keras" in names
    for path in (ROOT / "kerasgen" / "page").glob("*.[!p]*"):
        assert f"kerasgen/page/{path.name}" in names
    assert not [name for name in names if name.endswith(("dinos.txt", "shakespeare.txt")) or "my-" in name]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_installed_wheel_works_outside_the_checkout_from_python_and_as_a_command(installed, tmp_path):
    code = (
        "import runpy, sys, kerasgen; print(kerasgen.__file__)\n"
        "print(*kerasgen.load('saved_models/dino.keras').generate(3, prefix='tri', seed=0))\n"
        "runpy.run_module('kerasgen.dino', run_name='__main__', alter_sys=True)"  # what `python -m` does
    )
    done = run(installed, tmp_path, "-c", code, "--sample-only", "--quiet", "--prefix", "tri")
    assert done.returncode == 0, done.stderr
    where, loaded, *names = done.stdout.splitlines()
    assert str(ROOT) not in where
    assert re.fullmatch(r"(tri[a-z]* ?){3}", loaded)
    assert len(names) == 10 and all(name.startswith("Tri") for name in names)


def test_version_is_the_packages(installed, tmp_path):
    version = run(installed, tmp_path, "-m", "kerasgen", "--version").stdout
    known = run(installed, tmp_path, "-c", "from importlib.metadata import version; print(version('kerasgen'))").stdout
    assert version == f"kerasgen {known}"
