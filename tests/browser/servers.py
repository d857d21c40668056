"""Start a real JupyterLab or Notebook 7 on a free loopback port, with settings and folders of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import nbformat

App = Literal["lab", "notebook"]

ROOT = Path(__file__).parents[2]

START_TIMEOUT = 90.0  # seconds; 4 to 20 are usual

# Settings of JupyterLab's plugins, which Notebook 7 shares.
SETTINGS: dict[str, dict[str, Any]] = {
    # Cells out of sight stay in the page, so a test can look at all of them.
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    # A notebook is written when a test says so and at no other time.
    "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings": {"autosave": False},
    # No question about news over the page.
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "checkForUpdates": False,
        "fetchNews": "false",
    },
}


@dataclass(frozen=True)
class JupyterServer:
    """A running server: `folder` holds its notebooks, `home` its settings, data, and log."""

    app: App
    url: str
    token: str
    folder: Path
    home: Path

    @property
    def log(self) -> str:
        """What the server has printed until now: what a failing test wants to see."""
        return (self.home / "server.log").read_text(encoding="utf-8", errors="replace")

    def write_notebook(self, name: str, cells: Sequence[str]) -> Path:
        """Write a notebook of code cells into the server's folder."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        path = self.folder / name
        nbformat.write(notebook, path)
        return path

    def read_notebook(self, name: str) -> nbformat.NotebookNode:
        """Read a notebook back from the disk: what a colleague would get by mail."""
        return cast(nbformat.NotebookNode, nbformat.read(self.folder / name, as_version=4))

    def add_kernel(self, name: str, python: Path) -> None:
        """Make the ipykernel of another environment selectable, to test with its version."""
        spec = {
            "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
        }
        folder = self.home / "data" / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    def set(self, plugin: str, settings: dict[str, Any]) -> None:
        """Set a person's settings of a plugin, e.g. "jupyter-flowbook:plugin"; pages read them when they open."""
        package, name = plugin.split(":")
        path = self.home / "settings" / package / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")

    def page_url(self, name: str = "") -> str:
        """Return where a browser finds the notebook of that name, or the application with none open."""
        if self.app == "lab":
            # A workspace for each page, else JupyterLab opens again what the last page had open.
            place = f"lab/workspaces/{secrets.token_hex(4)}" + (f"/tree/{name}" if name else "")
        else:
            place = f"notebooks/{name}" if name else "tree"
        return f"{self.url}{place}?token={self.token}"

    def running_kernels(self) -> list[dict[str, Any]]:
        """Ask the server which kernels it runs."""
        answer = self._get("api/kernels")
        assert isinstance(answer, list)
        return answer

    def is_up(self) -> bool:
        """Tell whether the server answers."""
        try:
            self._get("api/status")
        except OSError:
            return False
        return True

    def _get(self, path: str) -> object:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def running_server(app: App, home: Path) -> Iterator[JupyterServer]:
    """Run a server below the folder `home` until the block ends; its kernels end with it."""
    server = JupyterServer(
        app=app,
        url=f"http://127.0.0.1:{_free_port()}/",
        token=secrets.token_hex(16),
        folder=home / "notebooks",
        home=home,
    )
    server.folder.mkdir(parents=True)
    _write_settings(home)
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            _command(server),
            cwd=server.folder,
            env=_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a group of its own, so that nothing it started outlives it
        )
    try:
        _wait_until_up(server, process)
        yield server
    finally:
        _end(process)


def _command(server: JupyterServer) -> list[str]:
    module = {"lab": "jupyterlab", "notebook": "notebook"}[server.app]
    port = server.url.rstrip("/").rpartition(":")[2]
    return [
        sys.executable,
        "-m",
        module,
        "--no-browser",
        "--allow-root",
        "--expose-app-in-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={server.folder}",
        f"--IdentityProvider.token={server.token}",
    ]


def _environment(home: Path) -> dict[str, str]:
    """Keep the person's own Jupyter out, and have this checkout's package and labextension found first."""
    extensions = home / "share" / "labextensions"
    extensions.mkdir(parents=True)
    (extensions / "jupyter-flowbook").symlink_to(ROOT / "flowbook" / "labextension")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))}
    return kept | {
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_PATH": str(home / "share"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONWARNINGS": "default",
    }


def _write_settings(home: Path) -> None:
    for name, settings in SETTINGS.items():
        path = home / "settings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")


def _wait_until_up(server: JupyterServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not server.is_up():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{server.app} did not start at {server.url}; it said:\n{server.log}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop, which stops its kernels; after ten seconds end its whole group."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port
