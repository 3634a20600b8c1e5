"""What everybody in a motion does: scores in every row, and from them intervals of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from choros import weights
from choros.errors import ChorosError
from choros.fourdhumans.actions.config import SMALL_ACTIONS, ActionConfig
from choros.fourdhumans.actions.network import SYSTEM, ActionTransformer
from choros.fourdhumans.actions.people import people_of
from choros.fourdhumans.actions.windows import action_scores
from choros.motion import Motion

#: The extra of a motion's rows: a score of each of `SMALL_ACTIONS`, 0 to 1.
EXTRA = "actions"


class ActionInterval(NamedTuple):
    """Somebody does something for a while."""

    person: int
    action: str
    start_s: float
    end_s: float
    score: float  # the mean over the while, 0 to 1


@dataclass(frozen=True)
class IntervalRules:
    """When scores are an action that is told; all of our choosing."""

    sure: float = 0.5  # of a score
    shortest_s: float = 0.25
    joined_s: float = 0.3  # a shorter break is none


class ActionTeller:
    """The network that ships, or one in a file that ``choros train actions`` wrote.

    Raises ``ChorosError`` where ``weights_path`` is of something else.
    """

    def __init__(self, weights_path: str | Path | None = None) -> None:
        path = weights.shipped(SYSTEM) if weights_path is None else weights_path
        tensors, metadata = weights.load(path, SYSTEM)
        try:
            self.actions = tuple(metadata["actions"])
            self._mean, self._std = (tensors.pop(name).float() for name in ("mean", "std"))
            self.network = ActionTransformer(ActionConfig(**metadata["config"])).requires_grad_(False)
            self.network.load_state_dict(tensors)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ChorosError(
                f"{path} does not fit this version of the network of actions; train it anew."
            ) from error

    def tell(self, motion: Motion) -> Motion:
        """The motion with ``extras["actions"]``: a score of each of `actions` in every row, (N, actions)."""
        parts = [self._scores(shot) for shot in motion.shots()]
        return motion.with_extras({EXTRA: np.concatenate(parts)} if parts else {})

    def _scores(self, shot: Motion) -> NDArray[np.float32]:
        """Of every row of one shot, (n, actions)."""
        scores = np.zeros((len(shot.rows), len(self.actions)), np.float32)
        people = people_of(shot, self.network.config.fps)
        for person in people:
            others = [other.tokens for other in people if other.id != person.id]
            told = action_scores(self.network, person.tokens, others, self._mean, self._std)
            scores[shot.row_person == person.id] = told.numpy()[person.instants]
        return scores


def tensors_of(network: ActionTransformer, mean: Tensor, std: Tensor) -> dict[str, Tensor]:
    """What a file of weights holds: the network and the usual numbers of its tokens, in half precision."""
    return {name: tensor.half() for name, tensor in network.state_dict().items()} | {
        "mean": mean, "std": std,
    }  # fmt: skip


def intervals(
    motion: Motion, actions: Sequence[str] = SMALL_ACTIONS, rules: IntervalRules | None = None
) -> list[ActionInterval]:
    """What everybody does when, by person and time, of a motion that `ActionTeller.tell` has told of.

    Raises ``ChorosError`` of a motion without scores.
    """
    if EXTRA not in motion.extras:
        raise ChorosError("this motion says nothing of actions; run `choros actions` on it first.")
    rules = rules or IntervalRules()
    found = []
    step_s = float(1 / motion.fps) if motion.fps else 0.04
    for person in motion.people:
        scores = person.extras[EXTRA]
        for number, action in enumerate(actions):
            for start, end in _spells(scores[:, number] >= rules.sure, person.pts_s, rules.joined_s):
                lasts = float(person.pts_s[end] - person.pts_s[start]) + step_s
                if lasts >= rules.shortest_s:
                    mean = float(scores[start : end + 1, number].mean())
                    begin = float(person.pts_s[start])
                    found.append(ActionInterval(person.id, action, begin, begin + lasts, mean))
    return sorted(found, key=lambda one: (one.person, one.start_s, one.action))


def _spells(
    where: NDArray[np.bool_], times_s: NDArray[np.float64], joined_s: float
) -> list[tuple[int, int]]:
    """First and last number of each spell; those with a break shorter than ``joined_s`` are one."""
    there = np.flatnonzero(where)
    if not len(there):
        return []
    breaks = np.flatnonzero(np.diff(times_s[there]) > joined_s)
    return [(int(part[0]), int(part[-1])) for part in np.split(there, breaks + 1)]

