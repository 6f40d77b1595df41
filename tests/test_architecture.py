"""The house rules: who may import whom, what the pack never does, and how large a room may grow."""

from __future__ import annotations

import ast
import importlib
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("jano", "flash_vaed", "nodes")
RUNTIME = sorted([ROOT / "__init__.py", *(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))])
METHOD = ("jano", *(f"jano/{room}" for room in ("by_level", "forecast", "levels", "references", "show", "whole")))
ADAPTERS = ("jano/adapters", "jano/adapters/by_level", "jano/adapters/references")
MEDIAN_FUNCTION, LONGEST_FUNCTION, LONGEST_FILE = 6, 45, 350
ENGINES = ("whole", "by_level")
CHOOSES_AN_ENGINE = ("jano/run.py", "jano/adapters/sampling.py")  # inside a function: either can be deleted
STANDARD = sys.stdlib_module_names

# Outside of the standard library; "..jano" and "." are our own.
OF_AN_ENGINE = {"torch", *(f".{name}" for name in (".account", ".clock", ".config", ".forecast", ".levels"))}
OF_AN_ENGINE |= {".", "..prefetch", "..presets", "..refusal", "..sampler", "..sentences", "..show", "..storage"}
MAY_IMPORT = {
    "jano": {"torch", "."},
    "jano/levels": {"torch", ".", "..clock", "..config", "..sentences"},
    "jano/forecast": {"torch", ".", "..clock", "..config"},
    "jano/references": {"torch", ".", "..account", "..clock", "..prefetch", "..storage"},
    "jano/show": {"torch", "PIL", ".", "..levels", "..sentences"},
    "jano/whole": OF_AN_ENGINE,
    "jano/by_level": OF_AN_ENGINE,
    "jano/adapters": {"torch", "numpy", "comfy", ".", ".."},
    "jano/adapters/by_level": {"torch", "comfy", ".", "..", "..."},
    "jano/adapters/references": {"torch", "comfy", ".", "..", "..."},
    "flash_vaed": {"torch", "numpy", "safetensors", "."},
    "nodes": {"comfy_api", "folder_paths", ".", "..jano", "..flash_vaed"},
    ".": {".nodes"},
}
MAY_ALSO_IMPORT = {
    "jano/adapters/sweep.py": {"comfy_extras", "nodes"},  # the host's own sampler, guiders and decoding
    "flash_vaed/host_vae.py": {"comfy"},
    "flash_vaed/host_make.py": {"comfy"},
    "flash_vaed/__main__.py": {"comfy", "jano", "PIL"},  # the command line; only where it is asked to read pictures
}
NEVER_IMPORTED = {"pickle", "subprocess", "urllib", "http", "socket", "ctypes", "importlib", "multiprocessing"}
NEVER_CALLED = {"eval", "exec", "compile", "print", "__import__", "input"}
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "manager", "handler", "stuff", "misc", "common"}


def room(path: Path) -> str:
    return path.parent.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of every import; relative ones begin with their dots and end after the first name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            first = (node.module or "").partition(".")[0]
            yield node.lineno, "." * node.level + first if node.level else first


def allowed(name: str, may: set[str]) -> bool:
    """Whether a room with the list `may` can import this; "." there stands for all beside it, ".." for all above."""
    if name in STANDARD:
        return name not in NEVER_IMPORTED
    dots = name[: len(name) - len(name.lstrip("."))]
    return name in may or (dots != "" and dots in may)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end; a node's schema is data, and has none."""
    return 0 if function.name == "define_schema" else function.end_lineno - function.lineno + 1


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", RUNTIME, ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    may = MAY_IMPORT[room(path)] | MAY_ALSO_IMPORT.get(name_of(path), set())
    assert [f"line {line}: {name}" for line, name in imports(path) if not allowed(name, may)] == []


@pytest.mark.parametrize("path", [path for path in RUNTIME if room(path) in METHOD], ids=name_of)
def test_the_method_does_not_know_its_adapters(path: Path) -> None:
    assert not any(name.lstrip(".") == "adapters" for _, name in imports(path))


