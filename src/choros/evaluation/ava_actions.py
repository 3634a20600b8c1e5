"""How well a network tells AVA's actions from tracklets of its films: mean average precision over its instants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from choros.datasets.ava import read_ava
from choros.datasets.tracklets import read_tracklet, tracklet_name, tracklets_of
from choros.errors import ChorosError
from choros.evaluation.metrics.actions import (
    SCORED_ACTIONS,
    action_average_precisions,
    action_map,
    officially_counted,
)
from choros.fourdhumans.actions.ava import rows_at
from choros.fourdhumans.actions.network import ActionTransformer
from choros.fourdhumans.actions.windows import action_scores


def ava_action_map(
    network: ActionTransformer,
    tracklets: Path,
    table: Path,
    mean: Tensor,
    std: Tensor,
    excluded: Path | None = None,
    capacity: int = 50,
) -> dict[str, float]:
    """``mAP`` over the 60 scored actions and those of each group, of a folder of AVA's tracklets.

    Args:
        network: tells those 60.
        tracklets: LART's, of the films of the table.
        table: ``ava_val_v2.2.csv``.
        mean: of poses, as is ``std``: `choros.fourdhumans.phalp_predictor.read_mean_std`.
        std: of poses.
        excluded: the table of instants to leave out, which LART's authors do not use.
        capacity: rows of each instant that count, as in ActivityNet's program; 0: all.

    Raises:
        ChorosError: a file is missing or damaged, or the network tells other actions.
    """
    if network.config.actions != len(SCORED_ACTIONS):
        raise ChorosError(
            f"The network tells {network.config.actions} actions, not AVA's {len(SCORED_ACTIONS)} scored ones; "
            "give one that does."
        )
    samples = read_ava(table, excluded)
    numbers = {(sample.sequence, round(sample.time_s or 0)): k for k, sample in enumerate(samples)}
    truth = [
        (k, person.box_px, action)
        for k, sample in enumerate(samples)
        for person in sample.people
        for action in person.actions
    ]
    said = []
    for paths in tracklets_of(tracklets).values():
        people = [read_tracklet(path) for path in paths]
        for number, (path, person) in enumerate(zip(paths, people, strict=True)):
            others = people[:number] + people[number + 1 :]
            name = tracklet_name(path)
            scores = action_scores(network, person, others, mean, std).numpy()
            rows = rows_at(person, scores, name.instant)
            k = None if rows is None else numbers.get((name.film, rows.second))
            if rows is not None and k is not None:
                told = zip(SCORED_ACTIONS, rows.scores, strict=True)
                said += [(k, rows.box, action, score) for action, score in told]
    frame, box, action, score = _columns(said, 4)
    counted = officially_counted(range(len(samples)), frame, action, score, capacity=capacity)
    true_frame, true_box, true_action = _columns(truth, 3)
    found = action_average_precisions(
        true_frame, true_box, true_action, frame[counted], box[counted], action[counted], score[counted]
    )
    return action_map(found)


def _columns(rows: Sequence[tuple], count: int) -> list[np.ndarray]:
    return (
        [np.array(column) for column in zip(*rows, strict=True)]
        if rows
        else [np.zeros((0, 4)) if k == 1 else np.zeros(0) for k in range(count)]
    )
