"""Notebooks as tasks."""

from __future__ import annotations

import importlib.util
import keyword
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.errors import nearest, shown
from flowbook.signals import FAIL
from flowbook.tasks.base import Task
from flowbook.tasks.given import check_given, import_hint
from flowbook.utilities.tasks import defaults_from_attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ExecuteNotebook"]

_FORMATS = ("asis", "html", "json", "markdown", "notebook", "script")


class ExecuteNotebook(Task):
    """Execute a notebook in a kernel of its own, and return it, executed, as text.

    The file itself stays as it is. Parameters are set in a cell that is put below the first one tagged ``parameters``,
    or at the top when there is none: what that cell sets are the defaults. Papermill does all this when it is
    installed (the extra ``papermill``), for kernels of any language; else nbclient does, for Python.

    Args:
        path: the notebook.
        parameters: values by name: numbers, texts, None, lists and dicts of these. Tuples and sets become lists.
        output_format: ``notebook`` (also called ``asis`` and ``json``) for a text to save as ``.ipynb``, or ``html``,
            ``markdown``, ``script``, which nbconvert makes.
        exporter_kwargs: options of nbconvert's exporter, for instance ``{"exclude_input": True}``.
        kernel_name: the kernel, when not the one that the notebook names.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: the path is missing, a parameter cannot be set, or the format is not known.
        ImportError: neither papermill nor nbclient is installed.
        flowbook.signals.FAIL: a cell failed; the message tells which one, and the result is the exception.

    """

    def __init__(
        self,
        path: str | os.PathLike[str] = "",
        parameters: Mapping[str, Any] | None = None,
        output_format: str = "notebook",
        exporter_kwargs: Mapping[str, Any] | None = None,
        kernel_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.path = path
        self.parameters = parameters
        self.output_format = output_format
        self.exporter_kwargs = exporter_kwargs
        self.kernel_name = kernel_name
        super().__init__(**kwargs)

    @defaults_from_attrs("path", "parameters", "output_format", "exporter_kwargs", "kernel_name")
    def run(
        self,
        path: str | os.PathLike[str] = "",
        parameters: Mapping[str, Any] | None = None,
        output_format: str = "notebook",
        exporter_kwargs: Mapping[str, Any] | None = None,
        kernel_name: str | None = None,
    ) -> str:
        """Execute it; see the class."""
        check_given(self, path=path)
        if output_format not in _FORMATS:
            raise ValueError(
                f"output_format={shown(output_format)} is not known.{nearest(output_format, _FORMATS)} "
                f"Known: {', '.join(_FORMATS)}."
            )
        plain = {name: _plain(name, value) for name, value in (parameters or {}).items()}
        for name in plain:
            if not name.isidentifier() or keyword.iskeyword(name):
                raise ValueError(f"parameters={{{shown(name)}: ...}}: not a name that a cell could set.")
        execute = _by_papermill if importlib.util.find_spec("papermill") else _by_nbclient
        return _exported(execute(os.fspath(path), plain, kernel_name), output_format, exporter_kwargs)


def _by_papermill(path: str, parameters: dict[str, Any], kernel_name: str | None) -> Any:
    """Execute a notebook by papermill, and return it executed."""
    import papermill  # noqa: PLC0415 - an extra

    with tempfile.TemporaryDirectory(prefix="flowbook-") as folder:
        try:
            return papermill.execute_notebook(
                path,
                str(Path(folder) / "executed.ipynb"),
                parameters=parameters,
                kernel_name=kernel_name,
                progress_bar=False,
            )
        except papermill.PapermillExecutionError as error:
            raise FAIL(_failure(path, error.cell_index, error.ename, error.evalue), result=error) from error


def _by_nbclient(path: str, parameters: dict[str, Any], kernel_name: str | None) -> Any:
    """Execute a notebook by nbclient, and return it executed."""
    try:
        import nbclient  # noqa: PLC0415 - comes with JupyterLab
        import nbformat  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(import_hint("ExecuteNotebook", "papermill", "papermill")) from error

    notebook = nbformat.read(path, as_version=4)
    if parameters:
        _set_parameters(notebook, parameters, path)
    options: dict[str, Any] = {"kernel_name": kernel_name} if kernel_name else {}
    client = nbclient.NotebookClient(notebook, timeout=None, **options)
    try:
        return client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        number = next(
            (
                index
                for index, cell in enumerate(notebook.cells)
                if any(output.output_type == "error" for output in cell.get("outputs", ()))
            ),
            -1,
        )
        raise FAIL(_failure(path, number, error.ename, error.evalue), result=error) from error


def _set_parameters(notebook: Any, parameters: dict[str, Any], path: str) -> None:
    """Put a cell that sets the parameters below the one that sets their defaults."""
    import nbformat  # noqa: PLC0415 - comes with JupyterLab

    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise ValueError(
            f"{path} is written in {language}; setting its parameters takes papermill: "
            "pip install 'jupyter-flowbook[papermill]'."
        )
    lines = ["# Parameters", *(f"{name} = {_literal(value)}" for name, value in parameters.items())]
    tags = [cell.metadata.get("tags", ()) for cell in notebook.cells]
    place = next((index + 1 for index, those in enumerate(tags) if "parameters" in those), 0)
    metadata = {"tags": ["injected-parameters"]}
    notebook.cells.insert(place, nbformat.v4.new_code_cell("\n".join(lines), metadata=metadata))


def _plain(name: str, value: Any) -> Any:
    """Return a value as any kernel knows it, or raise ValueError: papermill would hand over its repr, as a text."""
    kind = type(value)  # not isinstance: what derives from these may write itself in any way
    if kind in {str, int, float, bool, type(None)}:
        return value
    if kind in {list, tuple, set}:
        return [_plain(name, item) for item in value]
    if kind is dict and all(type(key) is str for key in value):
        return {key: _plain(name, item) for key, item in value.items()}
    raise ValueError(
        f"parameter {shown(name)} is {shown(value)}, which cannot be written into a cell. Give numbers, texts, lists "
        "and dicts with texts as keys; hand other values over in a file."
    )


def _literal(value: Any) -> str:
    """Write a plain value as a cell of Python reads it."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_literal(item)}" for key, item in value.items()) + "}"
    return repr(value)


def _failure(path: str, index: int, kind: str, words: str) -> str:
    where = f"cell {index + 1} of {path}" if index >= 0 else str(path)
    return f"{where} failed: {kind}: {words}"


def _exported(notebook: Any, output_format: str, exporter_kwargs: Mapping[str, Any] | None) -> str:
    """Return an executed notebook as text."""
    if output_format in {"asis", "json", "notebook"}:
        import nbformat  # noqa: PLC0415 - comes with JupyterLab

        return str(nbformat.writes(notebook))
    try:
        from nbconvert import get_exporter  # noqa: PLC0415 - comes with JupyterLab
    except ImportError as error:
        raise ImportError(
            f"output_format={shown(output_format)} is made by nbconvert, which is not installed here: "
            "pip install nbconvert."
        ) from error
    body, _ = get_exporter(output_format)(**(exporter_kwargs or {})).from_notebook_node(notebook)
    return str(body)
