"""One plant as a Gymnasium environment."""

from typing import Any

import gymnasium
import jax
import numpy as np

from coolbound_envs.gymnasium_border import (
    BadAction,
    BatchEnvironment,
    Numbers,
    action_space,
    draw_key,
    lane,
    numbers,
    numeric_info,
    observation_space,
    physical_actions,
    programs,
)
from coolbound_envs.tables import InputError


class CoolingEnv(gymnasium.Env[Numbers, np.ndarray]):
    """A cooling task, plain or shielded, behind `gymnasium.Env`.

    Actions are float32 (10,), in the order of `coolbound_envs.spec.CHANNELS`.
    Observations are a record by name (`value`, `quality`, `age`, `applied`, `time`)
    or a flat vector. Step `k` of an episode uses the episode's key folded with `k`;
    the key is drawn at `reset` from the generator that `seed` sets, so an episode
    depends on nothing that ran before but the number of resets since seeding.
    """

    def __init__(
        self,
        task: BatchEnvironment,
        params: Any,
        *,
        normalised: bool = False,
        flat: bool = False,
        on_bad_action: BadAction = "raise",
    ) -> None:
        """Wrap a task; nothing is compiled before the first reset.

        Args:
            task: A `CoolingTask`, or a shielded one.
            params: Its parameters.
            normalised: Actions are shares of each channel's range, 0 to 1, instead
                of physical units.
            flat: Observations are one vector, see `FLAT_NAMES`.
            on_bad_action: `raise`, or `hold`: the task refuses, keeps the action in
                force, counts, and sets `info["action_refused"]`.

        Raises:
            InputError: `on_bad_action` is neither.
        """
        check_option(on_bad_action)
        self.task, self.params = task, params
        self.action_space = action_space(normalised)
        self.observation_space = observation_space(flat)
        self._normalised, self._flat = normalised, flat
        self._on_bad_action: BadAction = on_bad_action
        self._state: Any = None
        self._key: Any = None
        self._count = 0
        self._has_ended = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Numbers, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Of all episodes from here on; None goes on with the last.
            options: None or empty; there are none.

        Raises:
            InputError: An option is given.
        """
        super().reset(seed=seed)
        refuse_options(options)
        first, self._key = jax.random.split(draw_key(self.np_random))
        program = programs(self.task).reset
        observation, self._state = program(first, self.params, (1,))
        self._count, self._has_ended = 0, False
        return lane(numbers(observation, self._flat), 0), {}

    def step(self, action: Any) -> tuple[Numbers, float, bool, bool, dict[str, Any]]:
        """Run one control interval of 300 s.

        Raises:
            InputError: The action is refused; the episode stands where it was.
            gymnasium.error.ResetNeeded: There is no episode to go on with.
        """
        if self._has_ended:
            raise gymnasium.error.ResetNeeded(
                "no episode is under way or it has ended: call reset() first"
            )
        vector = physical_actions(action, None, self._normalised, self._on_bad_action)
        observation, self._state, reward, terminated, truncated, info = programs(
            self.task
        ).step(self._key, np.uint32(self._count), self._state, vector, self.params)
        self._count += 1
        ended, cut = bool(terminated[0]), bool(truncated[0])
        self._has_ended = ended or cut
        seen = lane(numbers(observation, self._flat), 0)
        return seen, float(reward[0]), ended, cut, lane(numeric_info(info), 0)


def check_option(on_bad_action: str) -> None:
    """Refuse a treatment of bad actions that does not exist.

    Raises:
        InputError: It is not `raise` or `hold`.
    """
    if on_bad_action not in ("raise", "hold"):
        raise InputError(
            f"on_bad_action: found {on_bad_action!r}, expected 'raise' or 'hold'; "
            "choose one"
        )


def refuse_options(options: dict[str, Any] | None) -> None:
    """Refuse options of `reset` that nothing reads.

    Raises:
        InputError: There is one.
    """
    if options:
        raise InputError(
            f"reset: found option {next(iter(options))!r}, expected none; remove it"
        )
