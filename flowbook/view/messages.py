"""The messages between the kernel and a view, and what a saved notebook keeps: plain records.

`flowbook.view.protocol` turns them into JSON and back, and writes the same types in TypeScript.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - the types are asked for while running
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "COMMAND_TARGET",
    "FEED_TARGET",
    "MIME",
    "OPEN_CODE",
    "PROTOCOL",
    "RUN_CODE",
    "Acknowledged",
    "Ask",
    "AskChildren",
    "AskTask",
    "Basis",
    "Bundle",
    "CellLook",
    "CellOutputs",
    "CellText",
    "Changes",
    "ChildLook",
    "Children",
    "Command",
    "Document",
    "Field",
    "FieldType",
    "Fix",
    "Hello",
    "Item",
    "Kind",
    "Message",
    "Moment",
    "NodeCard",
    "NodeLook",
    "NotebookLook",
    "OfNotebook",
    "Orders",
    "Part",
    "Picture",
    "Problem",
    "Reason",
    "Record",
    "Role",
    "RunLook",
    "Snapshot",
    "TaskDetails",
    "ToKernel",
    "ToView",
    "Verb",
    "Which",
]

PROTOCOL = 2
MIME = "application/vnd.jupyter-flowbook.run.v1+json"
COMMAND_TARGET = "jupyter-flowbook.command"
FEED_TARGET = "jupyter-flowbook.feed"
# Python that a page has a kernel run: to listen to the page, and to run the flow of the notebook (see `Orders`).
OPEN_CODE = "__import__('flowbook.notebook.desk', fromlist=['desk']).open_desk()"
RUN_CODE = "__import__('flowbook.notebook.desk', fromlist=['desk']).run_orders({})"

Kind = Literal["task", "parameter", "constant", "operator", "collection", "condition", "merge", "resource"]
Verb = Literal["cancel", "pause", "resume", "step", "retry"]
Which = Literal["all", "failed"]
Role = Literal["task", "shared", "settings", "outside"]
Basis = Literal["nothing", "tasks", "document"]
FieldType = Literal["text", "integer", "number", "boolean", "choice", "json"]


@dataclass(frozen=True, slots=True)
class NodeCard:
    """What a node is, for as long as its picture lives; a mapped one stands for all its children.

    `cell` is the id of the notebook's cell that it runs, where it runs one.
    """

    node: int
    slug: str
    name: str
    kind: Kind
    upstream: Sequence[int]
    downstream: Sequence[int]
    attempts: int
    mapped: bool = False
    cell: str = ""


@dataclass(frozen=True, slots=True)
class NodeLook:
    """How a node is right now; times are seconds of the kernel's clock, `due` is when it starts (again).

    `attempt` counts from 1 and is the one that runs or ran; while Retrying it is the one to come. An empty
    `state` means that the flow has not run. `result` is a short text such as "336,776 rows".

    A mapped task that knows its children has their `width` and how many are in each state, by its name: from then
    on `state` is "Mapping" until all have ended, `started` is when the first one began, and `due` when the next one
    starts again.
    """

    node: int
    state: str
    message: str = ""
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    due: float | None = None
    result: str = ""
    width: int | None = None
    counts: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class ChildLook:
    """How one child of a mapped task is; `index` is its place among the elements."""

    index: int
    state: str
    message: str = ""
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    due: float | None = None
    result: str = ""


@dataclass(frozen=True, slots=True)
class RunLook:
    """How the flow run is right now; `sentence` is the one line below the picture that answers why.

    `due` is when a run that waits for its schedule begins.
    """

    state: str
    message: str = ""
    started: float | None = None
    ended: float | None = None
    paused: bool = False
    sentence: str = ""
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that does not change during a run: the drawing, what its nodes are, what may be asked."""

    protocol: int
    flow: str
    run: str
    svg: str
    nodes: Sequence[NodeCard]
    controls: Sequence[str]
    notice: str = ""
    type: Literal["picture"] = "picture"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The look of all nodes after event `seq`; `at` is the kernel's now."""

    run: str
    seq: int
    at: float
    flow: RunLook
    nodes: Sequence[NodeLook]
    type: Literal["snapshot"] = "snapshot"


