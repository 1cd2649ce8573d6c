"""The package's shape: reading order is import order, and what is light stays light.

`lint-imports` reads the order of the folders from pyproject.toml; the rest is read from the source, or tried.
"""

import ast
import functools
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "kerasgen"
PATHS = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}
FOLDERS = sorted(name for name in PATHS if name.count(".") == 2 and name.endswith(".__init__"))
SOURCES = {name.removesuffix(".__init__"): path for name, path in PATHS.items() if "bundled" not in name}
FRAMEWORKS = {"tensorflow", "keras", "keras_tuner", "matplotlib", "tensorboard"}
SLOW = FRAMEWORKS | {"jsonargparse", "numpy", "platformdirs", "requests", "rich", "starlette", "uvicorn"}
# Nothing else loads a framework when it is imported. A folder stands for all that is in it.
HEAVY = {
    "kerasgen.generation.chain",
    "kerasgen.generation.generator",
    "kerasgen.generation.guided",
    "kerasgen.generation.loop",
    "kerasgen.generation.programs",
    "kerasgen.generation.portable",
    "kerasgen.generation.reading",
    "kerasgen.generation.rows",
    "kerasgen.generation.scoring",
    "kerasgen.generation.slots",
    "kerasgen.modelfile.exports",
    "kerasgen.modelfile.loader",
    "kerasgen.models.backend",
    "kerasgen.models.dropout",
    "kerasgen.models.lstm_passes",
    "kerasgen.models.lstm_unrolled",
    "kerasgen.models.names",
    "kerasgen.models.prose",
    "kerasgen.models.simple_rnn_passes",
    "kerasgen.runs.checkpointer",
    "kerasgen.runs.estimate",
    "kerasgen.runs.monitor",
    "kerasgen.scoring.page",
    "kerasgen.scoring.passes",
    "kerasgen.scoring.story",
    "kerasgen.serving.app",
    "kerasgen.serving.engine",
    "kerasgen.serving.served",
    "kerasgen.serving.server",
    "kerasgen.training.fit",
    "kerasgen.training.follow",
    "kerasgen.training.program",
    "kerasgen.training.replicas",
    "kerasgen.training.updates",
    "kerasgen.tuning.logs",
    "kerasgen.tuning.oracles",
    "kerasgen.tuning.trials",
    "kerasgen.tuning.workers",
}
# The places that ask what kind a model is of; the kinds that `clean` asks for are those of files.
FILE = {"kerasgen.modelfile.blueprint", "kerasgen.modelfile.store", "kerasgen.modelfile.loader"}
DISPATCH = {"kerasgen.tasks.registry", "kerasgen.clean", *FILE}
LONGEST = 300


