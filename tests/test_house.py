"""The house itself: what stands where, how large, what it shows, and whether its papers tell the truth."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import flowbook
from tests.conftest import Golden
from tests.surface import surface

ROOT = Path(__file__).parents[1]

TOP_LEVEL = {"README.md", "flowbook", "js", "notebooks", "pyproject.toml", "tests"}

CODE = {".py", ".ts", ".mjs", ".css", ".sh", ""}

GENERATED = {"js/src/look.ts", "js/src/protocol.ts"}

VERBS = {"bench", "build", "check", "demo", "golden", "install", "run", "test"}

# What `import flowbook` must not load: each costs time, or ties plain Python code to Jupyter.
HEAVY = (
    "IPython",
    "asyncio",
    "cloudpickle",
    "cronsim",
    "dask",
    "dateutil",
    "distributed",
    "graphviz",
    "httpx",
    "ipywidgets",
    "jinja2",
    "nbformat",
    "networkx",
    "pydantic",
    "sqlite3",
    "subprocess",
    "zipfile",
)

# Beyond the standard library, the lower floors may import this, and only where it says.
ALLOWED_BELOW: dict[str, str | tuple[str, ...]] = {
    "cloudpickle": ("flowbook/engine/executors/", "flowbook/saving.py", "flowbook/utilities/debug.py"),
    "cronsim": "flowbook/schedules/clocks.py",
    "dask": "flowbook/engine/executors/dask",
    "dateutil": "flowbook/schedules/clocks.py",
    "distributed": "flowbook/engine/executors/dask",
    # bodies of tasks load what they need when they run
    "httpx": "flowbook/tasks/http.py",
    "jinja2": "flowbook/tasks/templates/jinja2.py",
    "nbclient": "flowbook/tasks/jupyter.py",
    "nbconvert": "flowbook/tasks/jupyter.py",
    "nbformat": "flowbook/tasks/jupyter.py",
    "papermill": "flowbook/tasks/jupyter.py",
    "pydantic": "flowbook/forms.py",
    "tomli": "flowbook/configuration.py",
}

FLOORS_ABOVE = ("flowbook/view/", "flowbook/notebook/", "flowbook/cli.py")


@cache
def tracked_files() -> tuple[str, ...]:
    """List the files git knows, and new ones it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return tuple(sorted(name for name in set(names) if name and (ROOT / name).is_file()))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def python_files(*folders: str) -> list[str]:
    return [name for name in tracked_files() if name.endswith(".py") and name.startswith(folders)]


# ---------------------------------------------------------------- what stands where


def test_only_a_few_names_stand_at_the_top_level() -> None:
    top = {name.split("/")[0] for name in tracked_files()}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


def test_no_file_of_code_is_longer_than_600_lines() -> None:
    lengths = {
        name: text_of(name).count("\n")
        for name in tracked_files()
        if Path(name).suffix in CODE and name not in GENERATED and not Path(name).name.startswith(".")
    }
    assert {name: length for name, length in lengths.items() if length > 600} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}: {length} lines"
        for name in python_files("flowbook/", "js/", "tests/")
        for node in ast.walk(ast.parse(text_of(name)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := _code_length(node)) > 60
    ]
    assert long == []


def _code_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function but its docstring: examples for the reader make no function long."""
    assert function.end_lineno is not None
    length = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        assert first.end_lineno is not None
        length -= first.end_lineno - first.lineno + 1
    return length


def test_nothing_names_a_registry_or_a_place_on_one_machine() -> None:
    registries = "|".join(
        re.escape(".".join(host))
        for host in (
            ("registry", "npmjs", "org"),
            ("registry", "yarnpkg", "com"),
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("deb", "debian", "org"),
        )
    )
    places = r"(?<![\w.:/])/(?:work|root|home|Users)/\w[\w./-]*"
    found = [
        f"{name}: {match.group()}"
        for name in tracked_files()
        if (text := _text_or_nothing(name))
        for match in re.finditer(f"{registries}|{places}", text)
    ]
    assert found == []


def _text_or_nothing(name: str) -> str:
    try:
        return text_of(name)
    except UnicodeDecodeError:  # a picture
        return ""


# ---------------------------------------------------------------- floors


def test_ground_and_engine_import_the_standard_library_only() -> None:
    strangers = [
        f"{name} imports {module}"
        for name in python_files("flowbook/")
        if not name.startswith(FLOORS_ABOVE)
        for module in _imported_at_run_time(ast.parse(text_of(name)))
        if module not in sys.stdlib_module_names | {"flowbook"}
        if not name.startswith(ALLOWED_BELOW.get(module, "nowhere"))
    ]
    assert strangers == []


def _imported_at_run_time(tree: ast.AST) -> Iterator[str]:
    """Give the top names of all imports, in functions too, but not those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
        yield from _imported_at_run_time(node)


