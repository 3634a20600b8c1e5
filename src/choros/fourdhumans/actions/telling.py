"""What everybody in a motion does: scores of actions in every row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from choros import weights
from choros.errors import ChorosError
from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import SYSTEM, ActionTransformer
from choros.fourdhumans.actions.people import people_of
from choros.fourdhumans.actions.windows import action_scores
from choros.motion import Motion
from choros.motion.actions import with_actions


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
            self.network = ActionTransformer(ActionConfig(**metadata["config"])).eval().requires_grad_(False)
            self.network.load_state_dict(tensors)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ChorosError(
                f"{path} does not fit this version of the network of actions; train it anew."
            ) from error

    def tell(self, motion: Motion) -> Motion:
        """The motion with a score of each of `actions` in every row; see `choros.motion.actions`."""
        parts = [self._scores(shot) for shot in motion.shots()]
        none = np.zeros((0, len(self.actions)), np.float32)
        return with_actions(motion, self.actions, np.concatenate([none, *parts]))

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
    """What a file of weights holds: the network in half precision, mean and spread of its tokens."""
    return {name: tensor.half() for name, tensor in network.state_dict().items()} | {"mean": mean, "std": std}
