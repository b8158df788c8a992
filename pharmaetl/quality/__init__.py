"""The gate: rules held against what was measured, and how their values went over the versions."""
