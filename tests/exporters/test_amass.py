"""AMASS's npz: bodies posed by its numbers stand where the motion has them."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyParams
from choros.datasets.amass import read_amass
from choros.errors import ChorosError
from choros.exporters import ExportOptions
from choros.exporters.amass import write_amass
from tests.exporters.twin import BODY, in_world, of_one_shape, points
from tests.exporters.walkers import FPS, THERE, UNSEEN, walkers


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


def load(file):
    with np.load(file) as content:
        return dict(content)


def test_frames_and_rate_are_told(tmp_path):
    """Person 5 is away for a while: the samples go on, and say that nobody was seen."""
    motion = walkers()
    content = load(write_amass(motion, tmp_path / "m.npz", ExportOptions(people=(5,), body=BODY))[0])
    n = THERE[5][-1] + 1
    assert content["frames"].tolist() == list(THERE[5])
    np.testing.assert_allclose(content["times_s"], 2 + np.arange(n) / FPS)
    seen = sorted(set(THERE[5]) - set(UNSEEN[5]))
    assert np.flatnonzero(content["visible"]).tolist() == seen
    assert content["mocap_framerate"] == content["mocap_frame_rate"] == FPS
    assert content["poses"].shape == (n, 156)
    assert content["betas"].shape == (16,)
    assert content["gender"] == "neutral"


def test_uneven_frames_become_samples_of_the_rate_at_the_right_times(tmp_path):
    """A screen recording: 12 frames at 25/s, then 5/s, and somebody who walks at a constant speed throughout."""
    motion = walkers().select([1])
    steps = np.r_[np.arange(12), 11 + 5 * np.arange(1, 19)]
    motion.frames["pts"] = np.stack([50 + steps, np.full(len(steps), FPS)], axis=1)
    motion.rows["transl"] = np.outer(steps / FPS, [1.0, 0, 0]) + np.array([0, 0, 4])
    motion.rows["betas"], motion.rows["kid"] = 0, 0
    motion.rows["global_orient"], motion.rows["body_pose"] = np.outer(0.3 * steps / FPS, [0, 1, 0]), 0
    for content in (
        load(write_amass(motion, tmp_path / "m.npz", ExportOptions(body=BODY))[0]),
        motion.to_amass(1),
    ):
        n = steps[-1] + 1
        assert content["poses"].shape == (n, 156)
        np.testing.assert_allclose(content["times_s"], 2 + np.arange(n) / float(content["mocap_framerate"]))
        np.testing.assert_allclose(
            content["trans"][:, 0] - content["trans"][0, 0], np.arange(n) / FPS, atol=1e-4
        )
        turned = (
            Rotation.from_rotvec(content["poses"][:, :3])
            * Rotation.from_rotvec(content["poses"][0, :3]).inv()
        )
        np.testing.assert_allclose(turned.magnitude(), 0.3 * np.arange(n) / FPS, atol=1e-6)
        assert content["visible"].all()  # nothing was lost
        assert content["frames"].tolist() == list(range(30))


def test_each_shot_is_a_file(tmp_path):
    motion = of_one_shape(walkers())
    motion.frames["cut_before"][10] = True
    files = write_amass(motion, tmp_path / "m.npz", ExportOptions(people=(1, 5), body=BODY))
    ends = {1: [(0, 10), (10, 30)], 5: [(0, 10), (16, 24)]}
    assert [file.name for file in files] == [
        f"m_person_{person}_from_{start}.npz" for person in (1, 5) for start, _ in ends[person]
    ]
    for file, (start, end) in zip(files, ends[1] + ends[5], strict=True):
        content = load(file)
        assert len(content["poses"]) == len(content["frames"]) == end - start
        np.testing.assert_allclose(content["times_s"], 2 + np.arange(start, end) / FPS)
        assert content["frames"].tolist() == list(range(start, end))
    with pytest.raises(ChorosError, match=r"person 5 is in several shots of walkers\.mp4"):
        motion.to_amass(5)
    assert len(motion.shots()[1].to_amass(5)["poses"]) == 8
