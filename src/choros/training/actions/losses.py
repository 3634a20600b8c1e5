"""The losses of the network that tells actions (LART's authors' code, `losses.py`)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from choros.fourdhumans.actions.network import ActionAnswers
from choros.training.actions.recipe import ActionRecipe


class ActionTruth(NamedTuple):
    """What is known of B windows of T frames and P people."""

    labels: Tensor  # (B, T, P, actions) 0 to 1
    labelled: Tensor  # (B, T, P, actions) bool, of which it is known whether they are done
    detected: Tensor  # (B, T, P) bool
    rotations: Tensor | None = (
        None  # (B, T, P, 24, 3, 3), for losses of a network that tells poses; as the next
    )
    betas: Tensor | None = None  # (B, T, P, 10)
    place: Tensor | None = None  # (B, T, P, 3) as in the tracklets: x, y, z / 200


def action_losses(
    answers: ActionAnswers, truth: ActionTruth, recipe: ActionRecipe
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum and its terms: actions of all labelled tokens, hidden ones too; poses of all detected."""
    counted = truth.labelled & truth.detected[..., None]
    said, labels = answers.actions[counted].float(), truth.labels[counted]
    terms = {
        "actions": binary_cross_entropy_with_logits(said, labels) if len(said) else answers.actions.sum() * 0
    }
    n = truth.detected.sum()
    if recipe.pose and answers.body is not None and truth.rotations is not None and truth.betas is not None:
        turned = (answers.body.rotations - truth.rotations).square().sum((-1, -2, -3))
        shaped = (answers.body.betas - truth.betas).square().sum(-1)
        terms["pose"] = ((turned + shaped) * truth.detected).sum() / (n + 1)
    if recipe.place and answers.place is not None and truth.place is not None:
        terms["place"] = (answers.place - truth.place)[truth.detected].abs().sum() / (n + 1)
    weights = {"actions": recipe.actions, "pose": recipe.pose, "place": recipe.place}
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum(), terms
