"""`coolbound simulate`: the log that an operator would have left."""

from argparse import Namespace

from coolbound.compose import chosen_site, limits_off, named_controller
from coolbound.console import Answer, progress_bar
from coolbound.energyplus_choice import log_maker
from coolbound_envs.fault_files import load_faults
from coolbound_envs.load import load_trace
from coolbound_envs.weather import load_weather
from coolbound_shadow.log_types import local_text
from coolbound_shadow.log_writer import write_log
from coolbound_shadow.output import check_target, output_folder

MARKER = "log.parquet"
"""A folder that holds this is an earlier result."""


def run(options: Namespace) -> Answer:
    """Write `log.parquet` and `log.csv`.

    Raises:
        InputError: Site, weather, load, faults or folder cannot be used.
    """
    check_target(options.out, MARKER)
    site = chosen_site(options.site)
    operator = named_controller(options.operator, site).controller
    faults = () if options.faults is None else load_faults(options.faults)
    weather, load = load_weather(options.weather), load_trace(options.load)
    with progress_bar() as progress:
        log = log_maker(options.engine)(
            site,
            operator,
            weather,
            load,
            options.start,
            options.days,
            options.seed,
            progress,
            faults,
        )
    with output_folder(options.out, MARKER) as folder:
        names = [path.name for path in write_log(log, folder)]
    start, end = (local_text(log.time_utc[i], log.offset[i]) for i in (0, log.rows - 1))
    data = {
        "schema": "coolbound.simulate/1",
        "site": site.name,
        "limits_off": limits_off(site),
        "engine": options.engine,
        "operator": options.operator,
        "weather": weather.name,
        "load": load.name,
        "seed": options.seed,
        "faults": len(faults),
        "rows": log.rows,
        "start": start,
        "end": end,
        "files": [str(options.out / name) for name in names],
    }
    text = (
        f"{log.rows} rows of {options.operator} from {start} to {end} in "
        f"{' and '.join(data['files'])}"
    )
    return Answer(data, text)