def test_importing_flowbook_loads_nothing_heavy() -> None:
    code = f"import sys, flowbook; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# ---------------------------------------------------------------- the public face


def test_all_names_are_there_and_nothing_public_is_left_out() -> None:
    def is_incidental(name: str) -> bool:
        """A submodule becomes an attribute when anything imports it; only __all__ makes it public."""
        return isinstance(getattr(flowbook, name), ModuleType)

    there = {name for name in vars(flowbook) if not name.startswith("_") and not is_incidental(name)}
    assert there <= set(flowbook.__all__) | {"annotations"}
    assert [name for name in flowbook.__all__ if not hasattr(flowbook, name)] == []
    assert sorted(flowbook.__all__) == list(flowbook.__all__)


def test_the_public_surface_is_the_one_written_down(golden: Golden) -> None:
    golden("public_surface.txt", surface(flowbook))


def test_everything_public_has_a_docstring() -> None:
    bare = [
        name
        for name in flowbook.__all__
        if (value := getattr(flowbook, name)) is not None
        and (inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value))
        and not inspect.getdoc(value)
    ]
    assert bare == []


def test_the_version_is_the_same_everywhere() -> None:
    declared = re.search(r'^version = "(.+)"$', text_of("pyproject.toml"), re.MULTILINE)
    assert declared is not None
    assert declared[1] == flowbook.__version__
    assert f'"version": "{declared[1]}"' in text_of("js/package.json")


# ---------------------------------------------------------------- the papers


def readme_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of("README.md"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", readme_blocks("python"), ids=lambda block: block.strip().splitlines()[0])
def test_a_python_block_of_the_readme_runs(block: str) -> None:
    exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) < 150


def test_every_file_the_papers_link_to_is_there() -> None:
    for paper in ("README.md", ".github/CONTRIBUTING.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text_of(paper))
        assert [link for link in links if not ((ROOT / paper).parent / link).exists()] == [], paper


@pytest.mark.parametrize("name", ["demo", "tests"])
def test_ci_finds_the_readme_command_that_a_person_would_paste(name: str) -> None:
    """.ci/run executes what this finds, so a README that no longer works turns CI red."""
    source = f"source .ci/_house.sh && readme_command {name}"
    found = subprocess.run(["bash", "-c", source], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(found.splitlines()) == 1
    assert found in readme_blocks("bash")
    assert f"$(readme_command {name})" in text_of(".ci/run")


def test_every_verb_is_a_script_that_can_be_run() -> None:
    there = {name.removeprefix(".ci/") for name in tracked_files() if name.startswith(".ci/")}
    assert there == VERBS | {"_house.sh"}
    for verb in sorted(VERBS):
        path = ROOT / ".ci" / verb
        assert os.access(path, os.X_OK), f"chmod +x .ci/{verb}"
        subprocess.run(["bash", "-n", str(path)], check=True)
        assert 'source "$(dirname "${BASH_SOURCE[0]}")/_house.sh"' in path.read_text(), "strict mode comes from there"
    assert "set -euo pipefail" in text_of(".ci/_house.sh")


def test_every_verb_is_explained() -> None:
    guide = text_of(".github/CONTRIBUTING.md")
    assert [verb for verb in sorted(VERBS) if f"`bash .ci/{verb}`" not in guide] == []


# ---------------------------------------------------------------- the build


@pytest.fixture
def hook() -> Iterator[ModuleType]:
    """Load js/hatch_build.py, which is no part of the package."""
    sys.path.insert(0, str(ROOT / "js"))
    try:
        yield importlib.import_module("hatch_build")
    finally:
        sys.path.remove(str(ROOT / "js"))


@pytest.fixture
def checkout(hook: ModuleType, tmp_path: Path) -> Path:
    """Make the files a build looks at, the built ones younger than their sources."""
    sources = ("js/build.mjs", "js/package.json", "js/package-lock.json", "js/src/paint.ts")
    for age, names in ((100, sources), (200, hook.BUILT)):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (age, age))
    return tmp_path


def test_the_build_is_skipped_when_nothing_has_changed(hook: ModuleType, checkout: Path) -> None:
    assert hook.is_built(checkout)


def test_a_younger_source_asks_for_a_build(hook: ModuleType, checkout: Path) -> None:
    os.utime(checkout / "js/src/paint.ts", (300, 300))
    assert not hook.is_built(checkout)


def test_a_missing_bundle_asks_for_a_build(hook: ModuleType, checkout: Path) -> None:
    (checkout / hook.BUILT[0]).unlink()
    assert not hook.is_built(checkout)


def test_an_sdist_that_carries_the_build_needs_no_node(hook: ModuleType, checkout: Path) -> None:
    os.utime(checkout / "js/src/paint.ts", (300, 300))
    (checkout / "PKG-INFO").touch()
    assert hook.is_built(checkout)
