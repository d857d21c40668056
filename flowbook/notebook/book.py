"""The task cells of a notebook: which there are, in which order, how they ended, and what is out of date."""

from __future__ import annotations

import contextlib
import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, nearest, shown
from flowbook.graphs import ancestry
from flowbook.hashing import token
from flowbook.notebook.again import Again
from flowbook.notebook.cells import CellTask, TaskCell, flow_of
from flowbook.notebook.locking import alone
from flowbook.notebook.settings import Settings, only_names_parameters, read_settings
from flowbook.notebook.shelf import Shelf
from flowbook.notebook.traces import Traces, has_begun, overtaken, reached
from flowbook.notebook.versions import Problem, problems
from flowbook.sources import CellSyntaxError, analyse, dependencies
from flowbook.states import State, Success
from flowbook.view.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flowbook.engine.flow_run import FlowRun
    from flowbook.flows import Flow
    from flowbook.tasks.base import Task

__all__ = ["DEFAULT_FLOW", "Ended", "Notebook", "notebook"]

DEFAULT_FLOW = "notebook"
_HIDDEN_STATE = {"random": "random numbers", "files": "files", "process": "the process", "plot": "pyplot's figure"}


@dataclass(frozen=True)
class Ended:
    """How a cell ended last.

    Attributes:
        code: which it ran with.
        state: in which it ended.
        serial: the number of this ending.
        upstream: on which endings of what is upstream it ran, by id.
        run, task: the run and its task, for the story.
        attempt: which attempt it was.
        started, at: when it began and ended, seconds since the epoch.
        changes: the names that it changed; None when its text does not tell.
        doubt: why it may have ended otherwise than in a whole run: names were other ones already when it ran.

    """

    code: str
    state: State
    serial: int
    upstream: Mapping[str, int]
    run: FlowRun
    task: Task
    attempt: int = 1
    started: float | None = None
    at: float | None = None
    changes: frozenset[str] | None = frozenset()
    doubt: str = ""


