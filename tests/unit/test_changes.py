"""What makes a run worth doing."""

from __future__ import annotations

import pytest

from pharmaetl.lake.changes import Changed, Inputs, Unchanged, decide
from pharmaetl.lake.documents import LogEntry, Quality, Source

CURRENT = LogEntry(
    dataset="nsde",
    sequence=1,
    commit_id="c1",
    parent=None,
    action="publish",
    run_id="20261123T030000Z-1f2e3d4c",
    version="2026-11-23",
    published_at="2026-11-23T03:01:00Z",
    source=Source(url="https://example.org/nsde.zip", sha256="s1", members_sha256="m1"),
    config_sha256="g1",
    code_sha256="k1",
    tables=(),
    quality=Quality(verdict="pass"),
)


def test_the_first_run_has_something_to_publish() -> None:
    assert decide(None, Inputs("s1", "m1", "g1", "k1")) == Changed("first run")


@pytest.mark.parametrize(
    ("inputs", "decision"),
    [
        (Inputs("s1", "m1", "g1", "k1"), Unchanged("source unchanged since 20261123T030000Z-1f2e3d4c")),
        (Inputs("s1", None, "g1", "k1"), Unchanged("source unchanged since 20261123T030000Z-1f2e3d4c")),
        (
            Inputs("s2", "m1", "g1", "k1"),
            Unchanged("source unchanged since 20261123T030000Z-1f2e3d4c: packed anew, with the same members"),
        ),
        (Inputs("s2", "m2", "g1", "k1"), Changed("new source since 20261123T030000Z-1f2e3d4c")),
        (Inputs("s2", None, "g1", "k1"), Changed("new source since 20261123T030000Z-1f2e3d4c")),
        (Inputs("s1", "m1", "g2", "k1"), Changed("the config changed since 20261123T030000Z-1f2e3d4c")),
        (Inputs("s1", "m1", "g1", "k2"), Changed("the code changed since 20261123T030000Z-1f2e3d4c")),
        (
            Inputs("s2", "m2", "g2", "k2"),
            Changed("new source, the config changed and the code changed since 20261123T030000Z-1f2e3d4c"),
        ),
    ],
)
def test_only_a_change_of_source_config_or_code_is_worth_a_run(inputs: Inputs, decision: object) -> None:
    assert decide(CURRENT, inputs) == decision


def test_unknown_digests_never_count_as_equal() -> None:
    nothing_known = CURRENT.model_copy(update={"source": Source(url="https://example.org/nsde.zip")})
    assert isinstance(decide(nothing_known, Inputs(None, None, "g1", "k1")), Changed)
