"""Control flow: which tasks of a flow run is decided while it runs.

* ``with case(task, value):`` runs what is made inside only for that value
* `switch` and `ifelse` choose between tasks that are there already
* `merge` goes on with the branch that ran
* `FilterTask` keeps some of many results
"""

from __future__ import annotations

from flowbook.tasks.control_flow.case import case
from flowbook.tasks.control_flow.conditional import CompareValue, Merge, ifelse, merge, switch
from flowbook.tasks.control_flow.filter import FilterTask

__all__ = ["CompareValue", "FilterTask", "Merge", "case", "ifelse", "merge", "switch"]
