"""Forms: values of parameters as a form or a command line sends them, read as what they are meant to be.

pydantic does the reading. It is loaded when there is something to read, and never while a flow is built or run.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from flowbook.errors import FlowError, ParameterError, shown
from flowbook.hints import in_words, is_known, may_fit
from flowbook.parameters import DateTimeParameter, moment_of
from flowbook.redaction import MASK, hide, redact
from flowbook.serialization import NotCarried, decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import TypeAdapter

    from flowbook.flows import Flow
    from flowbook.parameters import Parameter

__all__ = ["parameters_schema", "parse_parameters"]


def parse_parameters(flow: Flow, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for `Flow.run`, read from those a form or a command line sent.

    Raises:
        FlowError: a parameter the flow does not have.
        ParameterError: values that cannot be read, or required ones that are missing; all of them at once.

    """
    own = {parameter.name: parameter for parameter in flow.parameters()}
    unknown = [name for name in values if name not in own]
    if unknown:
        raise FlowError(flow.unknown_parameters(unknown))
    made: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, parameter in sorted(own.items()):
        if parameter.sensitive:
            hide(values.get(name))  # before any message quotes it
        wanted = flow.parameter_type(parameter)
        if name not in values or _is_left_empty(values[name], wanted):
            if parameter.required:
                problems[name] = f"parameter {shown(name)} needs a value: {_described(wanted)}."
            continue
        try:
            made[name] = _read(parameter, values[name], wanted)
        except ValueError as error:
            got = MASK if parameter.sensitive else shown(values[name])
            problems[name] = (
                f"parameter {shown(name)} got {got}, which is not {_described(wanted)}: {redact(str(error))}."
            )
    if problems:
        raise ParameterError(flow.name, problems)
    return made


def _described(wanted: Any) -> str:
    return f"of type {in_words(wanted)}" if is_known(wanted) else "any value"


def _is_left_empty(value: Any, wanted: Any) -> bool:
    """Tell whether a field was left empty; where text is wanted, an empty text is one."""
    return isinstance(value, str) and not value.strip() and wanted is not str


def _read(parameter: Parameter, value: Any, wanted: Any) -> Any:
    """Return one value as the type that is wanted, or raise ValueError with a reason."""
    if isinstance(parameter, DateTimeParameter) and isinstance(value, str):
        moment = moment_of(value)
        if moment is None:
            raise ValueError("write it like 2026-11-22 or 2026-11-22T10:00:00+01:00")
        return moment
    if not is_known(wanted):
        return _from_json(value)
    from pydantic import ValidationError  # noqa: PLC0415 - loaded when there is something to read

    adapter = adapter_of(wanted)
    if adapter is None:
        value = _from_json(value) if _may_be_json(value) else value
        if may_fit(type(value), wanted):
            return value
        raise ValueError("only Python code can give one")
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        problem = error
    if _may_be_json(value):
        try:
            return adapter.validate_json(value)
        except ValidationError as error:
            problem = error
    raise ValueError("; ".join(_said(each) for each in problem.errors(include_url=False)))


def _may_be_json(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}


def _said(problem: Any) -> str:
    place = ".".join(map(str, problem["loc"]))
    message = str(problem["msg"])
    return f"at {place}: {message[:1].lower()}{message[1:]}" if place else f"{message[:1].lower()}{message[1:]}"


def _from_json(value: Any) -> Any:
    """Return what a text says in JSON; a text that is no JSON is meant as it stands."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def adapter_of(wanted: Any) -> TypeAdapter[Any] | None:
    """Return what reads values of a type; None when pydantic cannot, as with most classes of other libraries."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - loaded when there is something to read
    from pydantic.errors import PydanticUserError  # noqa: PLC0415 - the same

    try:
        return TypeAdapter(wanted)
    except (PydanticUserError, TypeError, NameError):  # no schema, a name that is not there, what is no type at all
        return None


def parameters_schema(flow: Flow) -> dict[str, Any]:
    """Return the JSON schema of an object with a value for each parameter."""
    properties: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    required = []
    for parameter in sorted(flow.parameters(), key=lambda parameter: parameter.name):
        schema = _schema_of(flow.parameter_type(parameter))
        shared.update(schema.pop("$defs", {}))
        schema["title"] = parameter.name
        default = None if parameter.default is None or parameter.sensitive else _plain_default(parameter.default)
        if default is not None:
            schema["default"] = default
        if parameter.required:
            required.append(parameter.name)
        properties[parameter.name] = schema
    made: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": flow.name,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    if shared:
        made["$defs"] = shared
    return made


def _schema_of(wanted: Any) -> dict[str, Any]:
    if not is_known(wanted):
        return {}
    from pydantic.errors import PydanticInvalidForJsonSchema  # noqa: PLC0415 - loaded when there is something to read

    adapter = adapter_of(wanted)
    try:
        if adapter is not None:
            return adapter.json_schema()
    except PydanticInvalidForJsonSchema:
        pass
    return {"description": f"{in_words(wanted)}, which only Python code can give"}


def _plain_default(value: Any) -> Any:
    """Return a default as a form shows it, or None when it cannot."""
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    written = encoded(value, in_words=False)
    return None if isinstance(written, dict) and isinstance(decoded(written), NotCarried) else written
