"""Samples: laziness, the way to COCO-17, and SMPL parameters under a change of axes."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel, BodyParams
from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, SmplPose, rigid, to_coco17
from choros.errors import ChorosError
from choros.skeleton import COCO17, MPII16

HERE = Official("a set", "somewhere.org", "CC0")


def test_samples_are_built_when_asked_for(tmp_path):
    built = []

    def build(index: int) -> Sample:
        built.append(index)
        return Sample(frame=index)

    samples = HERE.samples(tmp_path / "index.json", 10, build)
    assert (len(samples), samples.name, built) == (10, "index", [])
    part = samples[2:8:3]
    assert (len(part), built) == (2, [])
    assert (part[-1].frame, samples[-1].frame, built) == (5, 9, [5, 9])
    assert [sample.frame for sample in part] == [2, 5]
    with pytest.raises(IndexError):
        samples[10]


def test_errors_name_file_and_place(tmp_path):
    def build(index: int) -> Sample:
        raise KeyError("bbox")

    with pytest.raises(ChorosError, match=r"labels\.json: .*lacks 'bbox'.*a set again from somewhere\.org"):
        HERE.samples(tmp_path / "labels.json", 1, build)[0]
    with pytest.raises(ChorosError, match=r"gone\.json: no such file; a set comes from somewhere\.org"):
        HERE.json(tmp_path / "gone.json")


def test_to_coco17_goes_by_name():
    points = np.column_stack([np.arange(16), np.arange(16) + 100, np.ones(16)])
    coco = to_coco17(PersonLabel(keypoints_px=points, keypoint_names=MPII16))
    np.testing.assert_array_equal(coco[COCO17.index("left_wrist")], points[MPII16.index("left_wrist")])
    np.testing.assert_array_equal(coco[:5], 0)  # MPII has no face
    assert coco[:, 2].sum() == 12
    np.testing.assert_array_equal(to_coco17(PersonLabel()), np.zeros((17, 3)))


def test_of_two_points_of_a_name_the_surer_counts():
    points = np.array([[1, 1, 0.2], [2, 2, 0.9], [3, 3, 0.5]])
    coco = to_coco17(PersonLabel(keypoints_px=points, keypoint_names=("nose",) * 3))
    np.testing.assert_array_equal(coco[0], points[1])


def test_moved_smpl_moves_the_joints():
    """The parameters in new axes pose a body whose joints are the old ones in new axes."""
    body = BodyModel.load(dtype=torch.float64)
    rng = np.random.default_rng(0)
    pose = SmplPose(rng.normal(size=3), 0.3 * rng.normal(size=69), rng.normal(size=10), rng.normal(size=3))
    T = rigid(Rotation.random(random_state=1).as_matrix(), rng.normal(size=3))

    def joints(p: SmplPose) -> np.ndarray:
        parts = (p.global_orient, p.body_pose, p.betas, p.transl)
        return body.joints(BodyParams(*(torch.as_tensor(x) for x in parts))).numpy()

    before = joints(pose)
    np.testing.assert_allclose(joints(pose.moved(T, before[0])), before @ T[:3, :3].T + T[:3, 3], atol=1e-9)
