"""The search for the constants of `g36_tuned`.

    minimise    facility power over that of plain g36
                + PRICE * sum of limits' largest excess, guard included, in scales
    over        the constants of `g36_tuned.CONSTANTS`, within their ends
    means over  weeks of the training cities, all limits judged on the true plant

By differential evolution (`evolution`), twice: on weeks drawn from all seasons, then
on these and on the week of each training year in which the first answer came nearest
to a limit or broke it. What an answer still breaks in a year of the training cities,
it breaks by cooling freely in weather that is too warm: it is backed off there until
nothing is broken, and once more. Every candidate runs bare, without a safety layer,
with the same noise. Unseen cities take no part.

    python -m coolbound_controllers.g36_tuned_search [FILE]

writes the shipped file again, or another one, in some ten minutes of one core.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import jax
import jax.numpy as jnp

from coolbound_controllers.atomic import write_atomic
from coolbound_controllers.evolution import minimise
from coolbound_controllers.g36 import G36
from coolbound_controllers.g36_tuned import (
    CONSTANTS,
    SHIPPED,
    Constant,
    with_constants,
)
from coolbound_controllers.g36_tuned_weeks import (
    SearchPlan,
    Weeks,
    excess,
    hardest_weeks,
    play,
    search_task,
    search_weeks,
    start_weeks,
    training_years,
)
from coolbound_controllers.operator_settings import OperatorSettings, parse_operator
from coolbound_envs.site import Site, load_site

COMMAND: Final = "python -m coolbound_controllers.g36_tuned_search"
OBJECTIVE: Final = "facility power over that of g36, plus excess over guarded limits"
PRICE: Final = 0.1
"""Share of facility power that one scale of a broken limit is worth: far more than
all constants together can gain. [1]"""

BACK_OFF: Final = 0.5
"""By which free cooling is predicted worse, each time. [K]"""

TRIES: Final = 8
"""Times that an answer may be backed off. [1]"""

Judge = Callable[[Mapping[str, float]], tuple[jax.Array, jax.Array, jax.Array]]


@dataclasses.dataclass(frozen=True)
class Found:
    """What a search found, and what a year of the training cities says of it. Static.

    Attributes:
        values: The constants by name. [mixed units]
        power: Facility power over that of plain `g36`, in those years. [1]
        broken: Intervals that broke a limit there. [1]
    """

    values: Mapping[str, float]
    power: float
    broken: int


def search_on(
    weeks: Weeks, settings: OperatorSettings, plan: SearchPlan, generations: int
) -> dict[str, float]:
    """Return the best constants on some weeks, by name [mixed units]."""

    def judge(point: jax.Array) -> tuple[jax.Array, jax.Array]:
        power, worst, _ = play(with_constants(settings, _named(point)), weeks)
        largest = jnp.max(excess(worst), axis=(0, 1))
        return jnp.mean(power), jnp.sum(largest)

    @jax.jit
    def run() -> jax.Array:
        usual = jnp.mean(play(G36(settings), weeks)[0])

        def score(points: jax.Array) -> jax.Array:
            power, broken = jax.vmap(judge, in_axes=1)(points[:, 0, :, 0])
            total = jnp.nan_to_num(power / usual, nan=10.0) + PRICE * broken
            return total[None, :, None]

        key = jax.random.key(plan.seed)
        best = minimise(key, score, _ends(), (1, 1), plan.population, generations)
        return best[:, 0, 0]

    # As the file has them: what is judged later is what is shipped.
    return {
        c.name: float(f"{float(x):.5g}") for c, x in zip(CONSTANTS, run(), strict=True)
    }


def search(plan: SearchPlan, site: Site) -> Found:
    """Return the best constants found, judged by a year of the training cities.

    Raises:
        InputError: A name of weather or load is wrong.
    """
    settings, params = parse_operator(site), search_task(plan, site)
    drawn = search_weeks(plan)
    years, begin = training_years(plan, params)
    judge = year_judge(settings, years)
    once, again = plan.generations
    first = start_weeks(plan, drawn, params, 1)
    values = search_on(first, settings, plan, once)
    hard = hardest_weeks(judge(values)[1], begin, plan)
    both = jax.tree.map(lambda *x: jnp.concatenate(x), drawn, hard)
    values = search_on(start_weeks(plan, both, params, 1), settings, plan, again)
    return backed_off(values, judge, usual_power(settings, years))


def year_judge(settings: OperatorSettings, years: Weeks) -> Judge:
    """Return what judges constants by years: power, worst h, intervals broken."""

    @jax.jit
    def judge(values: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        return play(with_constants(settings, values), years)

    return lambda values: judge({k: jnp.float32(x) for k, x in values.items()})


def usual_power(settings: OperatorSettings, years: Weeks) -> float:
    """Return the facility power of plain `g36` in those years [W]."""
    return float(jnp.mean(jax.jit(lambda: play(G36(settings), years))()[0]))


def backed_off(values: Mapping[str, float], judge: Judge, usual: float) -> Found:
    """Return constants that cool freely more cautiously, until nothing is broken.

    And once more, for years that are not those of the training cities.

    Args:
        values: The constants by name. [mixed units]
        judge: Of a year of the training cities.
        usual: Facility power of plain `g36` there. [W]
    """
    is_last, found = False, _found(values, judge, usual)
    for _ in range(TRIES):
        if is_last:
            break
        is_last = not found.broken
        approach = found.values["free_approach"] + BACK_OFF
        found = _found({**found.values, "free_approach": approach}, judge, usual)
    return found


def _found(values: Mapping[str, float], judge: Judge, usual: float) -> Found:
    power, _, broken = judge(values)
    return Found(values, float(jnp.mean(power)) / usual, int(jnp.sum(broken)))


def _named(point: jax.Array) -> dict[str, jax.Array]:
    return {one.name: point[i] for i, one in enumerate(CONSTANTS)}


def _ends() -> tuple[jax.Array, jax.Array]:
    lower, upper = ([getattr(c, end) for c in CONSTANTS] for end in ("lower", "upper"))
    return jnp.asarray(lower, jnp.float32), jnp.asarray(upper, jnp.float32)


def constants_text(found: Found, plan: SearchPlan) -> str:
    """Return the TOML file of what was found, with where it is from."""
    weeks = len(plan.weather) * (plan.seasons + len(plan.loads))
    lines = [
        "# Constants of `g36_tuned`, searched by the command below on the training",
        "# cities alone: docs/controllers.md. The last two figures of the provenance",
        "# are of a year of all of them, under each load.",
        "",
        "[provenance]",
        f'command = "{COMMAND}"',
        f'objective = "{OBJECTIVE}"',
        f"weather = {json.dumps(plan.weather)}",
        f"loads = {json.dumps(plan.loads)}",
        f"weeks = {weeks}",
        f"days = {plan.days}",
        f"population = {plan.population}",
        f"generations = {list(plan.generations)}",
        f"seed = {plan.seed}",
        f"power_over_g36 = {found.power:.5f}",
        f"violations = {found.broken}",
        "",
        "[constants]",
        *(_line(one, found.values[one.name]) for one in CONSTANTS),
    ]
    return "\n".join(lines) + "\n"


def _line(one: Constant, value: float) -> str:
    kept = float(f"{min(max(value, one.lower), one.upper):.5g}")
    return f'{one.name} = "{kept} {one.unit}"' if one.unit else f"{one.name} = {kept}"


def main(arguments: Sequence[str]) -> None:
    """Search, and write the file named, or the shipped one."""
    shipped = resources.files("coolbound_controllers") / "data" / SHIPPED
    path = Path(arguments[0]) if arguments else Path(str(shipped))
    plan = SearchPlan()
    found = search(plan, load_site())
    write_atomic(path, constants_text(found, plan).encode())
    print(f"{path}: power {found.power:.5f} of g36, violations {found.broken}")


if __name__ == "__main__":
    main(sys.argv[1:])
