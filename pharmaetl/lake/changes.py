"""Whether a run has anything to add to what is published: a pure comparison of inputs."""

from __future__ import annotations

from dataclasses import dataclass

from pharmaetl.lake.documents import LogEntry


@dataclass(frozen=True)
class Inputs:
    """What a version is made of: the same inputs give the same version."""

    source_sha256: str | None
    members_sha256: str | None
    config_sha256: str
    code_sha256: str

    @classmethod
    def of(cls, entry: LogEntry) -> Inputs:
        """The inputs of a version in the log."""
        return cls(entry.source.sha256, entry.source.members_sha256, entry.config_sha256, entry.code_sha256)

    def has_source_of(self, other: Inputs) -> bool:
        """Were the same bytes read: the file itself, or, where an archive was only packed anew, its members?"""
        same_file = self.source_sha256 is not None and self.source_sha256 == other.source_sha256
        return same_file or (self.members_sha256 is not None and self.members_sha256 == other.members_sha256)

    def same_as(self, other: Inputs) -> bool:
        """Same source, config and code?"""
        same_code = (self.config_sha256, self.code_sha256) == (other.config_sha256, other.code_sha256)
        return same_code and self.has_source_of(other)


@dataclass(frozen=True)
class Unchanged:
    """The current version is made of these inputs already."""

    reason: str


@dataclass(frozen=True)
class Changed:
    """There is something to publish."""

    reason: str


Decision = Unchanged | Changed


def decide(current: LogEntry | None, inputs: Inputs) -> Decision:
    """Is there anything to do, and why? The reason is a phrase for users."""
    if current is None:
        return Changed("first run")
    published = Inputs.of(current)
    changes = []
    if not inputs.has_source_of(published):
        changes.append("new source")
    if inputs.config_sha256 != published.config_sha256:
        changes.append("the config changed")
    if inputs.code_sha256 != published.code_sha256:
        changes.append("the code changed")
    if changes:
        return Changed(f"{_joined(changes)} since {current.run_id}")
    if inputs.source_sha256 != published.source_sha256:
        return Unchanged(f"source unchanged since {current.run_id}: packed anew, with the same members")
    return Unchanged(f"source unchanged since {current.run_id}")


def _joined(phrases: list[str]) -> str:
    *first, last = phrases
    return f"{', '.join(first)} and {last}" if first else last
