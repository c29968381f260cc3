"""What carry-over from the last recipe makes of a result: accepted with a larger error."""

from __future__ import annotations

from dataclasses import replace

from instruments.metrology.flow import WIDE
from instruments.station import Analysis, Measurement, Verdict


def contaminated(error: float, limit: float) -> str:
    """Say that a relative error of a concentration is above its limit."""
    return (
        f"carry-over of the last recipe changes a concentration by up to {100.0 * error:.2g} %, "
        f"above {100.0 * limit:.2g} %"
    )


def judged(analysis: Analysis, measurement: Measurement) -> Analysis:
    """Return an analysis whose verdict counts the contamination that the measurement states."""
    seen = [measurement.conditions.get(name) for name in ("carry_over", "carry_over_limit")]
    kind = analysis.verdict.kind
    if None in seen or kind not in ("accept", "accept_wide") or analysis.verdict.failure:
        return analysis
    error, limit = (float(one["value"]) for one in seen if one is not None)
    if error <= limit:
        return analysis
    reasons = (*analysis.verdict.reasons, contaminated(error, limit))
    wide = WIDE if kind == "accept" else 1.0
    observables = {n: replace(o, se=wide * o.se) for n, o in analysis.observables.items()}
    return replace(analysis, observables=observables, verdict=Verdict("accept_wide", reasons))
