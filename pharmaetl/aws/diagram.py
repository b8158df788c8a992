"""A state machine as a mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pharmaetl.aws.failure_path import State

_SHAPES = {"Task": "[{}]", "Choice": "{{{}}}", "Pass": "([{}])", "Succeed": "((({})))", "Fail": "((({})))"}


def mermaid(definition: dict[str, Any]) -> str:
    """The states and the ways between them; ways that an error takes are dotted."""
    states: dict[str, State] = definition["States"]
    nodes = [f"  {name}{_SHAPES[state['Type']].format(name)}" for name, state in states.items()]
    ways = [way for name, state in states.items() for way in _ways(name, state)]
    return "\n".join(["flowchart TD", *nodes, *ways]) + "\n"


def _ways(name: str, state: State) -> Iterator[str]:
    for choice in state.get("Choices", []):
        yield f'  {name} -->|"{_condition(choice)}"| {choice["Next"]}'
    following = state.get("Next") or state.get("Default")
    if following:
        yield f"  {name} --> {following}"
    for catcher in state.get("Catch", []):
        yield f"  {name} -.->|error| {catcher['Next']}"


def _condition(choice: dict[str, Any]) -> str:
    """A comparison in words: `fetch.changed is false`."""
    value = next(value for key, value in choice.items() if key not in {"Variable", "Next"})
    said = str(value).lower() if isinstance(value, bool) else value
    return f"{choice['Variable'].removeprefix('$.')} is {said}"
