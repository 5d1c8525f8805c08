"""Every shipped record, refitted and judged once for all tests."""

import functools

from coolbound_envs.chiller_records import shipped_records
from coolbound_envs.chiller_verdict import Judgement, judge


@functools.cache
def judgements() -> dict[str, Judgement]:
    """Return every record's judgement by name."""
    return {name: judge(record) for name, record in shipped_records().items()}


def fits_of(form: str) -> list[Judgement]:
    """Return the judgements of one form."""
    return [one for one in judgements().values() if one.record.form == form]
