"""Flows: tasks and the edges between them, and the doors to running and seeing them."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from flowbook.configuration import config
from flowbook.contexts import context
from flowbook.edges import Edge, checked_key
from flowbook.errors import CycleError, FlowError, nearest, shown
from flowbook.graphs import Node, ancestry, circle, topological_order
from flowbook.parameters import Parameter
from flowbook.tasks.base import Task, _checked_handlers
from flowbook.tasks.core.collections import Constant, as_task, holds_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

    import graphviz
    import networkx

    from flowbook.engine.flow_run import FlowRun
    from flowbook.states import State

__all__ = ["Flow"]

TaskT = TypeVar("TaskT", bound=Task)


class Flow:
    """A graph of tasks, built now and run later.

    Args:
        name: how people call it.
        schedule, executor, run_config, storage, result: how and where it is run.
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

    def __init__(  # noqa: PLR0913 - the reference API's constructor
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
        validate: bool | None = None,  # noqa: FBT001
        result: Any = None,
        terminal_state_handler: Callable[..., State | None] | None = None,
    ) -> None:
        if not name or not isinstance(name, str):
            msg = f"a flow needs a name, not {shown(name)}: Flow('etl')."
            raise FlowError(msg)
        self.name = name
        self.schedule = schedule
        self.executor = executor
        self.run_config = run_config
        self.storage = storage
        self.result = result
        self.terminal_state_handler = terminal_state_handler
        self.state_handlers = _checked_handlers(state_handlers, on_failure)
        self.on_failure = on_failure
        self.nodes: dict[Task, Node] = {}
        self.last_run: FlowRun | None = None
        self._slug_counts: Counter[str] = Counter()
        self._slugs: set[str] = set()
        self._reference_tasks: tuple[Task, ...] = ()
        self._memo: dict[Any, Any] = {}
        self._blocks: list[Any] = []
        for task in tasks or ():
            self.add_task(task)
        for edge in edges or ():
            self.add_edge(
                edge.upstream_task,
                edge.downstream_task,
                edge.key,
                edge.mapped,
                edge.flattened,
                validate=validate,
            )
        if reference_tasks is not None:
            self.set_reference_tasks(reference_tasks)

    # -- the block -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Flow:
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

    # -- adding --------------------------------------------------------------------------------------------------

    def add_task(self, task: TaskT) -> TaskT:
        """Add a task and return it; adding it twice changes nothing.

        Raises:
            TypeError: it is not a task.
            FlowError: another task of this flow has the same slug.

        """
        if not isinstance(task, Task):
            msg = f"{shown(task)} is not a task. Decorate a function with @task, or convert a value with as_task()."
            raise TypeError(msg)
        if task not in self.nodes:
            self.nodes[task] = Node(self._new_slug(task))
            self._memo.clear()
        return task

    def _new_slug(self, task: Task) -> str:
        if task.slug is not None:
            if task.slug in self._slugs:
                what = "parameter" if isinstance(task, Parameter) else "task"
                msg = (
                    f"a {what} with the slug {shown(task.slug)} is already part of flow {shown(self.name)}. "
                    "Use that one, or give this one another name or slug."
                )
                raise FlowError(msg)
            slug = task.slug
        else:
            prefix = "-".join([task.name, *sorted(task.tags)]) if task.tags else task.name
            while True:
                self._slug_counts[prefix] += 1
                slug = f"{prefix}-{self._slug_counts[prefix]}"
                if slug not in self._slugs:
                    break
        self._slugs.add(slug)
        return slug

    def connect(
        self,
        task: Task,
        arguments: Mapping[str, Any],
        *,
        upstream_tasks: Iterable[Any] | None = None,
        mapped: bool = False,
        validate: bool | None = None,
    ) -> None:
        """Add a task and bind arguments to it: tasks become data edges, other values constants.

        Args:
            task: the task that is bound.
            arguments: values by argument name.
            upstream_tasks: what the task waits for without taking a result.
            mapped: the edges made here are mapped.
            validate: check duplicate keys at once; as configured when not given.

        """
        for value in arguments.values():
            # what is upstream first, so that the order of adding is one in which the flow can run
            if isinstance(value, Task) and value not in self.nodes:
                self.add_task(value)
        self.add_task(task)
        for key, value in arguments.items():
            if isinstance(value, Task):
                self.add_edge(value, task, key, mapped, validate=validate)
            elif mapped or holds_tasks(value):
                self.add_edge(as_task(value, flow=self), task, key, mapped, validate=validate)
            else:
                self._bind_constant(task, key, value, validate=validate)
        for value in upstream_tasks or ():
            self.add_edge(as_task(value, flow=self), task, mapped=mapped, validate=validate)

    def _bind_constant(self, task: Task, key: str, value: Any, *, validate: bool | None) -> None:
        node = self.nodes[task]
        if self._validating(validate):
            self._refuse_second_key(task, node, key)
        node.constants[checked_key(key)] = value
        self._memo.clear()

    def add_edge(  # noqa: PLR0913 - the reference API's signature
        self,
        upstream_task: Any,
        downstream_task: Any,
        key: str | None = None,
        mapped: bool = False,  # noqa: FBT001, FBT002
        flattened: bool = False,  # noqa: FBT001, FBT002
        validate: bool | None = None,  # noqa: FBT001
    ) -> Edge:
        """Let one task wait for another, and take its result under `key` when that is given.

        Returns:
            The edge; also when the upstream is a constant, which is kept without a node of its own.

        Raises:
            FlowError: a parameter downstream, a key that is not an identifier, a task that depends on itself; when
                validating also a key that is bound already and edges that close a circle.

        """
        if not isinstance(upstream_task, Task):
            upstream_task = as_task(upstream_task, flow=self)
        if not isinstance(downstream_task, Task):
            downstream_task = as_task(downstream_task, flow=self)
        if isinstance(downstream_task, Parameter):
            msg = f"parameter {shown(downstream_task.name)} cannot wait for {shown(upstream_task.name)}: parameters have nothing upstream."
            raise FlowError(msg)
        edge = Edge(upstream_task, downstream_task, key, mapped, flattened)
        self.add_task(downstream_task)
        down = self.nodes[downstream_task]
        if (
            key is not None
            and not mapped
            and not flattened
            and type(upstream_task) is Constant
            and upstream_task not in self.nodes
        ):
            self._bind_constant(downstream_task, key, upstream_task.value, validate=validate)
            return edge
        self.add_task(upstream_task)
        identity = (id(upstream_task), key, edge.mapped, edge.flattened)
        existing = down.upstream.get(identity)
        if existing is not None:
            if key is not None and self._validating(validate):
                self._refuse_second_key(downstream_task, down, key)
            return existing
        if key is not None:
            if self._validating(validate):
                self._refuse_second_key(downstream_task, down, key)
            down.constants.pop(key, None)
        down.upstream[identity] = edge
        self.nodes[upstream_task].downstream.append(edge)
        if self._memo:
            self._memo.clear()
        if self._validating(validate):
            self._refuse_circle()
        return edge

    def _validating(self, validate: bool | None) -> bool:  # noqa: FBT001
        return bool(config.flows.eager_edge_validation) if validate is None else validate

    def _refuse_second_key(self, task: Task, node: Node, key: str) -> None:
        if key in node.constants:
            before = shown(node.constants[key], 40)
        else:
            found = next((edge for edge in node.upstream.values() if edge.key == key), None)
            if found is None:
                return
            before = f"the result of {shown(found.upstream_task.name, 40)}"
        msg = f"argument {key!r} of task {shown(task.name)} is already bound to {before}. Copy the task to bind it anew: task.copy()."
        raise FlowError(msg)

    def _refuse_circle(self) -> None:
        found = circle(self.nodes)
        if found:
            raise CycleError(found)

    def chain(self, *tasks: Task, validate: bool | None = None) -> list[Edge]:
        """Let each task wait for the one before it; return the edges."""
        return [self.add_edge(first, second, validate=validate) for first, second in zip(tasks, tasks[1:])]

    def set_dependencies(  # noqa: PLR0913 - the reference API's signature
        self,
        task: Any,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,  # noqa: FBT001, FBT002
        validate: bool | None = None,  # noqa: FBT001
    ) -> None:
        """Set what goes before and after a task; values that are not tasks are converted."""
        task = self.add_task(as_task(task, flow=self))
        self.connect(task, keyword_tasks or {}, upstream_tasks=upstream_tasks, mapped=mapped, validate=validate)
        for value in downstream_tasks or ():
            self.add_edge(task, as_task(value, flow=self), validate=validate)

    # -- looking -------------------------------------------------------------------------------------------------

    def _memoised(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    @property
    def tasks(self) -> frozenset[Task]:
        """All tasks of the flow."""
        made: frozenset[Task] = self._memoised("tasks", lambda: frozenset(self.nodes))
        return made

    @property
    def edges(self) -> frozenset[Edge]:
        """All edges of the flow."""
        made: frozenset[Edge] = self._memoised(
            "edges",
            lambda: frozenset(edge for node in self.nodes.values() for edge in node.upstream.values()),
        )
        return made

    @property
    def constants(self) -> dict[Task, dict[str, Any]]:
        """Values bound to arguments without a task of their own."""
        return {task: dict(node.constants) for task, node in self.nodes.items() if node.constants}

    @property
    def slugs(self) -> dict[Task, str]:
        """The identifier of each task in this flow."""
        made: dict[Task, str] = self._memoised("slugs", lambda: {task: node.slug for task, node in self.nodes.items()})
        return made

    def __iter__(self) -> Iterator[Task]:
        return iter(self.sorted_tasks())

    def __len__(self) -> int:
        return len(self.nodes)

    def __bool__(self) -> bool:
        return True  # a flow without tasks is still a flow

    def __contains__(self, item: object) -> bool:
        return item in self.nodes if isinstance(item, Task) else item in self.edges

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

    def _known(self, task: Task) -> Node:
        node = self.nodes.get(task) if isinstance(task, Task) else None
        if node is None:
            here = ", ".join(shown(known.name, 40)[1:-1] for known in list(self.nodes)[:12]) or "none"
            name = shown(task.name) if isinstance(task, Task) else shown(task)
            msg = (
                f"task {name} is not in flow {shown(self.name)}.\n"
                f"  Tasks here: {here}. Add it with flow.add_task(...), or call it inside `with flow:`; "
                "a task that was called is found under the copy which the call returned."
            )
            raise FlowError(msg)
        return node

    def sorted_tasks(self, root_tasks: Iterable[Task] | None = None) -> tuple[Task, ...]:
        """Return the tasks in an order in which they could run.

        Args:
            root_tasks: only these and what is downstream of them.

        Raises:
            CycleError: there is no such order.

        """
        order: tuple[Task, ...] = self._memoised("sorted", lambda: tuple(topological_order(self.nodes)))
        if root_tasks is None:
            return order
        roots = list(root_tasks)
        for task in roots:
            self._known(task)
        wanted = ancestry(self.nodes, roots, downstream=True)
        return tuple(task for task in order if task in wanted)

    def root_tasks(self) -> set[Task]:
        """Return the tasks with nothing upstream."""
        return {task for task, node in self.nodes.items() if not node.upstream}

    def terminal_tasks(self) -> set[Task]:
        """Return the tasks with nothing downstream."""
        return {task for task, node in self.nodes.items() if not node.downstream}

    def parameters(self) -> set[Parameter]:
        """Return the parameters of the flow."""
        return {task for task in self.nodes if isinstance(task, Parameter)}

    def edges_to(self, task: Task) -> set[Edge]:
        """Return the edges that lead to a task."""
        return set(self._known(task).upstream.values())

    def edges_from(self, task: Task) -> set[Edge]:
        """Return the edges that leave a task."""
        return set(self._known(task).downstream)

    def upstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks a task waits for."""
        return {edge.upstream_task for edge in self._known(task).upstream.values()}

    def downstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks that wait for a task."""
        return {edge.downstream_task for edge in self._known(task).downstream}

    def all_upstream_edges(self) -> dict[Task, set[Edge]]:
        """Return for each task the edges that lead to it."""
        return {task: set(node.upstream.values()) for task, node in self.nodes.items()}

    def all_downstream_edges(self) -> dict[Task, set[Edge]]:
        """Return for each task the edges that leave it."""
        return {task: set(node.downstream) for task, node in self.nodes.items()}

    def get_tasks(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        task_type: type[Task] | None = None,
    ) -> list[Task]:
        """Return the tasks that fit all the given filters, in the order they were added."""
        wanted = set(tags or ())
        return [
            task
            for task, node in self.nodes.items()
            if (name is None or task.name == name)
            and (slug is None or node.slug == slug)
            and wanted <= task.tags
            and (task_type is None or isinstance(task, task_type))
        ]

    def reference_tasks(self) -> set[Task]:
        """Return the tasks whose states decide the state of the flow."""
        return set(self._reference_tasks) or self.terminal_tasks()

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """Choose the tasks whose states decide the state of the flow; none at all means the terminal tasks."""
        chosen = tuple(tasks)
        for task in chosen:
            self._known(task)
        self._reference_tasks = chosen

    def validate(self) -> None:
        """Check the whole flow.

        Raises:
            CycleError: tasks that wait for each other.
            FlowError: an argument that is bound twice, a reference task that is not in the flow.

        """
        self.sorted_tasks()
        for task in self._reference_tasks:
            self._known(task)
        for task, node in self.nodes.items():
            keys = Counter(edge.key for edge in node.upstream.values() if edge.key is not None)
            keys.update(node.constants.keys())
            twice = [key for key, count in keys.items() if count > 1]
            if twice:
                both = " and ".join(
                    shown(edge.upstream_task.name, 40) for edge in node.upstream.values() if edge.key == twice[0]
                )
                msg = f"argument {twice[0]!r} of task {shown(task.name)} is bound more than once: to {both}. Keep one, or copy the task."
                raise FlowError(msg)

    # -- changing ------------------------------------------------------------------------------------------------

    def copy(self) -> Flow:
        """Return a flow with the same tasks and containers of its own."""
        made = Flow(self.name)
        made.__dict__.update({**self.__dict__, "_memo": {}, "_blocks": [], "last_run": None})
        made.nodes = {}
        for task, node in self.nodes.items():
            made.nodes[task] = twin = Node(node.slug)
            twin.upstream, twin.downstream, twin.constants = (
                dict(node.upstream),
                list(node.downstream),
                dict(node.constants),
            )
        made._slug_counts, made._slugs = Counter(self._slug_counts), set(self._slugs)
        made.state_handlers = list(self.state_handlers)
        return made

    def update(
        self,
        flow: Flow,
        merge_parameters: bool = False,  # noqa: FBT001, FBT002
        validate: bool | None = None,  # noqa: FBT001
        merge_reference_tasks: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Take over the tasks, edges and constants of another flow.

        Args:
            flow: the other flow.
            merge_parameters: let this flow's parameters stand for the other's of the same name.
            validate: check the edges at once.
            merge_reference_tasks: take over its reference tasks as well.

        """
        mine = {task.name: task for task in self.parameters()} if merge_parameters else {}
        stands_for = {task: mine.get(task.name, task) for task in flow.parameters()}
        for task, node in flow.nodes.items():
            taken = self.add_task(stands_for.get(task, task))  # type: ignore[arg-type, type-var]  # a parameter is a task
            self.nodes[taken].constants.update(node.constants)
        for edge in (edge for node in flow.nodes.values() for edge in node.upstream.values()):
            upstream = stands_for.get(edge.upstream_task, edge.upstream_task)  # type: ignore[call-overload]  # any task may be asked for
            self.add_edge(upstream, edge.downstream_task, edge.key, edge.mapped, edge.flattened, validate=validate)
        if merge_reference_tasks:
            both = self.reference_tasks() | flow.reference_tasks()
            self.set_reference_tasks(task for task in self.nodes if task in both)

    def replace(self, old: Task, new: Any, validate: bool = True) -> None:  # noqa: FBT001, FBT002
        """Put another task (or value) in the place of a task, with the same edges.

        Raises:
            FlowError: `old` is not in the flow.

        """
        node = self._known(old)
        new = as_task(new, flow=self)
        del self.nodes[old]
        self._slugs.discard(node.slug)
        self.add_task(new)
        self.nodes[new].constants.update(node.constants)
        for edge in node.upstream.values():
            self.nodes[edge.upstream_task].downstream.remove(edge)
            self.add_edge(edge.upstream_task, new, edge.key, edge.mapped, edge.flattened, validate=False)
        for edge in node.downstream:
            waiting = self.nodes[edge.downstream_task].upstream
            waiting.pop((id(old), edge.key, edge.mapped, edge.flattened), None)
            self.add_edge(new, edge.downstream_task, edge.key, edge.mapped, edge.flattened, validate=False)
        self._reference_tasks = tuple(new if task is old else task for task in self._reference_tasks)
        self._memo.clear()
        if validate:
            self.validate()

    # -- doors upward: running -----------------------------------------------------------------------------------

    def run(
        self,
        parameters: Mapping[str, Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Run the flow on this thread and return its final state.

        Args:
            parameters: values for the flow's parameters; they can also be given as keywords.
            *args: ``run_on_schedule`` and ``runner_cls``, by position as in the reference API.
            **kwargs: values for parameters, and: ``executor`` ("local", "threads", or an executor), ``context`` (a
                dict), ``task_states`` (states to start from, by task), ``clock`` ("fast" runs waiting times in no
                time), ``show`` (the live picture in a notebook: True, False, None = as configured), ``wait=False``
                (return a `FlowRun` at once), ``flow_run_name``.

        Returns:
            The final state. Its ``result`` is a dict of every task of the flow to its state.

        Raises:
            FlowError: unknown or missing parameters, a circle, or a run inside ``with Flow(...)``.
            UnknownArgument: a keyword that is neither a parameter nor known here.

        """
        from flowbook.engine.running import run_flow  # a door: ground does not know the engine

        return run_flow(self, parameters, *args, **kwargs)

    def start(self, parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> FlowRun:
        """Run the flow on a thread of its own and return a handle at once; takes what `run` takes."""
        from flowbook.engine.running import start_flow  # a door

        return start_flow(self, parameters, **kwargs)

    async def run_async(self, parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> State:
        """Run the flow without blocking the event loop and return its final state; takes what `run` takes."""
        from flowbook.engine.running import run_flow_async  # a door

        return await run_flow_async(self, parameters, **kwargs)

    # -- doors upward: seeing ------------------------------------------------------------------------------------

    def visualize(
        self,
        flow_state: State | None = None,
        filename: str | None = None,
        format: str | None = None,  # noqa: A002 - the reference API's name
        horizontal: bool = False,  # noqa: FBT001, FBT002
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

    def to_networkx(self) -> networkx.MultiDiGraph[Any]:
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

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002 - the display protocol
        from flowbook.view.show import flow_bundle  # a door

        return flow_bundle(self)

    def unknown_parameters(self, names: Iterable[str]) -> str:
        """Return the message for parameter names this flow does not have."""
        known = sorted(task.name for task in self.parameters())
        unknown = [name for name in names if name not in known]
        listed = ", ".join(map(repr, known)) or "none"
        return f"flow {shown(self.name)} has no parameter {', '.join(map(shown, unknown))}.{nearest(unknown[0], known)} Its parameters: {listed}."