class Notebook:
    """The task cells of this kernel, by flow, and the flows made of them.

    Args:
        namespace: where their code runs.
        publisher: returns the display publisher of the IPython of this process, or None.

    Attributes:
        cells: by flow and id, in the order in which they were first run.
        shelf: what they printed and showed.
        document: the ids of all cells in the order of the document, where the front end sent it.
        watcher: shows the runs of single cells, where there is a panel to show them in.

    """

    def __init__(self, namespace: dict[str, Any], publisher: Callable[[], Any] = lambda: None) -> None:
        self.namespace = namespace
        self.lock = threading.RLock()
        self.shelf = Shelf(publisher)
        self.cells: dict[str, dict[str, TaskCell]] = {}
        self.document: tuple[str, ...] = ()
        self.watcher: Callable[[FlowRun], object] | None = None
        self._sources: dict[str, str] = {}
        self._settings: dict[str, Settings] = {}
        self._forgotten: dict[str, dict[str, tuple[int, TaskCell]]] = {}
        self._aliases: dict[tuple[str, str], str] = {}
        self._flows: dict[str, tuple[tuple[TaskCell, ...], Settings, Flow]] = {}
        self._ended: dict[str, Ended] = {}
        self._endings = itertools.count(1)
        self._traces = Traces()
        self._chosen: dict[str, dict[str, Any]] = {}  # by flow and parameter, what a person gave
        self._values: dict[tuple[str, str], tuple[int, Any]] = {}  # what each had last, and since when

    # -- cells -------------------------------------------------------------------------------------------------------

    @alone
    def put(self, cell: TaskCell, flow: str = DEFAULT_FLOW) -> None:
        """Add a cell, or replace what stood under its id; its place in the order stays, and its history.

        Raises:
            FlowError: another cell of the flow has the same name, the code cannot be read for names, or its result
                cannot be kept.

        """
        cells = self.cells.setdefault(flow, {})
        names = {other.name for other in cells.values() if other.id != cell.id}
        if cell.name in names:
            free = next(name for n in itertools.count(2) if (name := f"{cell.name}_{n}") not in names)
            msg = (
                f"another cell of flow {shown(flow)} is already the task {shown(cell.name)}. Give this one a name: "
                f"%%task {free}, or let go of the other: %flowbook forget {cell.name}"
            )
            raise FlowError(msg)
        if cell.names.opaque and not {"in", "out"} <= cell.given:
            msg = (
                f"task {shown(cell.name)}: {cell.names.opaque}, so what it reads and makes cannot be seen. "
                "Say it: %%task --in a b --out c"
            )
            raise FlowError(msg)
        _check_cache(cell)
        for other, there in self.cells.items():
            if other != flow:
                there.pop(cell.id, None)  # it says another flow now
        before = cells.get(cell.id)
        if before is not None and before.name != cell.name:
            self._aliases[flow, before.name] = cell.name
        self._forgotten.get(flow, {}).pop(cell.id, None)
        cells[cell.id] = cell
        if cell.source and cell.id in self._sources:
            self._sources[cell.id] = cell.source  # the front end tells it again, a little later

    @alone
    def set_up(self, flow: str, code: str) -> Settings:
        """Take the settings of a flow from the code of a ``%%flow`` cell; what it said before is let go.

        Parameters that have a default stand in the namespace at once, so that cells which are no tasks can read them.

        Raises:
            FlowError: the cell says something that is no setting.

        """
        __tracebackhide__ = True
        said = self._settings[flow] = read_settings(flow, code, self.namespace)
        for name, parameter in said.parameters.items():
            if not parameter.required:
                self.namespace[name] = parameter.default
        return said

    @alone
    def announce(self, flow: str, code: str) -> None:
        """Take the parameters of a ``%%flow`` cell that has not run yet, so that a form can ask for them.

        Only a cell that does nothing but name parameters with plain values is read; no name is set.
        """
        if not self.settings(flow).code and only_names_parameters(code):
            with contextlib.suppress(FlowError):
                self._settings[flow] = read_settings(flow, code, {})

    @alone
    def forget(self, name: str, flow: str = DEFAULT_FLOW) -> None:
        """Let go of a task cell; who reads what it made is told so. Forgetting it twice takes the result as it is.

        Raises:
            FlowError: there is none of that name.

        """
        gone = self._forgotten.setdefault(flow, {})
        found = next((key for key, (_, cell) in gone.items() if cell.name == name), None)
        if found is not None and name not in {cell.name for cell in self.cells.get(flow, {}).values()}:
            del gone[found]
            return
        cell = self.cell(name, flow)
        gone[cell.id] = (list(self.cells[flow]).index(cell.id), cell)
        del self.cells[flow][cell.id]

    @alone
    def restore(self, name: str, flow: str = DEFAULT_FLOW) -> None:
        """Bring a forgotten cell back to its place, with its history.

        Raises:
            FlowError: there is none of that name.

        """
        gone = self._forgotten.get(flow, {})
        found = next((key for key, (_, cell) in gone.items() if cell.name == name), None)
        if found is None:
            known = [cell.name for _, cell in gone.values()]
            msg = (
                f"no forgotten cell was the task {shown(name)}.{nearest(name, known)} "
                f"Forgotten: {', '.join(known) or 'none'}."
            )
            raise FlowError(msg)
        place, cell = gone[found]
        others = list(self.cells.setdefault(flow, {}).items())
        self.put(cell, flow)
        self.cells[flow] = dict([*others[:place], (cell.id, cell), *others[place:]])

    @alone
    def see(self, document: Mapping[str, str]) -> None:
        """Take what the front end shows: the source of each cell by id, in document order.

        Cells then stand in that order, those which are not among them any more are forgotten, and those whose source
        is not what was run are dirty.
        """
        self.document, self._sources = tuple(document), dict(document)
        for flow, cells in self.cells.items():
            for cell in [cell for cell in cells.values() if cell.id not in document]:
                self.forget(cell.name, flow)
            for cell in [cell for _, cell in self._forgotten.get(flow, {}).values() if cell.id in document]:
                self.restore(cell.name, flow)

    @alone
    def delete(self, ids: Iterable[str]) -> None:
        """Forget the cells that the front end says were deleted."""
        for flow, cells in self.cells.items():
            for cell in [cells[one] for one in ids if one in cells]:
                self.forget(cell.name, flow)

    @alone
    def cell(self, word: str, flow: str = DEFAULT_FLOW) -> TaskCell:
        """Return a cell by its name, the name it had before, or its id.

        Raises:
            FlowError: there is none.

        """
        cells = self.cells.get(flow, {})
        by_name = {cell.name: cell for cell in cells.values()}
        found = by_name.get(word) or cells.get(word)
        seen = {word}
        while found is None and (flow, word) in self._aliases and self._aliases[flow, word] not in seen:
            word = self._aliases[flow, word]
            seen.add(word)
            found = by_name.get(word)
        if found is None:
            listed = ", ".join(by_name) or "none"
            msg = f"no cell is the task {shown(word)}.{nearest(word, by_name)} Task cells: {listed}."
            raise FlowError(msg)
        return found

    def name_of(self, cell_id: str, flow: str = DEFAULT_FLOW) -> str:
        """Return the name of a cell by its id, "" when it is none of this flow."""
        cell = self.cells.get(flow, {}).get(cell_id)
        return "" if cell is None else cell.name

    @alone
    def ordered(self, flow: str = DEFAULT_FLOW) -> tuple[TaskCell, ...]:
        """Return the cells of a flow in document order; where that is not known, in which they were first run."""
        cells = self.cells.get(flow, {}).values()
        places = {one: place for place, one in enumerate(self.document)}
        return tuple(sorted(cells, key=lambda cell: places.get(cell.id, len(places))))

    @alone
    def flow(self, name: str = DEFAULT_FLOW) -> Flow:
        """Return the flow of these cells; the same object as long as no cell changed.

        Raises:
            FlowError: no cell belongs to a flow of that name.

        """
        cells, settings = self.ordered(name), self.settings(name)
        if not cells:
            known = ", ".join(key for key, value in self.cells.items() if value) or "none"
            msg = f"no task cells belong to flow {shown(name)} (flows with cells: {known}). Begin a cell with %%task."
            raise FlowError(msg)
        kept = self._flows.get(name)
        if kept is None or kept[0] != cells or kept[1] is not settings:
            self._flows[name] = kept = (
                cells,
                settings,
                flow_of(name, cells, self.namespace, settings, self.shelf),
            )
        return kept[2]

    def settings(self, flow: str = DEFAULT_FLOW) -> Settings:
        """Return what the ``%%flow`` cell of a flow says."""
        return self._settings.setdefault(flow, Settings())

    def chosen(self, flow: str = DEFAULT_FLOW) -> Mapping[str, Any]:
        """Return what a person gave the parameters of a flow, by name."""
        return self._chosen.get(flow, {})

    @alone
    def problems(self, flow: str = DEFAULT_FLOW) -> tuple[Problem, ...]:
        """Tell what keeps cells of a flow from running: names that nobody makes any more, or nobody knows who."""
        gone = [cell for _, cell in self._forgotten.get(flow, {}).values()]
        return problems(self.ordered(flow), gone, self.settings(flow).parameters)

    # -- running -----------------------------------------------------------------------------------------------------

    def run(
        self,
        name: str = DEFAULT_FLOW,
        *,
        to: str | None = None,
        from_failed: bool = False,
        thorough: bool = False,
        parameters: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> State:
        """Run the flow of these cells, and remember how each ended.

        Args:
            name: of the flow.
            to: the id or name of a cell: run only it and what is upstream and has not succeeded with the code it has
                now.
            from_failed: run only what has not succeeded with the code it has now, and what follows from that.
            thorough: run to a cell all that `again` says, so that it ends as in a whole run.
            parameters: values for the flow's parameters; those given before stand until others are given.
            **options: as for `flowbook.Flow.run`.

        Raises:
            FlowError: there are `problems` with a cell that would run, or an executor that has no part in the
                namespace.

        """
        whole = flow = self.flow(name)
        plan = self._plan(name)
        _check_executor(options.get("executor") or flow.executor)
        values = self._parameters(flow, name, parameters or {})
        kept: dict[Task, State] = {}
        wanted, doubt = set(flow.nodes), ""
        if to is not None:
            goal = self._task(flow, self.cell(to, name))
            options["until"] = goal
            wanted = ancestry(flow.nodes, [goal], downstream=False)
            kept = {task: state for task, state in self._fresh(flow).items() if task in wanted and task is not goal}
            again = self.again(name, goal.cell.id)
            old = {task for task in kept if isinstance(task, CellTask) and task.cell.id in again}
            if thorough:
                kept = {task: state for task, state in kept.items() if task not in old}
            elif old:
                doubt = "it was run by hand, on names that were not as above it any more"
        elif from_failed:
            again = self.again(name)
            fresh = self._fresh(flow).items()
            kept = {task: state for task, state in fresh if isinstance(task, CellTask) and task.cell.id not in again}
        self._check_problems(name, {task.name for task in wanted - kept.keys()})
        if kept:
            options["task_states"] = kept
        values = {key: value for key, value in values.items() if key in {task.name for task in flow.parameters()}}
        before = flow.last_run
        try:
            state: State = flow.run(values, run_on_schedule=False, **options)
        finally:
            if flow.last_run is not None and flow.last_run is not before:  # else it was refused, and nothing has run
                self._remember(whole, flow.last_run, kept, plan, doubt)
        return state

    @alone
    def _remember(
        self, whole: Flow, run: FlowRun, kept: Mapping[Task, State], plan: tuple[Again, dict[str, int]], doubt: str
    ) -> None:
        states, looks = run.states, Feed(run.runner).snapshot(0.0).nodes
        for number, task in enumerate(run.runner.plan.tasks):
            ended, look = states[task], looks[number]
            if isinstance(task, CellTask) and task not in kept and ended.is_finished():
                upstream = self._serials(whole, whole.upstream_tasks(task))
                times = (look.attempt, look.started, look.ended)
                place, error = plan[1][task.cell.id], ended.result if ended.is_failed() else None
                changes = plan[0].changed_by(place)
                if isinstance(error, BaseException) and look.attempt <= 1:
                    changes = plan[0].changed_before(place, reached(task.cell.code, error, task.cell.filename))
                made = Ended(task.cell.code, ended, next(self._endings), upstream, run, task, *times, changes, doubt)
                before = self._ended.get(task.cell.id)
                if before is not None and before.code != made.code:
                    self._traces.replace(before, made)
                self._ended[task.cell.id] = made

    @alone
    def _parameters(self, flow: Flow, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that were chosen for parameters, and note which are new."""
        known = {task.name: task for task in flow.parameters()}
        unknown = [key for key in given if key not in known]
        if unknown:
            raise FlowError(flow.unknown_parameters(unknown))
        chosen = self._chosen.setdefault(name, {})
        chosen.update(given)
        for key, parameter in known.items():
            value = chosen.get(key, parameter.default)
            before = self._values.get((name, key))
            if before is None or token(before[1]) != token(value):
                self._values[name, key] = (next(self._endings), value)
        return {key: value for key, value in chosen.items() if key in known}

    def _check_problems(self, flow: str, running: set[str]) -> None:
        found = [problem for problem in self.problems(flow) if problem.reader in running]
        if found:
            is_guessed = not self.document and any(problem.kind == "ambiguous" for problem in found)
            order = "\n(Cells stand in the order in which they were first run.)" if is_guessed else ""
            raise FlowError("\n".join(problem.text for problem in found) + order)

    # -- out of date -------------------------------------------------------------------------------------------------

    def ended(self, word: str, flow: str = DEFAULT_FLOW) -> Ended | None:
        """Return how a cell ended last, or None when it has not run."""
        return self._ended.get(self.cell(word, flow).id)

    @alone
    def dirty(self, flow: str = DEFAULT_FLOW) -> tuple[str, ...]:
        """Name the tasks whose cell was changed after it ran last."""
        return tuple(cell.name for cell in self.ordered(flow) if self._is_dirty(cell))

    @alone
    def stale(self, flow: str = DEFAULT_FLOW) -> tuple[str, ...]:
        """Name the tasks whose result is out of date, since something upstream was changed or has run again."""
        if not self.cells.get(flow):
            return ()
        made = self.flow(flow)
        old: dict[Task, bool] = {}
        for task in made.sorted_tasks():
            upstream = made.upstream_tasks(task)
            known = self._ended.get(task.cell.id) if isinstance(task, CellTask) else None
            old[task] = known is not None and (
                known.upstream != self._serials(made, upstream)
                or any(old[one] or (isinstance(one, CellTask) and self._is_dirty(one.cell)) for one in upstream)
            )
        found = {task.name for task, is_old in old.items() if is_old}
        return tuple(cell.name for cell in self.ordered(flow) if cell.name in found)

    def _is_dirty(self, cell: TaskCell) -> bool:
        known = self._ended.get(cell.id)
        is_edited = bool(cell.source) and not _is_same_text(self._sources.get(cell.id, cell.source), cell.source)
        return known is not None and (known.code != cell.code or is_edited)

    @alone
    def _fresh(self, flow: Flow) -> dict[Task, State]:
        """Return the states of cells that would do the same again.

        They ran with the code they have, on what their upstream cells made last, and those are fresh themselves.
        """
        kept: dict[Task, State] = {}
        for task in flow.sorted_tasks():
            if not isinstance(task, CellTask):
                continue
            known = self._ended.get(task.cell.id)
            upstream = flow.upstream_tasks(task)
            if (
                known is not None
                and isinstance(known.state, Success)
                and known.code == task.cell.code
                and known.upstream == self._serials(flow, upstream)
                and all(one in kept for one in upstream if isinstance(one, CellTask))
            ):
                kept[task] = known.state
        return kept

    @alone
    def outside(self, source: str) -> None:
        """Note that a person ran a cell that is no task; only what it surely changed counts, for others may look."""
        with contextlib.suppress(CellSyntaxError):
            names = analyse(source)
            self._traces.leave(names.writes | names.mutates | names.deletes, next(self._endings))

    @alone
    def again(self, name: str = DEFAULT_FLOW, to: str = "") -> dict[str, str]:
        """Tell which cells, by id, run when the flow goes on with `run(from_failed=True)`, and why.

        Args:
            name: of the flow.
            to: the id of a cell that is run in any case.

        """
        cells = self.ordered(name)
        if not cells:
            return {}
        plan, places = self._plan(name)
        kept = {task.cell.id for task in self._fresh(self.flow(name)) if isinstance(task, CellTask)}
        left, changes, serials = self._left_in(plan, places), {}, {}
        for cell in cells:
            known, place = self._ended.get(cell.id), places[cell.id]
            if known is not None and has_begun(known):
                changes[place], serials[place] = known.changes, known.serial
                if word := overtaken(known, left):
                    plan.add(place, f"{word} was changed by something that is not in the flow any more")
            if cell.id not in kept:
                plan.add(place, self._why_again(cell))
            elif known is not None and known.doubt:
                plan.add(place, known.doubt)
            elif cell.id == to:
                plan.add(place, "it was asked for")
        plan.changes, plan.serials = changes, serials
        plan.follow()
        return {cell.id: plan.reasons[places[cell.id]] for cell in cells if places[cell.id] in plan.reasons}

    @alone
    def _plan(self, name: str) -> tuple[Again, dict[str, int]]:
        """Return what works out which cells of a flow run again, none yet, and the place of each cell in it by id."""
        first, cells = self.settings(name).read(), self.ordered(name)
        read = [*first, *(cell.names for cell in cells)]
        titles = [*("the parameters" for _ in first), *(f"task {cell.name}" for cell in cells)]
        places = {cell.id: place for place, cell in enumerate(cells, len(first))}
        return Again(read, titles, dependencies(read)), places

    def _left_in(self, plan: Again, places: Mapping[str, int]) -> dict[str, int]:
        """Return the names that were changed by what is no part of a flow now, and when."""
        codes = {cell.id: cell.code for cells in self.cells.values() for cell in cells.values() if cell.id in places}
        gone = []
        for one, known in self._ended.items():
            if codes.get(one) != known.code:
                own = plan.changed_by(places[one]) if one in places else None
                gone.append((known, own or frozenset()))
        return self._traces.left(gone)

    def _why_again(self, cell: TaskCell) -> str:
        known = self._ended.get(cell.id)
        if known is None:
            return "it has not run"
        if not isinstance(known.state, Success):
            return "it did not end well"
        if self._is_dirty(cell):
            return "its text has changed"
        return "something before it was changed, or ran again"

    def _serials(self, flow: Flow, tasks: Iterable[Task]) -> dict[str, int]:
        """Return which of its endings each task is at; a parameter, which of its values."""
        found = {}
        for task in tasks:
            if isinstance(task, CellTask) and task.cell.id in self._ended:
                found[task.cell.id] = self._ended[task.cell.id].serial
            elif not isinstance(task, CellTask):
                found[f"parameter {task.name}"] = self._values.get((flow.name, task.name), (0, None))[0]
        return found

    @staticmethod
    def _task(flow: Flow, cell: TaskCell) -> CellTask:
        return next(task for task in flow.nodes if isinstance(task, CellTask) and task.cell.id == cell.id)


def _is_same_text(one: str, other: str) -> bool:
    """Tell whether two texts of a cell mean the same: blanks around it, or between words of its magic, do not count."""
    (first, _, rest), (other_first, _, other_rest) = one.strip().partition("\n"), other.strip().partition("\n")
    return first.split() == other_first.split() and rest.rstrip() == other_rest.rstrip()


def _check_cache(cell: TaskCell) -> None:
    """Refuse to keep the result of a cell that does more than making it."""
    changed = sorted(cell.names.mutates)
    touched = sorted(_HIDDEN_STATE[one] for one in (cell.names.effects - cell.names.observes) & _HIDDEN_STATE.keys())
    if cell.cache is None or not (changed or touched):
        return
    does = f"changes {', '.join(changed)} in place" if changed else f"uses {', '.join(touched)}"
    msg = (
        f"task {shown(cell.name)} {does}, which a kept result cannot do again. Leave --cache out, or put that into a "
        "cell of its own."
    )
    raise FlowError(msg)


def _check_executor(executor: Any) -> None:
    name = getattr(executor, "name", executor)
    if name not in {None, "local", "threads"}:
        msg = (
            f"executor={shown(name)} cannot run the cells of a notebook, since they share one namespace. "
            'Use "local" or "threads".'
        )
        raise FlowError(msg)


_notebooks: dict[int, Notebook] = {}


def notebook(namespace: dict[str, Any], publisher: Callable[[], Any] = lambda: None) -> Notebook:
    """Return the task cells of a namespace; one `Notebook` per namespace."""
    kept = _notebooks.get(id(namespace))
    if kept is None or kept.namespace is not namespace:
        kept = _notebooks[id(namespace)] = Notebook(namespace, publisher)
    return kept
