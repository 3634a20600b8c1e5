"""AVA's figures from tracklets, a table and a network: of one that knows all, and of one that knows nobody."""

import numpy as np
import pytest
import torch

from choros.errors import ChorosError
from choros.evaluation import ava_actions
from choros.evaluation.ava_actions import ava_action_map
from choros.evaluation.metrics.actions import SCORED_ACTIONS
from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import ActionTransformer
from tests.training.actions.test_task import MEAN, STD, TINY, write

TABLE = """film,0905,0.0,0.0,0.5,0.5,12,0
film,0905,0.0,0.0,0.5,0.5,80,0
film,0905,0.5,0.5,1.0,1.0,12,1
film,0906,0.0,0.0,0.5,0.5,12,0
"""
BOXES = {0: (0, 0, 200, 150), 1: (200, 150, 200, 150)}  # x, y, width, height of 400 x 300 px


@pytest.fixture
def ava(tmp_path):
    (tmp_path / "ava_val_v2.2.csv").write_text(TABLE)
    folder = tmp_path / "tracklets"
    folder.mkdir()
    for person, box in BOXES.items():
        write(folder, person, first=140, frames=20, seed=person, box=box)
    return folder, tmp_path / "ava_val_v2.2.csv"


def scores_of(*done):
    scores = torch.full((20, 60), 0.1)
    for action, score in done:
        scores[:, SCORED_ACTIONS.index(action)] = score
    return scores


def test_one_that_knows_what_people_do(ava, monkeypatch):
    """Standing (12) at two instants and by three people, of whom nobody has a tracklet at the second: AP 2/3."""
    said = {0: scores_of((12, 0.9), (80, 0.8)), 1: scores_of((12, 0.7))}

    def known(network, person, others, mean, std):
        assert len(others) == 1
        return said[int(person.box_px[0, 0] > 0)]

    monkeypatch.setattr(ava_actions, "action_scores", known)
    network = ActionTransformer(TINY)
    found = ava_action_map(network, *ava, MEAN, STD, capacity=0)
    assert found["mAP"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["mAP_person_movement"] == pytest.approx(2 / 3)
    assert found["mAP_person_interaction"] == 1
    assert np.isnan(found["mAP_object_manipulation"])
    excluded = ava[1].with_name("excluded.csv")
    excluded.write_text("film,0906\n")
    assert ava_action_map(network, *ava, MEAN, STD, excluded, capacity=0)["mAP"] == 1
    assert ava_action_map(network, *ava, MEAN, STD, excluded, capacity=2)["mAP"] == pytest.approx(
        (0.5 + 1) / 2
    )


def test_a_network_of_ours_runs_through(ava):
    torch.manual_seed(0)
    found = ava_action_map(ActionTransformer(TINY), *ava, MEAN, STD, capacity=0)
    assert 0 < found["mAP"] <= 1


def test_nobody_in_sight_is_no_error(ava, monkeypatch):
    monkeypatch.setattr(ava_actions, "rows_at", lambda *_: None)
    assert ava_action_map(ActionTransformer(TINY), *ava, MEAN, STD)["mAP"] == 0


def test_other_actions_are_refused(ava):
    network = ActionTransformer(ActionConfig(**{**TINY.__dict__, "actions": 14}))
    with pytest.raises(ChorosError, match="tells 14 actions"):
        ava_action_map(network, *ava, MEAN, STD)
