"""Tasks of a state machine held against botocore's service models: what no linter of the language looks at."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "boolean": (bool,), "map": (dict,), "blob": (str, dict),
}  # fmt: skip
"""JSON types by shape; a Lambda payload is given as an object."""
SERIALISED = {("sqs", "MessageBody"), ("sns", "Message")}
"""Texts that Step Functions makes of an object itself."""


def problems(definition: dict[str, Any]) -> list[str]:
    """What the services would refuse: unknown actions and parameters, missing ones, literals of a wrong type."""
    tasks = {name: state for name, state in definition["States"].items() if state["Type"] == "Task"}
    return [f"{name}: {problem}" for name, state in tasks.items() for problem in _of_task(state)]


def _of_task(state: dict[str, Any]) -> Iterator[str]:
    resource = state["Resource"].removeprefix("arn:aws:states:::").removeprefix("aws-sdk:")
    service, action = resource.partition(".")[0].split(":")
    try:
        model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    except UnknownServiceError:
        yield f"no service {service}"
        return
    name = action[:1].upper() + action[1:]
    if name not in model.operation_names:
        yield f"{service} has no action {action}{_nearest(name, model.operation_names)}"
        return
    yield from _of_parameters(service, model.operation_model(name), state.get("Parameters", {}))


def _of_parameters(service: str, operation: OperationModel, given: dict[str, Any]) -> Iterator[str]:
    shape = operation.input_shape
    assert isinstance(shape, StructureShape)
    names = {key.removesuffix(".$") for key in given}
    for name in sorted(names - set(shape.members)):
        yield f"{operation.name} has no parameter {name}{_nearest(name, list(shape.members))}"
    for name in sorted(set(shape.required_members) - names):
        yield f"{operation.name} needs {name}"
    for name, value in given.items():
        if name in shape.members and not _fits(value, shape.members[name], (service, name)):
            yield f"{operation.name}: {name} is no {shape.members[name].type_name}"


def _fits(value: Any, shape: Shape, place: tuple[str, str]) -> bool:
    return isinstance(value, TYPES[shape.type_name]) or (place in SERIALISED and isinstance(value, dict))


def _nearest(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f": {found[0]}?" if found else ""
