"""AMASS's npz: bodies posed by its numbers stand where the motion has them."""

import numpy as np
import pytest
import torch

from choros.body import BodyParams
from choros.datasets.amass import read_amass
from choros.export import ExportOptions
from choros.export.amass import write_amass
from tests.export.twin import BODY, in_world, of_one_shape, points
from tests.export.walkers import FPS, THERE, UNSEEN, walkers


@pytest.mark.parametrize("space", ["camera", "world"])
def test_poses_come_back(space, tmp_path):
    motion = of_one_shape(walkers())
    files = write_amass(motion, tmp_path / "m.npz", ExportOptions(space=space, body=BODY))
    assert [file.name for file in files] == ["m_person_1.npz", "m_person_2.npz", "m_person_5.npz"]
    for person, file in zip((1, 2), files, strict=False):  # AMASS has no children, as person 5 is
        samples = read_amass(file)
        poses = [sample.people[0].smpl for sample in samples]
        columns = [np.stack([getattr(pose, name) for pose in poses]) for name in BodyParams._fields[:4]]
        said = BODY.joints(BodyParams(*(torch.tensor(column, dtype=torch.float32) for column in columns)))
        true = points(motion, person)
        if space == "world":
            true = in_world(motion, person, true)
        else:
            true = np.stack([true[..., 0], true[..., 2], -true[..., 1]], axis=-1)
        np.testing.assert_allclose(said, true, atol=1e-5)
        assert samples[1].time_s == pytest.approx(1 / FPS)


def test_frames_and_rate_are_told(tmp_path):
    file = write_amass(walkers(), tmp_path / "m.npz", ExportOptions(people=(5,), body=BODY))[0]
    with np.load(file) as content:
        assert content["frames"].tolist() == list(THERE[5])
        assert content["frames"][~content["visible"]].tolist() == list(UNSEEN[5])
        assert content["mocap_framerate"] == content["mocap_frame_rate"] == FPS
        assert content["poses"].shape == (len(THERE[5]), 156)
        assert content["betas"].shape == (16,)
        assert content["gender"] == "neutral"
