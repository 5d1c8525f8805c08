"""A limit that is switched off is called off, not "not observable"."""

import re

from made_logs import made_decisions, made_log, made_report

from coolbound_shadow.report import render_report

UNOBSERVABLE = "AIRFLOW_RATIO"
OBSERVED = "CA_T_MAX"


def page(*off: str) -> str:
    log = made_log(288)
    return render_report(made_report(log, made_decisions(log), limits_off=off))


def row(text: str, name: str) -> str:
    found = re.search(rf'<tr><td class="n">\d+</td><td class="name">{name}<.*', text)
    assert found is not None
    return found[0]


def test_a_limit_that_is_off_is_called_off_in_every_place() -> None:
    text = page(UNOBSERVABLE, OBSERVED)
    assert f"neither kept nor counted:</strong> {UNOBSERVABLE}, {OBSERVED}." in text
    unseen = re.search(r"not known to be met:</strong>([^<]*)", text)
    assert unseen is not None
    assert UNOBSERVABLE not in unseen[1]
    for name in (UNOBSERVABLE, OBSERVED):
        assert row(text, name).count(">off<") == 3
        assert "not observable" not in row(text, name)


def test_a_limit_that_is_on_and_unseen_stays_not_observable() -> None:
    text = page()
    assert "neither kept nor counted" not in text
    assert row(text, UNOBSERVABLE).count(">not observable<") == 3
    assert ">off<" not in text
