"""What was found in a log, each with a name, a count and what to do about it."""

import dataclasses
import math
from collections.abc import Sequence

SEVERITIES = ("error", "warning", "note")

ADVICE = {
    "missing": "Nothing was filled in; see the gaps.",
    "not_a_number": "Declare the texts as `null_tokens` or `states`, if they are.",
    "nan": "Nothing to do: they are left out.",
    "sentinel": "Nothing to do: they are left out as declared.",
    "zero_when_off": "Nothing to do: they are left out as declared.",
    "out_of_range": "Check unit and `limits.range`, then the sensor.",
    "stuck": "Repair the sensor; what it showed meanwhile is not used.",
    "step": "Look at the trend; correct `limits.max_step` if it is too strict.",
    "rate": "Look at the trend; correct `limits.max_rate_per_min` if too strict.",
    "counter_reset": "Nothing to do: the increment over it is left out.",
    "duplicate": "Nothing to do: the first of each is used.",
    "conflict": "Find out which value is right, and leave the other out.",
    "ambiguous_time": "Set `on_ambiguous = 'ordered'` where rows are in order.",
    "clock_jump": "Find out when the clock was set, and correct the export.",
    "not_valid_then": "Nothing to do: outside the declared interval.",
    "unknown_status": "Add the status texts to the `[quality]` table.",
    "wrong_cell_count": "Look at the lines: footers do no harm, lost cells do.",
    "empty_line": "Nothing to do.",
    "repeated_header": "Nothing to do, if the files were joined on purpose.",
    "no_time": "Look at the lines.",
    "unreadable_time": "Look at the lines; add their format to `formats` if real.",
    "nonexistent_time": "Check the zone: a local clock skips this hour.",
    "stamp_too_early": "The logger's clock was not set; the rows are left out.",
    "stamp_in_future": "The logger's clock ran ahead; the rows are left out.",
    "point_not_in_map": "Add the points to the map, if they are wanted.",
    "zone_abbreviation": "Check the zone against the stamps' abbreviation.",
    "stuck_sensor": "Set `timing.stuck_s`, so that these readings are left out.",
    "never_moves": "Remove the point, or find out why it stands still.",
    "zero_while_off": "Set `off_value = 0.0`, so that these are no readings.",
    "suspected_sentinel": "Add the value to `bad_values`, if it is a code.",
    "slow_feed": "Set `timing.interval_s` to the true interval.",
    "gaps": "Nothing was filled in; export the hours again if they exist.",
    "clock_shift": "Check when the logger was restarted or its clock set.",
    "clock_drift": "Nothing to do: readings are taken at their own stamps.",
    "unit_doubt": "Correct `unit_in` of the point.",
    "column_absent": "Check the export: the point is missing for that time.",
    "unlisted": "Add the columns to the map, if they are wanted.",
    "override": "See the override report.",
    "impossible": "One of the instruments is wrong; find out which.",
    "stale_cells": "Set `timing.max_age_s` to how long a report stays true.",
    "thin_cells": "Nothing was filled in; see `min_coverage`.",
    "site_size": "Check site file, units and whether this is the site's log.",
    "point_without_readings": "Check the column; the point has no usable reading.",
    "status_other": "Check the `[quality]` table.",
}
"""What to do about each kind of finding."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a reader must know. Static.

    Attributes:
        kind: Its name.
        severity: One of `SEVERITIES`.
        subject: Point or file that it is about.
        text: One sentence.
        count: Readings, rows or columns concerned. [1]
        start_ms: When it begins, UTC epoch; 0 for no time. [ms]
        end_ms: When it ends, UTC epoch; 0 for no time. [ms]
        value: Raw number that it is about; NaN for none. [per raw unit]
    """

    kind: str
    severity: str
    subject: str
    text: str
    count: int = 0
    start_ms: int = 0
    end_ms: int = 0
    value: float = math.nan

    @property
    def advice(self) -> str:
        """What to do."""
        return ADVICE.get(self.kind, "Look at the readings.")


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings, the gravest and largest first."""
    return sorted(
        findings,
        key=lambda f: (SEVERITIES.index(f.severity), f.kind, -f.count, f.subject),
    )