@functools.cache
def tree(module):
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def imported(node):
    """Full dotted names that an import statement binds or loads, ``from a import b`` as ``a.b``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


@functools.cache
def loaded(module):
    """What is imported when a module is: everything outside of functions and of ``if TYPE_CHECKING``."""
    pending, found = list(tree(module).body), set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
            continue
        found |= set(imported(node))
        pending += ast.iter_child_nodes(node)
    return found


def owner(name):
    """The module of kerasgen that a dotted name leads to, or None."""
    while name and name not in SOURCES:
        name = name.rpartition(".")[0]
    return name or None


def loads_a_framework(module):
    """Tell whether importing a module imports a framework, directly or by way of other modules."""
    pending, seen = [module], set()
    while pending:
        now = pending.pop()
        if now in seen:
            continue
        seen.add(now)
        names = loaded(now)
        if any(name.split(".")[0] in FRAMEWORKS for name in names):
            return True
        pending += [found for name in names if (found := owner(name))]
    return False


def where(module, node):
    return f"{module}:{node.lineno}: {ast.unparse(node)}"


def modules_after(statement):
    """The slow packages that a fresh process has loaded after a statement."""
    code = f"{statement}\nimport sys; print(*sorted({SLOW!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_imports_go_in_one_direction():
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_folders_import_nothing_by_themselves():
    assert len(FOLDERS) >= 10
    for folder in FOLDERS:
        code = tree(folder.removesuffix(".__init__")).body
        assert [type(node) for node in code] == [ast.Expr], f"{folder} holds more than its docstring"


def test_exactly_the_heavy_modules_load_a_framework():
    assert {module for module in SOURCES if loads_a_framework(module)} == HEAVY


def test_importing_all_light_modules_loads_no_framework():
    light = sorted(set(SOURCES) - HEAVY)
    assert not modules_after(f"import {', '.join(light)}") & FRAMEWORKS


def test_what_help_needs_is_light():
    commands = [name for name in SOURCES if name.count(".") == 1 and SOURCES[name].stem != "__init__"]
    assert {"kerasgen.dino", "kerasgen.__main__"} <= set(commands)
    assert not modules_after(f"import kerasgen, {', '.join(commands)}; kerasgen.load")


@pytest.mark.parametrize("module", SOURCES)
def test_a_private_name_stays_in_its_module(module):
    for node in ast.walk(tree(module)):
        for name in imported(node):
            if owner(name):
                assert not re.search(r"\._(?!_)", name), where(module, node)
    aliases = {}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias, name in zip(node.names, imported(node), strict=True):
                if name in SOURCES:
                    aliases[alias.asname or alias.name.rpartition(".")[2]] = name
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            assert not re.match(r"_(?!_)", node.attr), where(module, node)


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_is_short(module):
    lines = SOURCES[module].read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST


CLASSES = {
    node.name
    for module in SOURCES
    if module.startswith(("kerasgen.models.", "kerasgen.tasks."))
    for node in ast.walk(tree(module))
    if isinstance(node, ast.ClassDef)
}


def asks_the_kind(node):
    """Tell whether an expression is ``x.kind``, ``x["kind"]`` or ``x.get("kind")``."""
    if isinstance(node, ast.Attribute):
        return node.attr == "kind"
    if isinstance(node, ast.Subscript):
        return ast.unparse(node.slice) == "'kind'"
    return isinstance(node, ast.Call) and re.search(r"\.get\('kind'", ast.unparse(node)) is not None


def dispatches(node):
    """Tell whether some code asks what kind of model, task or settings it has before it."""
    if isinstance(node, ast.Compare):
        return any(map(asks_the_kind, [node.left, *node.comparators]))
    if isinstance(node, ast.Match):
        return asks_the_kind(node.subject)
    if isinstance(node, ast.Subscript):
        return asks_the_kind(node.slice)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1:
        first, second = node.args[:2]
        if node.func.id in ("isinstance", "issubclass"):
            return bool(CLASSES & set(re.findall(r"\w+", ast.unparse(second))))
        if node.func.id in ("getattr", "hasattr"):
            return (
                isinstance(second, ast.Constant) and re.search(r"\b(settings|config)$", ast.unparse(first)) is not None
            )
    return False


@pytest.mark.parametrize("module", sorted(set(SOURCES) - DISPATCH))
def test_only_the_registry_and_the_loader_ask_for_the_kind(module):
    assert [where(module, node) for node in ast.walk(tree(module)) if dispatches(node)] == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("task.kind == 'names'", True),
        ("card['kind'] != 'prose'", True),
        ("contents.card.get('kind') in kinds", True),
        ("TABLE[task.kind]", True),
        ("isinstance(model, models.NameRNN | str)", True),
        ("getattr(self.settings, 'patience', None)", True),
        ("isinstance(value, str)", False),
        ("getattr(settings, field.name)", False),
        ("kind == 'file'", False),
        ("print(task.kind)", False),
    ],
)
def test_asking_for_the_kind_is_recognised(code, found):
    assert any(dispatches(node) for node in ast.walk(ast.parse(code))) == found
