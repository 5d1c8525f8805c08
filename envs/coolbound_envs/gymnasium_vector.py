"""A batch of plants as a Gymnasium vector environment: one program, one step."""

from collections.abc import Callable
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

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
from coolbound_envs.gymnasium_single import check_option, refuse_options
from coolbound_envs.tables import InputError

MASK = "reset_mask"
"""Option of `reset`: which lanes to begin anew, bool, shape (num_envs,)."""


class CoolingVectorEnv(VectorEnv[Numbers, np.ndarray, np.ndarray]):
    """A batch of one cooling task, plain or shielded, behind `VectorEnv`.

    As `CoolingEnv`, batch first. `metadata["autoreset_mode"]` says what happens to
    a lane whose episode has ended:

    * `NEXT_STEP`: the next step ignores its action and returns the first observation
      of a new episode, reward 0; its masks in `info` (`_cost`, ...) are False.
    * `SAME_STEP`: the same step returns the first observation of a new episode;
      `info["final_obs"]` and `info["final_info"]` hold the last of the old one.
      `info["cost"]` and the others stay those of the step taken, as the reward does.
    * `DISABLED`: the caller resets it with `reset(options={"reset_mask": mask})`.
    """

    def __init__(
        self,
        task: BatchEnvironment,
        params: Any,
        num_envs: int,
        *,
        normalised: bool = False,
        flat: bool = False,
        on_bad_action: BadAction = "raise",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        """Wrap a task; nothing is compiled before the first reset.

        Args:
            task: A `CoolingTask`, or a shielded one.
            params: Its parameters, shared by the batch.
            num_envs: Lanes. [1]
            normalised: As in `CoolingEnv`.
            flat: As in `CoolingEnv`.
            on_bad_action: As in `CoolingEnv`; one bad lane refuses the whole step.
            autoreset_mode: What happens to lanes that have ended.

        Raises:
            InputError: An option is not one of those.
        """
        check_option(on_bad_action)
        if num_envs < 1:
            raise InputError(
                f"num_envs: found {num_envs}, expected 1 or more; raise it"
            )
        self.task, self.params, self.num_envs = task, params, num_envs
        self._mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self._mode}
        self.single_action_space = action_space(normalised)
        self.single_observation_space = observation_space(flat)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._normalised, self._flat = normalised, flat
        self._on_bad_action: BadAction = on_bad_action
        self._select: Callable[..., Any] | None = None
        self._state: Any = None
        self._seen: Any = None
        self._key: Any = None
        self._count = 0
        self._ended = np.ones(num_envs, np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Numbers, dict[str, Any]]:
        """Begin an episode in every lane, or in those of `options["reset_mask"]`.

        Args:
            seed: Of everything from here on; None goes on with the last. One number
                for the whole batch.
            options: Nothing, or a reset mask.

        Raises:
            InputError: The mask is no mask, another option is given, or the first
                reset has a mask.
        """
        super().reset(seed=seed)
        rest = dict(options or {})
        mask = rest.pop(MASK, None)
        refuse_options(rest)
        first, key = jax.random.split(draw_key(self.np_random))
        if mask is None:
            self._key, self._count = key, 0
            self._seen, self._state = self._fresh(first)
            self._ended[:] = False
        else:
            self._replace(self._checked(mask), first)
        return numbers(self._seen, self._flat), {}

    def _checked(self, mask: Any) -> np.ndarray:
        is_mask = isinstance(mask, np.ndarray) and mask.dtype == np.bool_
        if not is_mask or mask.shape != (self.num_envs,) or not mask.any():
            raise InputError(
                f"reset: found reset_mask {mask!r}, expected a bool array of shape "
                f"({self.num_envs},) with at least one True; correct it"
            )
        if self._state is None:
            raise InputError(
                "reset: found a reset_mask at the first reset, expected none; reset "
                "every environment first"
            )
        return mask

    def step(
        self, actions: Any
    ) -> tuple[Numbers, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Run one control interval of 300 s in every lane.

        Raises:
            InputError: An action is refused; every lane stands where it was.
            gymnasium.error.ResetNeeded: Nothing was ever reset, or autoreset is
                disabled and a lane has ended.
        """
        begins = self._ended.copy()
        if self._state is None or (
            self._mode == AutoresetMode.DISABLED and begins.any()
        ):
            raise gymnasium.error.ResetNeeded(
                "reset every environment first, and those that ended by "
                "reset(options={'reset_mask': ...})"
            )
        vector = self._vector(actions, begins)
        self._seen, self._state, reward, terminated, truncated, info = programs(
            self.task
        ).step(self._key, np.uint32(self._count), self._state, vector, self.params)
        self._count += 1
        rewards = np.array(reward, np.float64)
        ends = np.array(terminated, np.bool_), np.array(truncated, np.bool_)
        return self._finish(begins, rewards, ends, numeric_info(info))

    def _vector(self, actions: Any, begins: np.ndarray) -> np.ndarray:
        """Return physical actions, any valid one in the lanes that begin anew."""
        if begins.any():
            given = np.array(actions)
            if given.shape == self.action_space.shape and given.dtype.kind in "fiu":
                given = given.astype(np.float32)
                given[begins] = action_space(self._normalised).low
                actions = given
        return physical_actions(
            actions, self.num_envs, self._normalised, self._on_bad_action
        )

    def _finish(
        self,
        begins: np.ndarray,
        rewards: np.ndarray,
        ends: tuple[np.ndarray, np.ndarray],
        info: dict[str, Any],
    ) -> tuple[Numbers, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Return the step's answer, with lanes begun anew as the mode says."""
        if begins.any():
            self._replace(begins, self._reset_key())
            rewards[begins] = 0.0
            for flags in ends:
                flags[begins] = False
        self._ended = ends[0] | ends[1]
        final = self._ended if self._mode == AutoresetMode.SAME_STEP else None
        told = masked(info, ~begins)
        if final is not None and final.any():
            told |= self._final(info, final.copy())
            self._replace(final.copy(), self._reset_key())
        return numbers(self._seen, self._flat), rewards, *ends, told

    def _final(self, info: dict[str, Any], ended: np.ndarray) -> dict[str, Any]:
        last = np.full(self.num_envs, None, dtype=object)
        seen = numbers(self._seen, self._flat)
        for index in np.flatnonzero(ended):
            last[index] = lane(seen, int(index))
        return {
            "final_obs": last,
            "_final_obs": ended,
            "final_info": masked(info, ended),
            "_final_info": ended.copy(),
        }

    def _reset_key(self) -> Any:
        """Return the key of the lanes that begin anew in the step just taken."""
        after = jax.random.fold_in(self._key, np.uint32(self._count - 1))
        return jax.random.fold_in(after, np.uint32(2**32 - 1))

    def _fresh(self, key: Any) -> tuple[Any, Any]:
        return programs(self.task).reset(key, self.params, (self.num_envs,))

    def _replace(self, chosen: np.ndarray, key: Any) -> None:
        """Begin new episodes in the chosen lanes."""
        if self._select is None:
            self._select = self._selector()
        fresh = self._fresh(key)
        self._seen, self._state = self._select(chosen, fresh, (self._seen, self._state))
        self._ended[chosen] = False

    def _selector(self) -> Callable[..., Any]:
        """Return (chosen, fresh, kept) -> lanes of one or the other, jitted.

        Some arrays have the batch first, some last; each one's axis is that which
        grows with the batch.
        """

        def shapes(count: int) -> Any:
            key = jax.random.key(0)
            return jax.eval_shape(
                lambda k, p: self.task.reset_batch(k, p, (count,)), key, self.params
            )

        few, more = shapes(self.num_envs), shapes(self.num_envs + 1)
        axes = jax.tree.map(lambda a, b: _grown_axis(a.shape, b.shape), few, more)

        def pick(axis: int, chosen: jax.Array, new: jax.Array, old: jax.Array) -> Any:
            if axis < 0:
                return old
            shape = [1] * new.ndim
            shape[axis] = self.num_envs
            return jnp.where(chosen.reshape(shape), new, old)

        return jax.jit(
            lambda chosen, fresh, kept: jax.tree.map(
                lambda axis, new, old: pick(axis, chosen, new, old), axes, fresh, kept
            )
        )


def _grown_axis(few: tuple[int, ...], more: tuple[int, ...]) -> int:
    """Return the axis on which two shapes differ, -1 for none."""
    grown = [axis for axis, (a, b) in enumerate(zip(few, more, strict=True)) if a != b]
    return grown[0] if grown else -1


def masked(info: dict[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """Return infos as Gymnasium batches them: each with `_name`, who has it.

    Numbers of lanes that do not have them are 0.
    """
    told: dict[str, Any] = {}
    for name, entry in info.items():
        if isinstance(entry, dict):
            told[name] = masked(entry, mask)
        else:
            lanes = mask.reshape((-1,) + (1,) * (entry.ndim - 1))
            told[name] = np.where(lanes, entry, np.zeros((), entry.dtype))
        told[f"_{name}"] = mask.copy()
    return told
