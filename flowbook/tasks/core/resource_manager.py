"""Resources: something is set up for a block of tasks, and cleaned up after them whatever became of them."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, overload

from flowbook.errors import FlowError, shown
from flowbook.tasks.base import Task
from flowbook.tasks.blocks import Block
from flowbook.tasks.signature import RunSignature
from flowbook.triggers import resource_is_set_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from flowbook.flows import Flow
    from flowbook.graphs import Node

__all__ = [
    "ResourceCleanupTask",
    "ResourceInitTask",
    "ResourceManager",
    "ResourceSetupTask",
    "last_tasks_inside",
    "resource_manager",
]


class ResourceInitTask(Task):
    """Make the manager of a resource, an object of a user's class, from the results of other tasks.

    Args:
        resource_class: the class.
        **kwargs: as for `Task`.

    """

    def __init__(self, resource_class: Callable[..., Any], **kwargs: Any) -> None:
        self.run_signature = RunSignature.of(resource_class)
        self.resource_class = resource_class
        super().__init__(**kwargs)

    def run(self, **kwargs: Any) -> Any:
        """Return the manager."""
        return self.resource_class(**kwargs)


class ResourceSetupTask(Task):
    """Set the resource up.

    Args:
        setup: the method of the user's class.
        **kwargs: as for `Task`.

    """

    runs_anew = True

    def __init__(self, setup: Callable[..., Any] | None = None, **kwargs: Any) -> None:
        if inspect.iscoroutinefunction(setup):
            self.run = self.run_async  # type: ignore[method-assign]  # the engine looks at the body to know that it waits
        super().__init__(**{**kwargs, "checkpoint": False})

    def run(self, mgr: Any) -> Any:
        """Return what the manager's ``setup`` returns: the resource."""
        return mgr.setup()

    async def run_async(self, mgr: Any) -> Any:
        """Do the same where ``setup`` is a coroutine function."""
        return await mgr.setup()


class ResourceCleanupTask(Task):
    """Clean the resource up, when it was set up, and whatever became of the tasks that used it.

    Args:
        cleanup: the method of the user's class.
        **kwargs: as for `Task`.

    """

    runs_anew = True

    def __init__(self, cleanup: Callable[..., Any] | None = None, **kwargs: Any) -> None:
        if inspect.iscoroutinefunction(cleanup):
            self.run = self.run_async  # type: ignore[assignment,method-assign]  # the engine looks at it to see it waits
        always = {"checkpoint": False, "skip_on_upstream_skip": False, "trigger": resource_is_set_up}
        super().__init__(**{**kwargs, **always})

    def run(self, mgr: Any, resource: Any = None) -> None:
        """Call the manager's ``cleanup``."""
        mgr.cleanup(resource)

    async def run_async(self, mgr: Any, resource: Any = None) -> None:
        """Do the same where ``cleanup`` is a coroutine function."""
        await mgr.cleanup(resource)


_OF_RESOURCES = (ResourceInitTask, ResourceSetupTask, ResourceCleanupTask)


class ResourceContext(Block):
    """One use of a resource in a flow: what calling a `ResourceManager` returns.

    ``with`` gives the resource, to be used by the tasks inside.

    Attributes:
        init_task: makes the manager.
        setup_task: sets the resource up; None when the class has no ``setup``.
        cleanup_task: cleans it up.

    """

    def __init__(
        self,
        init_task: ResourceInitTask,
        setup_task: ResourceSetupTask | None,
        cleanup_task: ResourceCleanupTask,
        flow: Flow,
    ) -> None:
        super().__init__(flow)
        self.init_task = init_task
        self.setup_task = setup_task
        self.cleanup_task = cleanup_task

    def __repr__(self) -> str:
        return f"with {self.init_task.name}(...)"

    def __enter__(self) -> ResourceSetupTask | None:
        if self.cleanup_task in self.flow_used.nodes:
            raise FlowError(
                f"the resource {shown(self.init_task.name)} was cleaned up at the end of its block. Open a new one: "
                f"with {self.init_task.name}(...) as resource:"
            )
        if self.setup_task is not None:
            self.setup_task.bind(self.init_task, flow=self.flow)
        self.opened()
        return self.setup_task

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed(kind, error, trace)
        if kind is not None:
            return
        flow = self.flow_used
        made = self.init_task if self.setup_task is None else self.setup_task
        for task in self.first_tasks(flow):
            if made not in flow.upstream_tasks(task):
                flow.add_edge(made, task)
        self.cleanup_task.bind(self.init_task, self.setup_task, upstream_tasks=self.last_tasks(flow), flow=flow)

    @property
    def flow_used(self) -> Flow:
        """The flow in which the resource is used."""
        assert self.flow is not None  # given to the constructor
        return self.flow


