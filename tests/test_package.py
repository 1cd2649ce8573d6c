"""The wheel: built, installed outside the checkout, and used there."""

import os
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
    assert not [name for name in names if name.endswith(("dinos.txt", "shakespeare.txt")) or "my-" in name]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_installed_wheel_runs_outside_the_checkout(installed, tmp_path):
    where = run(installed, tmp_path, "-c", "import kerasgen; print(kerasgen.__file__)")
    assert str(ROOT) not in where.stdout

    names = run(installed, tmp_path, "-m", "kerasgen.dino", "--sample-only", "--quiet", "--prefix", "tri")
    assert names.returncode == 0, names.stderr
    assert len(names.stdout.split()) == 10
    assert all(name.startswith("Tri") for name in names.stdout.split())


def test_installed_wheel_loads_the_shipped_model_from_python(installed, tmp_path):
    code = "import kerasgen; print(kerasgen.load('saved_models/dino.keras').generate(3, prefix='tri', seed=0))"
    names = run(installed, tmp_path, "-c", code)
    assert names.returncode == 0, names.stderr
    assert names.stdout.startswith("['tri")


def test_version_is_the_packages(installed, tmp_path):
    version = run(installed, tmp_path, "-m", "kerasgen", "--version").stdout
    known = run(installed, tmp_path, "-c", "from importlib.metadata import version; print(version('kerasgen'))").stdout
    assert version == f"kerasgen {known}"
