"""A source that has changed, as the API would describe it."""

from __future__ import annotations

import cli_literals as given

from pharmaetl.drift.report import DriftReport
from pharmaetl.lake.schema import Acceptance, AcceptedHeader, Drift

DRIFT = (
    Drift(
        kind="renamed",
        table="nsde",
        column="Application Number or Citation",
        before="Application Number or Citation",
        after="Application Number or Monograph ID",
        severity="info",
        detail="'Application Number or Citation' is 'Application Number or Monograph ID' now; the config knows both as"
        " application_number",
        score=1.0,
    ),
    Drift(kind="added", table="nsde", column="Color", after="Color", detail="column 'Color' is new"),
    Drift(kind="field_count_changed", table="nsde", before=12, after=13, detail="12 fields a row before, 13 now"),
    Drift(
        kind="length_grown",
        table="nsde",
        column="proprietary_name",
        before=40,
        after=120,
        detail="the longest proprietary_name had 40 characters, and has 120 now",
    ),
)
REPORT = DriftReport("nsde", given.URL, given.RUN, given.OLD_RUN, DRIFT)
NONE = DriftReport("nsde", "file:///data/nsde.zip", None, given.RUN, ())
FIRST = DriftReport("nsde", given.URL, given.OLD_RUN, None, ())
REFUSED = DriftReport(
    "nsde",
    given.URL,
    given.FAILED_RUN,
    given.RUN,
    (Drift(kind="removed", table="nsde", column="NDC11", before="NDC11", severity="fail", detail="gone"), DRIFT[1]),
)
ACCEPTANCE = Acceptance(
    dataset="nsde",
    sequence=2,
    accepted_at="2026-07-24T12:30:00Z",
    accepted_by="ada@laptop",
    reason="FDA announced the column",
    run_id=given.FAILED_RUN,
    columns=("Color",),
    tables=(AcceptedHeader(table="nsde", header=("Item Code", "NDC11", "Color")),),
)
