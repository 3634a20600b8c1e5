"""Made-up crowds as a set: who and what of them is taught."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from choros.skeleton import COCO17
from choros.training.keypoints import made_up


@pytest.fixture
def asked(monkeypatch):
    """Scenes of three people in place of rendered ones: one seen, one hidden, one cut off; and what was asked for."""
    configs = []

    def scene(kind, seed, config):
        configs.append(config)
        keypoints = np.ones((3, 3, 17, 3))
        keypoints[..., :2] = 50
        keypoints[:, 0, 9, 2] = 0  # a hidden wrist
        keypoints[:, 2, 3:, 0] = -5
        boxes = np.tile([10.0, 10, 90, 200], (3, 3, 1))
        seen = np.tile([1.0, 0.1, 1.0], (3, 1))
        truth = SimpleNamespace(box_px=boxes, visible_fraction=seen, keypoints_px=keypoints)
        return SimpleNamespace(arrays=truth, frame=lambda number: np.full((4, 4, 3), number, np.uint8))

    monkeypatch.setattr(made_up, "make_scene", scene)
    return configs


def test_only_what_is_seen_is_taught(asked):
    pictures = list(made_up.made_up(4, seed=1))
    assert [int(shown.image[0, 0, 0]) for shown in pictures] == [0, 1, 2, 0]
    for shown in pictures:
        (points,) = shown.labels.keypoints_px
        taught = {COCO17[joint] for joint in np.flatnonzero(points[:, 2])}
        assert "left_wrist" not in taught
        assert {"nose", "right_wrist", "left_knee"} <= taught
        assert not any(name.endswith(("hip", "eye", "ear")) for name in taught)


def test_crowds_act_out_motion_capture_that_is_given(asked):
    list(made_up.made_up(4, 1, Path("acts")))
    list(made_up.made_up(1, 1))
    assert [config.mocap for config in asked] == [Path("acts"), Path("acts"), None]