@pytest.mark.parametrize("path", RUNTIME, ids=name_of)
def test_the_engines_never_meet(path: Path) -> None:
    """Who names an engine is a part of it, or one of the two that choose it, when a run needs it."""
    tree = ast.parse(path.read_text())
    named = {
        (engine, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for engine in ENGINES
        if engine in (node.module or "").split(".") or engine in {alias.name for alias in node.names}
    }
    lazy = {line for made in functions(path) for line in range(made.lineno, made.end_lineno + 1)}
    own = {engine for engine in ENGINES if engine in (*path.parent.parts, path.stem)}
    if name_of(path) in CHOOSES_AN_ENGINE:
        assert named
        assert all(line in lazy for _, line in named)
    else:
        assert {engine for engine, _ in named} <= own


def modules_of(path: Path) -> set[Path]:
    """The pack's own modules that one imports: for types alone too, since what a type is taken from, it is about."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            found |= {base.with_suffix(".py"), *((base / alias.name).with_suffix(".py") for alias in node.names)}
    return {module for module in found if module.is_file()}


def test_no_two_modules_import_each_other() -> None:
    """Imports under TYPE_CHECKING count: at runtime they would be a circle, and to a reader they are one."""
    known = {path: modules_of(path) for path in RUNTIME}
    assert ROOT / "jano/show/report.py" in known[ROOT / "jano/show/advice.py"]
    pairs = {(name_of(one), name_of(other)) for one in known for other in known[one] if one in known.get(other, ())}
    assert pairs == set()


@pytest.mark.parametrize("path", RUNTIME, ids=name_of)
def test_nothing_dangerous_or_chatty_is_called(path: Path) -> None:
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    names = [(call.lineno, call.func.id) for call in calls if isinstance(call.func, ast.Name)]
    assert [(line, name) for line, name in names if name in NEVER_CALLED] == []


@pytest.mark.parametrize("path", RUNTIME, ids=name_of)
def test_logging_is_left_to_the_host(path: Path) -> None:
    attributes = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert attributes.isdisjoint({"basicConfig", "setLevel", "addHandler"})


@pytest.mark.parametrize("path", RUNTIME, ids=name_of)
def test_no_module_collects_anything(path: Path) -> None:
    """No `global`, and no container that starts empty at module or class level: it could only be there to be filled."""
    tree = ast.parse(path.read_text())
    assert not any(isinstance(node, ast.Global | ast.Nonlocal) for node in ast.walk(tree))
    scopes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    values = [
        (node.lineno, node.value)
        for scope in scopes
        for node in scope.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
    ]
    assert [line for line, value in values if is_empty_container(value)] == []


def is_empty_container(value: ast.expr) -> bool:
    if isinstance(value, ast.List | ast.Set | ast.Dict):
        return not ast.unparse(value).strip("[]{} ")
    makers = {"list", "dict", "set", "deque", "defaultdict", "OrderedDict", "WeakKeyDictionary", "WeakValueDictionary"}
    return isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in makers


@pytest.mark.parametrize("path", [path for path in RUNTIME if path.parent != ROOT], ids=name_of)
def test_no_module_holds_a_tensor(path: Path) -> None:
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    module = importlib.import_module(f"comfyui_jano.{dotted}")
    assert [name for name, value in vars(module).items() if holds_tensor(value)] == []


def holds_tensor(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(holds_tensor, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(holds_tensor, value))
    return isinstance(value, torch.Tensor)


# --- size and names


@pytest.mark.parametrize("path", RUNTIME, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
    assert [function.name for function in functions(path) if length(function) > LONGEST_FUNCTION] == []


@pytest.mark.parametrize("package", [*METHOD, *ADAPTERS, "flash_vaed"])
def test_most_functions_are_a_few_lines(package: str) -> None:
    made = [function for path in RUNTIME if room(path) == package for function in functions(path)]
    assert statistics.median(map(length, made)) <= MEDIAN_FUNCTION


@pytest.mark.parametrize("path", RUNTIME, ids=name_of)
def test_names_say_what_is_inside(path: Path) -> None:
    classes = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    words = {word for name in classes for word in split_camel(name)} | set(path.stem.split("_"))
    assert words.isdisjoint(VAGUE_NAMES)


def split_camel(name: str) -> list[str]:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_").split("_")


@pytest.mark.parametrize("path", RUNTIME, ids=name_of)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "module", [path for path in RUNTIME if room(path) in METHOD and path.stem[0] != "_"], ids=name_of
)
def test_every_module_of_the_method_has_its_tests(module: Path) -> None:
    beside = ROOT / "tests" / "unit" / module.parent.relative_to(ROOT / "jano")
    assert (beside / f"test_{module.name}").is_file()


@pytest.mark.parametrize("room", ["__init__.py", "jano", "flash_vaed", "nodes", "host", "tests", "bench", "demo"])
def test_nothing_is_newer_than_the_oldest_python(room: str) -> None:
    """Syntax and names of the standard library; `make pythons` runs the unit tests on the Pythons themselves."""
    options = ["--target=3.10-", "--violations", "--no-tips", str(ROOT / room)]
    command = [sys.executable, "-c", "from vermin import main; main()", *options]
    vermin = subprocess.run(command, capture_output=True, text=True)
    assert vermin.returncode == 0, vermin.stdout + vermin.stderr


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_is_content(command: list[str]) -> None:
    ruff = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True)
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr
