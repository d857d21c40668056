"""What goes into the machine (stimuli) and what comes out of it beside events (instructions)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from typing import TypeAlias

    from flowbook.engine.kept import Kept
    from flowbook.engine.mapping import Supply
    from flowbook.states import State
    from flowbook.triggers import Verdict

__all__ = [
    "AskHandlers",
    "AskKept",
    "AskTrigger",
    "AskWidth",
    "CancelAsked",
    "Ended",
    "Instruction",
    "KeptAnswered",
    "LetGoOn",
    "PauseAsked",
    "Question",
    "Raised",
    "ResumeAsked",
    "RetryAsked",
    "Returned",
    "StartTimer",
    "Started",
    "StateAnswered",
    "StepAsked",
    "Stimulus",
    "StopBody",
    "VerdictAnswered",
    "WidthAnswered",
    "never",
]


# -- stimuli: something happened ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """A task was taken out of the ready queue and its body begins."""

    task: int
    at: float


@dataclass(frozen=True, slots=True)
class Returned:
    """A body returned a value."""

    task: int
    value: Any
    at: float


@dataclass(frozen=True, slots=True)
class Raised:
    """A body raised; a signal becomes its state, any other exception a failure."""

    task: int
    error: BaseException
    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A body ended in a state that its executor names: timed out, cancelled, lost."""

    task: int
    state: State
    at: float


@dataclass(frozen=True, slots=True)
class StateAnswered:
    """State handlers answered; `final` when one of them failed, so that nothing is retried."""

    task: int
    state: State
    at: float
    final: bool = False


@dataclass(frozen=True, slots=True)
class VerdictAnswered:
    """A custom trigger answered."""

    task: int
    verdict: Verdict
    at: float


@dataclass(frozen=True, slots=True)
class KeptAnswered:
    """It is known whether a kept result may stand for a task, and why."""

    task: int
    kept: Kept
    at: float


@dataclass(frozen=True, slots=True)
class WidthAnswered:
    """It is known what a mapped task is mapped over, or in which state it ends because that cannot be."""

    task: int
    supplies: tuple[Supply, ...] | State
    at: float


@dataclass(frozen=True, slots=True)
class LetGoOn:
    """The timer of a waiting task fired."""

    task: int
    at: float


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody asked to cancel the run."""

    at: float
    why: str = "Cancel was requested."


@dataclass(frozen=True, slots=True)
class PauseAsked:
    """Somebody asked that nothing new be started."""

    at: float


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """Somebody asked to go on: the run and its paused tasks, or only `task`."""

    at: float
    task: int | None = None


@dataclass(frozen=True, slots=True)
class StepAsked:
    """Somebody asked to start one more task and then hold."""

    at: float


@dataclass(frozen=True, slots=True)
class RetryAsked:
    """Somebody asked to try a task again at once: one that failed, or waits for its next attempt."""

    task: int
    at: float


Stimulus: TypeAlias = (
    Started
    | Returned
    | Raised
    | Ended
    | StateAnswered
    | VerdictAnswered
    | KeptAnswered
    | WidthAnswered
    | LetGoOn
    | CancelAsked
    | PauseAsked
    | ResumeAsked
    | StepAsked
    | RetryAsked
)


# -- instructions: something to do (running bodies goes through the ready queue) ---------------------------------------


@dataclass(frozen=True, slots=True)
class AskHandlers:
    """Call the task's state handlers and answer with `StateAnswered`."""

    task: int
    old: State
    new: State


@dataclass(frozen=True, slots=True)
class AskTrigger:
    """Call the task's own trigger and answer with `VerdictAnswered`."""

    task: int


@dataclass(frozen=True, slots=True)
class AskKept:
    """Look for a kept result of the task and answer with `KeptAnswered`; `seed` is one that the run began with."""

    task: int
    seed: State | None = None


@dataclass(frozen=True, slots=True)
class AskWidth:
    """Look at what a mapped task is mapped over and answer with `WidthAnswered`."""

    task: int


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Send `LetGoOn` at `due` (seconds since the epoch)."""

    task: int
    due: float


@dataclass(frozen=True, slots=True)
class StopBody:
    """Stop a body that is running, or let go of it, and answer with `Ended`."""

    task: int


# What is put to code of a user and answered by a stimulus.
Question: TypeAlias = AskHandlers | AskTrigger | AskKept | AskWidth

Instruction: TypeAlias = Question | StartTimer | StopBody


def never(message: NoReturn) -> NoReturn:
    """Refuse what cannot be: mypy proves that a chain of `isinstance` which ends here has forgotten nothing."""
    msg = f"no such message: {message!r}"
    raise TypeError(msg)
