"""What dead runs leave is listed by `prune --dry-run`, and removed by `prune`; nothing that is needed goes."""

from __future__ import annotations

import json
from pathlib import Path

from faults.crash import toys
from faults.crash.battery import Case
from faults.invariants import (
    assert_converged,
    assert_invariants,
    digests,
    fingerprint,
    given_up,
    leftovers,
    log_of,
    tables_of,
)


def files_of(lake: Path) -> list[Path]:
    return sorted(path for path in lake.rglob("*") if path.is_file())


def needed(lake: Path) -> list[Path]:
    """Log, records, lineage, and the files of the current version with its source."""
    entry = log_of(lake, toys.NAME)[-1]
    listed = [lake / file["path"] for table in tables_of(entry) for file in table["files"]]
    raw = files_of(lake / "raw" / toys.NAME / f"sha256={entry['source']['sha256']}")
    kept = [path for folder in ("manifests", "runs", "lineage") for path in files_of(lake / folder)]
    return [*listed, *raw, *kept, *files_of(lake / "bronze" / toys.NAME / toys.BOXES / f"run={entry['run_id']}")]


def test_a_dry_run_lists_what_dead_runs_left_and_removes_nothing(littered: Case) -> None:
    left, before = leftovers(littered.lake), fingerprint(files_of(littered.lake))
    assert len(left) >= 10
    assert len([path for path in left if path.startswith("gold/colours/")]) == 2

    answer = littered.ask("prune", toys.NAME, "--grace", "0", "--dry-run", "--json")

    listed = {file["path"] for file in json.loads(answer.stdout)["files"]}
    assert left <= listed
    assert fingerprint(files_of(littered.lake)) == before


def test_pruning_removes_what_dead_runs_left_and_nothing_that_is_needed(littered: Case) -> None:
    case = littered.ground.case("pruned", littered.lake)
    kept, version = fingerprint(needed(case.lake)), digests(case.lake, toys.NAME)
    first = log_of(case.lake, toys.NAME)[0]["run_id"]

    answer = case.ask("prune", toys.NAME, "--grace", "0")

    assert answer.code == 0, answer.stderr
    assert leftovers(case.lake) == set()
    assert fingerprint(path for path in needed(case.lake) if str(path) in kept) == kept
    assert (digests(case.lake, toys.NAME), given_up(case.lake, toys.NAME)) == (version, {first})
    assert_invariants(case.lake)
    assert case.ask("manifest", "verify", toys.NAME, out="verified").code == 0


def test_within_the_grace_period_only_what_a_dead_process_left_in_its_own_folder_goes(littered: Case) -> None:
    case = littered.ground.case("young", littered.lake)
    before = {path for path in leftovers(case.lake) if not path.startswith(".work/")}

    assert case.ask("prune", toys.NAME).code == 0

    assert {path for path in leftovers(case.lake) if not path.startswith(".work/")} == before
    assert given_up(case.lake, toys.NAME) == set()


def test_after_a_pruning_the_next_run_publishes_as_if_nothing_had_happened(littered: Case) -> None:
    case = littered.ground.case("pruned-then-run", littered.lake)
    assert case.ask("prune", toys.NAME, "--grace", "0").code == 0

    answer = case.ask("run", toys.NAME, "--source", str(case.ground.releases[2]), out="run")

    assert answer.code == 0, answer.stderr
    assert_converged(case.lake, toys.NAME, case.ground.undisturbed)