class ResourceManager:
    """What `resource_manager` makes of a class; call it inside ``with Flow(...)`` and open a block with it.

    Args:
        resource_class: the class, with ``cleanup(resource)`` and mostly with ``setup()``.
        name: of the tasks; the class's name when not given.
        init_task_kwargs: options of the task that makes the object, as for `Task`.
        setup_task_kwargs: options of the task that sets the resource up; it never keeps its result.
        cleanup_task_kwargs: options of the task that cleans it up; likewise, and its trigger is not yours to choose.

    Raises:
        TypeError: the class has no ``cleanup``, or is no class.
        ValueError: its arguments cannot be those of a task, or an option that has no meaning here.

    """

    def __init__(
        self,
        resource_class: Callable[..., Any],
        name: str | None = None,
        init_task_kwargs: Mapping[str, Any] | None = None,
        setup_task_kwargs: Mapping[str, Any] | None = None,
        cleanup_task_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if not callable(getattr(resource_class, "cleanup", None)):
            raise TypeError(
                f"{shown(resource_class)} cannot manage a resource: it is not a class with a method "
                "cleanup(self, resource)."
            )
        for options in (setup_task_kwargs or {}, cleanup_task_kwargs or {}):
            if options.get("checkpoint"):
                raise ValueError(
                    "setup and cleanup of a resource cannot have checkpoint=True: a resource that was kept would be "
                    "gone when it is read. Leave the option out."
                )
        RunSignature.of(resource_class)  # says at once what is wrong with its arguments
        functools.update_wrapper(self, resource_class, updated=())
        self.resource_class = resource_class
        self.name = name or getattr(resource_class, "__name__", "resource")
        self.init_task_kwargs = dict(init_task_kwargs or {})
        self.setup_task_kwargs = dict(setup_task_kwargs or {})
        self.cleanup_task_kwargs = dict(cleanup_task_kwargs or {})

    def __repr__(self) -> str:
        return f"<ResourceManager: {self.name}>"

    def __call__(self, *args: Any, flow: Flow | None = None, **kwargs: Any) -> ResourceContext:
        """Add the task that makes the manager to the flow and return what opens the block.

        Args:
            *args: for the class; tasks too.
            flow: where to use the resource; the active flow when not given.
            **kwargs: likewise for the class.

        Raises:
            FlowError: there is no flow.
            TypeError: the arguments do not fit the class.

        """
        named = self.name
        init_task = ResourceInitTask(self.resource_class, **{"name": named, **self.init_task_kwargs})
        flow = init_task._flow(flow, "use the resource of")  # noqa: SLF001 - a task's own question
        setup = getattr(self.resource_class, "setup", None)
        setup_task = setup and ResourceSetupTask(setup, **{"name": f"{named}.setup", **self.setup_task_kwargs})
        cleanup = self.resource_class.cleanup  # type: ignore[attr-defined]  # looked for by __init__
        cleanup_task = ResourceCleanupTask(cleanup, **{"name": f"{named}.cleanup", **self.cleanup_task_kwargs})
        init_task.bind(*args, flow=flow, **kwargs)
        return ResourceContext(init_task, setup_task, cleanup_task, flow)


@overload
def resource_manager(resource_class: Callable[..., Any]) -> ResourceManager: ...
@overload
def resource_manager(
    resource_class: None = None,
    name: str | None = None,
    init_task_kwargs: Mapping[str, Any] | None = None,
    setup_task_kwargs: Mapping[str, Any] | None = None,
    cleanup_task_kwargs: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], ResourceManager]: ...


def resource_manager(
    resource_class: Callable[..., Any] | None = None,
    name: str | None = None,
    init_task_kwargs: Mapping[str, Any] | None = None,
    setup_task_kwargs: Mapping[str, Any] | None = None,
    cleanup_task_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Turn a class into a resource that a block of tasks can use.

    Args:
        resource_class: a class with ``setup()``, which returns the resource, and ``cleanup(resource)``.
        name: of the three tasks; the class's name when not given.
        init_task_kwargs: options of the task that makes the object, as for `Task`.
        setup_task_kwargs: options of the task that calls its ``setup``.
        cleanup_task_kwargs: options of the task that calls its ``cleanup``.

    Raises:
        TypeError: the class has no ``cleanup``.

    >>> from flowbook import Flow, resource_manager, task
    >>> @resource_manager
    ... class Desk:
    ...     def __init__(self, owner):
    ...         self.owner = owner
    ...
    ...     def setup(self):
    ...         return [f"{self.owner}'s pen"]
    ...
    ...     def cleanup(self, desk):
    ...         desk.clear()
    >>> @task
    ... def write(desk):
    ...     return f"written with {desk[0]}"
    >>> with Flow("office") as flow:
    ...     with Desk("Marvin") as desk:
    ...         letter = write(desk)
    >>> flow.run(show=False).result[letter].result
    "written with Marvin's pen"

    """
    options = (name, init_task_kwargs, setup_task_kwargs, cleanup_task_kwargs)
    if resource_class is None:
        return lambda found: ResourceManager(found, *options)
    return ResourceManager(resource_class, *options)


def last_tasks_inside(nodes: Mapping[Task, Node]) -> tuple[Task, ...]:
    """Return the tasks that decide about a flow with resources: the last ones, leaving out what only cleans up.

    Args:
        nodes: the tasks of the flow; without a resource among them nothing is returned.

    """
    if not any(isinstance(task, ResourceCleanupTask) for task in nodes):
        return ()
    return tuple(
        task
        for task, node in nodes.items()
        if not isinstance(task, _OF_RESOURCES)
        and all(isinstance(edge.downstream_task, ResourceCleanupTask) for edge in node.downstream)
    )
