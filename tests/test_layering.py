"""The house of design.md: reading order is import order, and the light rooms stay light."""

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

# Each room may import these; in reading order. The version is the one name that the package itself gives to all.
MAY_IMPORT = {
    "errors": set(),
    "files": {"errors"},
    "config": {"errors", "files"},
    "vocab": {"errors"},
    "metrics": set(),
    "corpora": {"errors", "files"},
    "backend": {"errors"},
    "datasets": {"errors", "vocab"},
    "recurrence": {"backend"},
    "models": {"backend", "recurrence"},
    "updates": {"backend"},
    "generator": {"backend", "errors", "vocab"},
    "gate": set(),
    "blueprint": {"gate", "vocab"},
    "artifacts": {"backend", "blueprint", "errors", "files", "gate", "models", "vocab"},
    "console": {"backend", "errors"},
    "checkpoints": {"errors", "files"},
    "training": {
        "artifacts",
        "backend",
        "checkpoints",
        "console",
        "datasets",
        "errors",
        "files",
        "metrics",
        "updates",
    },  # fmt: skip
    "monitor": {"backend", "console", "errors", "files", "metrics"},
    "runs": {"artifacts", "backend", "checkpoints", "console", "errors", "files", "monitor", "training"},
    "recipes": "anything above but commands",
    "space": {"config", "errors", "recipes"},
    "ranking": {"console", "errors", "files", "monitor", "space"},
    "oracles": {"backend", "config", "console", "errors", "files", "space"},
    "sweeps": {"backend", "config", "console", "errors", "oracles", "ranking", "space", "training"},
    "__init__": "anything above but commands",
    "clean": "anything above but commands",
    "inspect": "anything above but commands",
    "dino": "anything above but commands",
    "shakespeare": "anything above but commands",
    "tune": "anything above but commands",
    "__main__": "anything above but commands",
}
ORDER = list(MAY_IMPORT)
COMMANDS = {"clean", "dino", "inspect", "shakespeare", "tune", "__main__"}
HEAVY = {"tensorflow", "keras", "keras_tuner", "matplotlib", "tensorboard"}
LIGHT = [
    "errors",
    "files",
    "config",
    "vocab",
    "metrics",
    "corpora",
    "datasets",
    "gate",
    "blueprint",
    "artifacts",
    "console",
    "checkpoints",
    "runs",
    "clean",
    "inspect",
    "recipes",
    "space",
    "ranking",
    "dino",
    "shakespeare",
    "tune",
]


def tree(room):
    return ast.parse((ROOT / "kerasgen" / f"{room}.py").read_text(encoding="utf-8"))


def imported(node):
    """Full dotted names that an import statement binds or loads, ``from a import b`` as ``a.b``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def rooms_of(room):
    """The rooms that a room imports anywhere, inside functions as well."""
    found = set()
    for node in ast.walk(tree(room)):
        for name in imported(node):
            package, *rest = name.split(".")
            if package == "kerasgen" and rest != ["__version__"]:
                found.add(rest[0] if rest and rest[0] in MAY_IMPORT else "__init__")
    return found


def top_level_packages(room):
    """The packages whose import runs when the room is imported: everything outside of functions."""
    pending, found = list(tree(room).body), set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        found |= {name.split(".")[0] for name in imported(node)}
        found |= {"kerasgen.backend"} & {".".join(name.split(".")[:2]) for name in imported(node)}
        pending += ast.iter_child_nodes(node)
    return found


def test_every_room_is_in_the_table():
    assert {path.stem for path in (ROOT / "kerasgen").glob("**/*.py")} == set(MAY_IMPORT)


def test_the_table_itself_points_upward_only():
    for place, (room, allowed) in enumerate(MAY_IMPORT.items()):
        if not isinstance(allowed, str):
            assert allowed <= set(ORDER[:place]), room


@pytest.mark.parametrize("room", ORDER)
def test_a_room_imports_only_what_it_may(room):
    allowed = MAY_IMPORT[room]
    if isinstance(allowed, str):
        allowed = set(ORDER[: ORDER.index(room)]) - COMMANDS
    assert rooms_of(room) <= allowed


def test_there_are_no_cycles():
    graph = {room: rooms_of(room) for room in ORDER}
    while leaves := [room for room, needs in graph.items() if not needs & set(graph)]:
        for room in leaves:
            del graph[room]
    assert not graph


@pytest.mark.parametrize("room", sorted(COMMANDS))
def test_commands_never_import_each_other(room):
    assert not rooms_of(room) & COMMANDS


@pytest.mark.parametrize("room", LIGHT)
def test_light_rooms_do_not_name_tensorflow_at_module_level(room):
    assert not top_level_packages(room) & {*HEAVY, "kerasgen.backend"}


@pytest.mark.parametrize(
    "statement",
    [
        "import kerasgen; kerasgen.load",
        "from kerasgen import errors, files, config, vocab, artifacts, console",
        "from kerasgen import corpora, __main__, dino",
    ],
)
def test_importing_light_rooms_loads_nothing_heavy(statement):
    heavy = sorted({*HEAVY, "numpy", "platformdirs", "requests", "rich", "jsonargparse"})
    code = f"{statement}\nimport sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_rooms_with_numbers_load_numpy_but_not_tensorflow():
    code = f"from kerasgen import metrics, datasets, recipes\nimport sys; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("set()", "")
