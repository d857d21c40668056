"""Names where programs look for them."""

import flowbook
import flowbook.engine.cache_validators
import flowbook.engine.result
import flowbook.engine.results
import flowbook.engine.serializers
import flowbook.engine.signals
import flowbook.engine.state
import flowbook.tasks.control_flow.case
import flowbook.tasks.control_flow.conditional
import flowbook.tasks.control_flow.filter
import flowbook.utilities.debug
import flowbook.utilities.edges
import flowbook.utilities.logging
import flowbook.utilities.notifications
import flowbook.utilities.tasks
from flowbook import Flow, Parameter, Task, apply_map, case, config, context, flatten, mapped, resource_manager
from flowbook import schedules, tags, task, triggers, unmapped
from flowbook.client import Secret
from flowbook.core import Edge
from flowbook.core.parameter import DateTimeParameter
from flowbook.core.task import Task as SameTask
from flowbook.engine import signals, state
from flowbook.engine.cache_validators import all_inputs, all_parameters, duration_only, never_use
from flowbook.engine.cache_validators import partial_inputs_only, partial_parameters_only
from flowbook.engine.executors import DaskExecutor as AlsoDask
from flowbook.engine.executors import LocalDaskExecutor as AlsoLocalDask
from flowbook.engine.executors import LocalExecutor as AlsoLocal
from flowbook.engine.result import NoResult, Result
from flowbook.engine.results import (
    AzureResult,
    ConstantResult,
    GCSResult,
    LocalResult,
    PrefectResult,
    S3Result,
    SecretResult,
)
from flowbook.engine.serializers import CompressedSerializer, DateTimeSerializer, JSONSerializer
from flowbook.engine.serializers import PandasSerializer, PickleSerializer
from flowbook.engine.signals import FAIL, LOOP, PAUSE, RETRY, SKIP, SUCCESS, PrefectSignal
from flowbook.engine.state import Failed, Mapped, Success
from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor
from flowbook.schedules import CronSchedule, IntervalSchedule, RRuleSchedule, Schedule
from flowbook.schedules import adjustments, clocks, filters
from flowbook.schedules.clocks import ClockEvent, CronClock, DatesClock, IntervalClock, RRuleClock
from flowbook.tasks.control_flow import FilterTask, ifelse, merge, switch
from flowbook.tasks.control_flow.case import case as same_case
from flowbook.tasks.core.collections import Dict, List, Set, Tuple
from flowbook.tasks.core.constants import Constant
from flowbook.tasks.core.function import FunctionTask
from flowbook.tasks.core.operators import Add, GetAttr, GetItem
from flowbook.tasks.core.resource_manager import ResourceManager
from flowbook.tasks.secrets import EnvVarSecret, PrefectSecret
from flowbook.triggers import all_finished, all_successful, always_run, any_failed, manual_only
from flowbook.utilities.debug import is_serializable, raise_on_exception
from flowbook.utilities.edges import flatten as same_flatten
from flowbook.utilities.edges import mapped as same_mapped
from flowbook.utilities.edges import unmapped as same_unmapped
from flowbook.utilities.logging import get_logger
from flowbook.utilities.notifications import callback_factory, slack_notifier
from flowbook.utilities.tasks import apply_map as same_apply_map
from flowbook.utilities.tasks import as_task, defaults_from_attrs, pause_task
from flowbook.utilities.tasks import unmapped as also_unmapped

assert SameTask is Task
assert AlsoLocal is LocalExecutor and AlsoDask is DaskExecutor and AlsoLocalDask is LocalDaskExecutor
assert same_case is case
assert same_flatten is flatten and same_mapped is mapped and same_unmapped is unmapped is also_unmapped
assert same_apply_map is apply_map
assert flowbook.triggers.all_finished is all_finished
assert flowbook.engine.state.Success is Success
assert flowbook.engine.signals.SKIP is SKIP
assert flowbook.tasks.shell.ShellTask is not None