@dataclass(frozen=True, slots=True)
class Changes:
    """The look of the nodes that changed after `since`; a view that stands elsewhere asks for a snapshot."""

    run: str
    seq: int
    since: int
    at: float
    flow: RunLook
    nodes: Sequence[NodeLook]
    type: Literal["changes"] = "changes"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The answer to one command: taken or not, and a sentence for the person who pressed the button."""

    run: str
    id: str
    verb: Verb
    ok: bool
    at: float
    said: str = ""
    type: Literal["acknowledged"] = "acknowledged"


@dataclass(frozen=True, slots=True)
class Children:
    """Some children of a mapped task, those that need a look first; `total` is how many there are of that sort."""

    run: str
    node: int
    which: Which
    total: int
    offset: int
    rows: Sequence[ChildLook]
    type: Literal["children"] = "children"


@dataclass(frozen=True, slots=True)
class CellText:
    """A code cell as it stands in the notebook; `cell` is its id."""

    cell: str
    source: str
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CellLook:
    """How a cell stands in the flow of its notebook, and how it ended last.

    `node` is its number in the picture, -1 where it has none. A *dirty* cell was changed since it ran, a *stale* one
    has something upstream that was changed or ran again. While a run goes on, the look of the node is newer.
    `again` is why it would run if the flow went on now, "" when it need not. `converted` is what the cell would be as a
    task cell, "" where it is one or cannot be.
    """

    cell: str
    role: Role
    name: str
    node: int = -1
    state: str = ""
    message: str = ""
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    dirty: bool = False
    stale: bool = False
    again: str = ""
    converted: str = ""


@dataclass(frozen=True, slots=True)
class Fix:
    """Something that would mend a problem: a new source for a cell."""

    label: str
    cell: str
    source: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a cell from running, or makes it run less freely than it could (`grave` is false then)."""

    cell: str
    text: str
    grave: bool
    line: int | None = None
    fixes: Sequence[Fix] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of the flow as a field of a form; `value` is what it holds now, as a person would write it."""

    name: str
    kind: FieldType
    value: str
    required: bool
    choices: Sequence[str] = ()
    hidden: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one cell runs after another one."""

    upstream: str
    downstream: str
    text: str


@dataclass(frozen=True, slots=True)
class Orders:
    """What a page has a kernel run by `RUN_CODE`: all of the notebook's flow, or a part of it.

    `to` is the id of a cell: only it is run, and what it needs and is out of date. With `from_failed` only what has not
    ended well, and what follows from that. `parameters` are the fields' texts. `notebook` is the name of the `Document`
    that is meant: an order waits while a cell runs, and another notebook may have told its cells meanwhile.
    """

    to: str
    from_failed: bool
    parameters: Mapping[str, str]
    notebook: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One change of a task's state."""

    at: float
    state: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A value by name, shown in a short text; `origin` is the task it comes from."""

    name: str
    text: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class NotebookLook:
    """The flow of a notebook and all its cells, as they are now.

    `basis` tells what the flow is made of: the task cells, the whole document, or nothing yet. `run` is the latest run
    ("" before the first). `bundle` is the flow as it would run next; it is null while the picture of `run` shows the
    same. `notebook` is the name of the `Document` that is told of: several may have one kernel.
    """

    seq: int
    at: float
    notebook: str
    basis: Basis
    flow: str
    run: str
    bundle: Bundle | None
    cells: Sequence[CellLook]
    problems: Sequence[Problem] = ()
    fields: Sequence[Field] = ()
    reasons: Sequence[Reason] = ()
    type: Literal["notebook"] = "notebook"


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """Everything about one task run that a person may want to look into; `cause` is the node where trouble began."""

    run: str
    node: int
    why: str
    moments: Sequence[Moment]
    inputs: Sequence[Item]
    result: str
    logs: str
    code: str
    cause: int = -1
    type: Literal["task"] = "task"


@dataclass(frozen=True, slots=True)
class CellOutputs:
    """What a cell has printed and shown in a run, from the beginning: `outputs` is nbformat's list as JSON text.

    `count` is the execution count that belongs to it, where it has one.
    """

    run: str
    cell: str
    outputs: str
    count: int | None = None
    type: Literal["outputs"] = "outputs"


@dataclass(frozen=True, slots=True)
class Hello:
    """The first word of a view: the protocol it speaks and who it is."""

    protocol: int
    view: str
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True)
class Ask:
    """A view wants the picture and a snapshot of this run."""

    run: str
    type: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True)
class AskChildren:
    """A view wants to list children of a mapped task: at most `limit` of them, from place `offset` in the list."""

    run: str
    node: int
    which: Which
    offset: int
    limit: int
    type: Literal["ask-children"] = "ask-children"


@dataclass(frozen=True, slots=True)
class Command:
    """A person pressed a button; `id` comes back in the acknowledgement. Only "retry" is about one node."""

    run: str
    id: str
    verb: Verb
    node: int = -1
    type: Literal["command"] = "command"


@dataclass(frozen=True, slots=True)
class AskTask:
    """A view wants to look into a task run."""

    run: str
    node: int
    type: Literal["ask-task"] = "ask-task"


@dataclass(frozen=True, slots=True)
class Document:
    """The code cells of the notebook in document order, when they are first told and whenever they have changed.

    The answer is a `NotebookLook`, and again one whenever something about it changes. `basis` "document" asks for a
    flow of all cells; "tasks" for one of the task cells, where there are any.
    """

    name: str
    basis: Basis
    cells: Sequence[CellText]
    type: Literal["document"] = "document"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a saved notebook keeps under our MIME type; `run` is empty for a flow that has not run.

    `children` are the first few of each mapped task, for readers who have no kernel to ask.
    """

    protocol: int
    run: str
    live: bool
    picture: Picture
    snapshot: Snapshot
    children: Sequence[Children] = ()


ToView = Picture | Snapshot | Changes | Acknowledged | Children | NotebookLook | TaskDetails | CellOutputs
ToKernel = Hello | Ask | AskChildren | AskTask | Command | Document
Message = ToView | ToKernel
OfNotebook = CellText | CellLook | Fix | Problem | Field | Reason | Moment | Item | Orders
Part = NodeCard | NodeLook | ChildLook | RunLook | OfNotebook
Record = Message | Bundle | Part
