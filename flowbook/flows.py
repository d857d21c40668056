"""Flows: tasks and the edges between them, and the doors to running and seeing them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from flowbook import fitting
from flowbook.building import GrowingGraph, needs_no_node, refuse_waiting, several
from flowbook.contexts import context
from flowbook.edges import Edge
from flowbook.errors import FlowError, giving, naming_unknown_options, nearest, shown
from flowbook.parameters import Parameter
from flowbook.tasks.core.collections import Constant, as_task
from flowbook.tasks.core.resource_manager import last_tasks_inside
from flowbook.tasks.options import checked_handlers, checked_result, warn_unused

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    import graphviz
    import networkx as nx
    from typing_extensions import Self

    from flowbook.engine.flow_run import FlowRun
    from flowbook.hints import EdgeTypes
    from flowbook.notebook.document_flow import DocumentFlow
    from flowbook.states import State
    from flowbook.tasks.base import Task

__all__ = ["Flow"]


class Flow(GrowingGraph):
    """A graph of tasks, built now and run later.

    Args:
        name: how people call it.
        schedule, executor, run_config, storage: how and where it is run.
        result: where the results of its tasks are written, for those which do not say it themselves.
        tasks, edges: what it starts with.
        reference_tasks: the tasks whose states decide the state of the flow; the terminal tasks when not given.
        state_handlers: called as ``handler(flow, old_state, new_state)``; may return another state.
        on_failure: called as ``on_failure(flow, state)`` when the flow failed.
        validate: check the edges given here at once.
        terminal_state_handler: called as ``handler(flow, state, reference_task_states)`` at the end; may return
            another final state.

    Raises:
        TypeError: no name.
        FlowError: an empty name, or edges that cannot be meant.

    >>> from flowbook import Flow, task
    >>> @task
    ... def add(x, y=1):
    ...     return x + y
    >>> with Flow("My first flow!") as flow:
    ...     first = add(1, y=2)
    ...     second = add(x=first, y=100)
    >>> state = flow.run(show=False)
    >>> state.result[second].result
    103

    """

    @naming_unknown_options
    def __init__(
        self,
        name: str,
        schedule: Any = None,
        executor: Any = None,
        run_config: Any = None,
        storage: Any = None,
        tasks: Iterable[Task] | None = None,
        edges: Iterable[Edge] | None = None,
        reference_tasks: Iterable[Task] | None = None,
        state_handlers: list[Callable[..., Any]] | None = None,
        on_failure: Callable[..., Any] | None = None,
        validate: bool | None = None,
        result: Any = None,
        terminal_state_handler: Callable[..., State | None] | None = None,
    ) -> None:
        if not name or not isinstance(name, str):
            raise FlowError(f"a flow needs a name, not {shown(name)}: Flow('etl').")
        if terminal_state_handler is not None and not callable(terminal_state_handler):
            raise TypeError(
                f"terminal_state_handler={shown(terminal_state_handler)} is not a function of (flow, state, states)."
            )
        super().__init__(name)
        if schedule is not None:
            from flowbook.schedules.schedules import checked_schedule  # loaded by the first flow that has one

            checked_schedule(schedule)
        self.schedule = schedule
        self.executor = executor
        self.run_config = run_config
        self.storage = storage
        self.result = checked_result(result)
        warn_unused(f"flow {shown(name, 40)}", run_config=run_config, storage=storage)
        self.terminal_state_handler = terminal_state_handler
        self.state_handlers = checked_handlers(state_handlers, on_failure)
        self.last_run: FlowRun | None = None
        self._reference_tasks: tuple[Task, ...] = ()
        self._blocks: list[Any] = []
        for task in tasks or ():
            self.add_task(task)
        for edge in edges or ():
            if not isinstance(edge, Edge):
                raise TypeError(f"{shown(edge)} is not an edge; make one with Edge(first, second).")
            self._take_edge(edge, edge.upstream_task, edge.downstream_task, validate=validate)
        if reference_tasks is not None:
            self.set_reference_tasks(reference_tasks)

    def __repr__(self) -> str:
        return f'<Flow: name="{shown(self.name, 60)[1:-1]}">'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flow) and (self.name, self.tasks, self.edges, self.reference_tasks()) == (
            other.name,
            other.tasks,
            other.edges,
            other.reference_tasks(),
        )

    __hash__ = object.__hash__

    def __getstate__(self) -> dict[str, Any]:
        # what belongs to this process is left behind: the last run, open blocks, answers worked out before
        return {**self.__dict__, "last_run": None, "_blocks": [], "_memo": {}}

    # -- the block -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        created: dict[int, Task] = {}
        block = context(flow=self, _created_tasks=created)
        block.__enter__()
        self._blocks.append((block, created))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block, created = self._blocks.pop()
        block.__exit__(kind, error, trace)
        unused = [task for task in created.values() if task not in self.nodes]
        if unused and kind is None:
            names = ", ".join(shown(task.name, 40) for task in unused)
            warnings.warn(
                f"tasks were made inside `with Flow({shown(self.name, 40)})` but are not part of the flow: {names}. "
                "Call them, or add them with flow.add_task(...).",
                UserWarning,
                stacklevel=2,
            )

    # -- looking -------------------------------------------------------------------------------------------------

    def parameters(self) -> set[Parameter]:
        """Return the parameters of the flow."""
        return {task for task in self.nodes if isinstance(task, Parameter)}

    def parameter_type(self, parameter: Parameter) -> Any:
        """Return the type of a parameter's values; `typing.Any` when nothing tells it.

        It is the one that the parameter was given, else what the tasks that take it are annotated with, else the type
        of its default.

        """
        return fitting.parameter_type(self, parameter)

    def edge_types(self) -> dict[Edge, EdgeTypes]:
        """Return the annotated types at the ends of the edges, for all edges of which anything is known."""
        made: dict[Edge, EdgeTypes] = self._memoised(
            "edge types",
            lambda: {
                edge: found
                for node in self.nodes.values()
                for edge in node.upstream.values()
                if (found := fitting.edge_types(self.nodes, edge)) is not None
            },
        )
        return dict(made)

    def parse_parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Read values of parameters as a form or a command line sends them, and return what `run` takes.

        Text becomes what the parameter is (see `parameter_type`); for one of which nothing is known, what the text
        says in JSON, else the text. A field that was left empty is not given.

        Args:
            values: text, or anything JSON has, by name.

        Raises:
            ParameterError: values that cannot be read or are missing; each by name, with its value and the type.
            FlowError: the flow has no such parameter.

        >>> from flowbook import Flow, Parameter
        >>> with Flow("report") as flow:
        ...     days = Parameter("days", default=7)()
        >>> flow.parse_parameters({"days": "30"})
        {'days': 30}

        """
        from flowbook.forms import parse_parameters  # loads pydantic, when somebody fills in a form

        return parse_parameters(self, values)

    def parameters_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the flow's parameters, from which a form can be made."""
        from flowbook.forms import parameters_schema

        return parameters_schema(self)

    def unknown_parameters(self, names: Iterable[str]) -> str:
        """Return the message for parameter names this flow does not have."""
        known = sorted(task.name for task in self.parameters())
        unknown = [name for name in names if name not in known]
        listed = ", ".join(shown(name, 60) for name in known) or "none"
        return (
            f"flow {shown(self.name)} has no parameter {', '.join(map(shown, unknown))}.{nearest(unknown[0], known)} "
            f"Its parameters: {listed}."
        )

    def missing_parameters(self, given: Iterable[str]) -> str:
        """Return the message for required parameters that are not among the given ones, or an empty text."""
        there = set(given)
        missing = sorted(task.name for task in self.parameters() if task.required and task.name not in there)
        if not missing:
            return ""
        listed = ", ".join(shown(name, 60)[1:-1] for name in missing)
        return f"flow {shown(self.name)} needs a value for: {listed}. Give it: {giving(*missing)}."

    def reference_tasks(self) -> set[Task]:
        """Return the tasks whose states decide the state of the flow.

        When none were chosen these are the terminal tasks. Those that set a resource up and clean it up do not count,
        and a task with nothing but the clean-up downstream does.
        """
        return set(self._reference_tasks or self._inside_of_resources()) or self.terminal_tasks()

    def _order(self) -> Mapping[Task, int] | None:
        """Return the places in which ready tasks are run, where the flow has such an order; others come before them."""
        return None

    def _inside_of_resources(self) -> tuple[Task, ...]:
        """Return the reference tasks of a flow with resources, or nothing when they are simply the terminal tasks."""
        made: tuple[Task, ...] = self._memoised("inside", lambda: last_tasks_inside(self.nodes))
        return made

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """Choose the tasks whose states decide the state of the flow; none at all means the terminal tasks.

        Raises:
            FlowError: one of them is not in the flow.

        >>> from flowbook import Flow, task
        >>> with Flow("forgiving") as flow:
        ...     work = task(lambda: 1 / 0, name="work")()
        ...     tidy = task(lambda: "tidy", name="tidy")()
        >>> flow.set_reference_tasks([tidy])
        >>> flow.run(show=False).is_successful()
        True

        """
        chosen = tuple(dict.fromkeys(several(tasks, "reference_tasks")))
        for task in chosen:
            self.node(task)
        self._reference_tasks = chosen

    def validate(self) -> None:
        """Check the whole flow.

        Raises:
            CycleError: tasks that wait for each other.
            FlowError: an argument that is bound twice, a reference task that is not in the flow.

        """
        super().validate()
        for task in self._reference_tasks:
            self.node(task)

    # -- changing ------------------------------------------------------------------------------------------------

    def copy(self) -> Self:
        """Return a flow with the same tasks and containers of its own."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__getstate__())
        made.nodes = {task: node.copy() for task, node in self.nodes.items()}
        made._slug_counts, made._slugs = dict(self._slug_counts), set(self._slugs)
        made.state_handlers = list(self.state_handlers)
        return made

    def update(
        self,
        flow: Flow,
        merge_parameters: bool = False,
        validate: bool | None = None,
        merge_reference_tasks: bool = False,
    ) -> None:
        """Take over the tasks, edges and constants of another flow.

        Args:
            flow: the other flow.
            merge_parameters: let this flow's parameters stand for the other's of the same name.
            validate: check the edges at once.
            merge_reference_tasks: take over its reference tasks as well.

        Raises:
            FlowError: both have a parameter of the same name (without `merge_parameters`), or a task of one slug.

        """
        mine = {task.name: task for task in self.parameters()} if merge_parameters else {}
        stands_for: dict[Task, Task] = {task: mine.get(task.name, task) for task in flow.parameters()}
        decisive = {*self.reference_tasks(), *(stands_for.get(task, task) for task in flow.reference_tasks())}
        for task, node in list(flow.nodes.items()):
            taken = self.add_task(stands_for.get(task, task))
            self.nodes[taken].constants.update(node.constants)
        for edge in [edge for node in flow.nodes.values() for edge in node.upstream.values()]:
            upstream = stands_for.get(edge.upstream_task, edge.upstream_task)
            self._take_edge(edge, upstream, edge.downstream_task, validate=validate)
        if merge_reference_tasks:
            self.set_reference_tasks(task for task in self.nodes if task in decisive)
        self._memo.clear()

    def replace(self, old: Task, new: Any, validate: bool = True) -> None:
        """Put another task (or value) in the place of a task, with the same edges.

        Plain values go along when the new task takes an argument of that name. A value in the place of a task takes
        no results, but what its task waited for is waited for still.

        Args:
            old: the task that leaves.
            new: what takes its place.
            validate: check the flow afterwards.

        Raises:
            FlowError: `old` is not in the flow, or `new` cannot have its edges.

        >>> from flowbook import Flow, task
        >>> with Flow("sum") as flow:
        ...     total = task(lambda x: sum(x), name="total")(task(lambda: [1, 2], name="load")())
        >>> flow.replace(flow.get_tasks("load")[0], [10, 20])
        >>> flow.run(show=False).result[total].result
        30

        """
        node = self.node(old)
        if new is old:
            return
        given, new = new, as_task(new, flow=self)
        is_value = given is not new
        if isinstance(new, Parameter) and (node.upstream or node.constants):
            refuse_waiting(new, next((edge.upstream_task for edge in node.upstream.values()), node.constants))
        if new in self.upstream_tasks(old) | self.downstream_tasks(old):
            raise FlowError(
                f"task {shown(new.name)} cannot take the place of {shown(old.name)}: there is an edge between the two."
            )
        before, after = list(node.upstream.values()), list(node.downstream)
        for edge in before + after:
            self._remove_edge(edge)
        del self.nodes[old]
        self._slugs.discard(node.slug)
        takes = new.run_signature.takes
        is_folded = isinstance(new, Constant) and not before and bool(after) and all(map(needs_no_node, after))
        if not is_folded or old in self._reference_tasks:
            self.add_task(new)
            if not is_value:
                self.nodes[new].constants.update({key: value for key, value in node.constants.items() if takes(key)})
        for edge in before:
            kept = Edge(edge.upstream_task, old) if is_value or isinstance(new, Constant) else edge
            self._take_edge(kept, edge.upstream_task, new, validate=False)
        for edge in after:
            self._take_edge(edge, new, edge.downstream_task, validate=False)
        self._reference_tasks = tuple(new if task is old else task for task in self._reference_tasks)
        self._memo.clear()
        if validate:
            self.validate()

    # -- doors upward: running -----------------------------------------------------------------------------------

    def run(
        self,
        /,  # a parameter may be called self
        parameters: Mapping[str, Any] | None = None,
        run_on_schedule: bool | None = None,
        runner_cls: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Run the flow on this thread and return its final state.

        Args:
            parameters: values for the flow's parameters; they can also be given as keywords.
            run_on_schedule: whether to wait for the flow's schedule, when it has one, and to run again at each of its
                times until it ends; as configured (``flows.run_on_schedule``) when not given.
            runner_cls: known to the reference API; where bodies run is said with ``executor``.
            **kwargs: values for parameters, and: ``executor`` ("local", "threads", or an executor), ``context`` (a
                dict), ``task_states`` (states to start from, by task), ``clock`` ("fast" runs waiting times in no
                time), ``show`` (the live picture in a notebook: True, False, None = as configured), ``wait=False``
                (return a `FlowRun` at once), ``flow_run_name``.

        Returns:
            The final state. Its ``result`` is a dict of every task of the flow to its state.

        Raises:
            FlowError: unknown or missing parameters, a circle, a run inside ``with Flow(...)``, or a schedule that has
                no more scheduled runs.
            UnknownArgument: a keyword that is neither a parameter nor known here.

        >>> from flowbook import Flow, Parameter, task
        >>> double = task(lambda x: 2 * x, name="double")
        >>> with Flow("numbers") as flow:
        ...     doubled = double(Parameter("x", default=1))
        >>> state = flow.run(x=21, show=False)
        >>> state.is_successful(), state.result[doubled].result
        (True, 42)

        """
        from flowbook.engine.running import run_flow  # a door: ground does not know the engine

        return run_flow(self, parameters, run_on_schedule, runner_cls, **kwargs)

    def start(self, /, parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        """Run the flow on a thread of its own and return a handle at once; takes what `run` takes.

        Returns:
            A `FlowRun`; or `ScheduledRuns` when it waits for the flow's schedule.

        >>> from flowbook import Flow, Task
        >>> with Flow("quick") as flow:
        ...     only = Task("only")()
        >>> run = flow.start(show=False)
        >>> run.wait().is_successful(), run.is_over
        (True, True)

        """
        from flowbook.engine.running import start_flow  # a door

        return start_flow(self, parameters, **kwargs)

    async def run_async(self, /, parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> State:
        """Run the flow without blocking the event loop and return its final state; takes what `run` takes."""
        from flowbook.engine.running import run_flow_async  # a door

        return await run_flow_async(self, parameters, **kwargs)

    # -- doors upward: seeing ------------------------------------------------------------------------------------

    def visualize(
        self,
        flow_state: State | None = None,
        filename: str | None = None,
        format: str | None = None,  # noqa: A002 - the reference API's name
        horizontal: bool = False,
    ) -> graphviz.Digraph:
        """Return the flow as a `graphviz.Digraph`, coloured by the states of a run when they are given.

        Args:
            flow_state: the final state of a run of this flow.
            filename: where to render the picture; needs Graphviz's ``dot``.
            format: of that file; from its ending, else "pdf".
            horizontal: draw from left to right.

        """
        from flowbook.view.export import visualize  # a door: the view is loaded when somebody looks

        return visualize(self, flow_state, filename=filename, format=format, horizontal=horizontal)

    def to_networkx(self) -> nx.MultiDiGraph[Any]:
        """Return the flow as a NetworkX graph: one node per task, one edge per edge."""
        from flowbook.view.export import networkx_graph  # a door

        return networkx_graph(self)

    def to_mermaid(self) -> str:
        """Return the flow as Mermaid text, for Markdown."""
        from flowbook.view.export import mermaid  # a door

        return mermaid(self)

    def to_text(self, *, ascii_only: bool = False) -> str:
        """Return the flow drawn in characters, for a terminal."""
        from flowbook.view.show import flow_text  # a door

        return flow_text(self, ascii_only=ascii_only)

    def to_svg(self, *, theme: str = "auto") -> str:
        """Return the flow's picture as SVG text, with the states of its last run when there was one."""
        from flowbook.view.show import flow_svg  # a door

        return flow_svg(self, theme=theme)

    def to_html(self) -> str:
        """Return one self-contained HTML page with the picture and the states of the last run."""
        from flowbook.view.show import flow_page  # a door

        return flow_page(self)

    @staticmethod
    def from_notebook(path: str | os.PathLike[str], name: str | None = None) -> DocumentFlow:
        """Return the flow of a notebook file: each code cell a task, each conflict of names an edge.

        Running it leaves what running all cells from top to bottom leaves. Nothing is run here.

        Args:
            path: of the file.
            name: of the flow; the file's when not given.

        Raises:
            FlowError: it cannot be read, is no Python notebook, or has no code.

        """
        from flowbook.notebook.document_flow import flow_of_document  # a door

        return flow_of_document(path, name)

    # -- keeping -------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the flow to a file, code included, and return the file's path.

        Args:
            path: the file; by default one named after the flow, in ``flows`` of the configured ``home_dir``.

        Raises:
            FlowError: something the flow holds cannot be pickled.

        """
        from flowbook.saving import save  # loaded when somebody saves

        return save(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Flow:
        """Read a flow that was saved. That runs the file's code: load only what you trust.

        Args:
            path: the file, or the name of a flow that was saved without a path.

        Raises:
            FileNotFoundError: there is neither.
            FlowError: it is no saved flow, or one of another version of Python, whose code would not run here.

        """
        from flowbook.saving import load

        return load(path)

    def serialize(self, build: bool = False) -> dict[str, Any]:  # noqa: ARG002 - the reference API's argument
        """Return the structure of the flow as a dict that JSON can carry: tasks, edges, parameters, schedule.

        What the bodies do is not part of it, nor anything of this machine.

        Args:
            build: known to the reference API; there is nothing to build here.

        """
        from flowbook.serialization import flow_document

        return flow_document(self)

    def serialized_hash(self, build: bool = False) -> str:  # noqa: ARG002 - as above
        """Return a digest of `serialize`; the same in every process, and whatever the order of adding was.

        Args:
            build: known to the reference API; there is nothing to build here.

        """
        from flowbook.serialization import flow_hash

        return flow_hash(self)

    def diagnostics(self) -> str:
        """Return facts about this flow, the settings and the machine as JSON text, for a report; no values."""
        from flowbook.utilities.diagnostics import diagnostics  # loaded when somebody asks

        return diagnostics(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002 - the display protocol
        from flowbook.view.show import flow_bundle  # a door

        return flow_bundle(self)
