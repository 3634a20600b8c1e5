"""Where runs put their files, and what is drawn of them."""

from pathlib import Path

import numpy as np
import pytest

from choros.mesh.colours import colour_of
from choros.training.run_files import RunFiles
from choros.training.sheets import ANSWER, APART_M, TRUTH, passing, side_by_side
from tests.training.captured import open_body_rest


def test_a_name_of_weights_has_the_rest_beside_it_and_any_other_is_a_folder(tmp_path):
    files = RunFiles.of(Path("a/mine.safetensors"))
    assert files.weights == Path("a/mine.safetensors")
    assert files.checkpoint == Path("a/mine.safetensors.checkpoint")
    assert files.log == Path("a/mine.safetensors.jsonl")
    assert files.sheet(250) == Path("a/mine.safetensors.samples/0000250.png")
    files = RunFiles.of(Path("run"))
    assert files.weights == Path("run/weights.safetensors")
    assert files.checkpoint == Path("run/checkpoint.safetensors")
    assert (files.log, files.begun) == (Path("run/log.jsonl"), Path("run/run.json"))
    (tmp_path / "older").touch()  # weights that once had no suffix
    assert RunFiles.of(tmp_path / "older").log == tmp_path / "older.jsonl"


def standing(n, height_m=0.95):
    rest = open_body_rest()[0]
    joints = (rest - rest[0]) @ np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]]).T
    return np.repeat(joints[None], n, 0) + np.array([0, 0, height_m])


def test_moments_pass_by_from_the_left():
    walked = standing(4) + np.array([[2.0, 5.0, 0], [3, 4, 0.1], [4, 4, 0], [9, 4, 0]])[:, None]
    moments = passing(walked)
    np.testing.assert_allclose(np.diff(moments[:, 0, 0]), -APART_M)  # the viewer, before +y, has -x right
    np.testing.assert_allclose(moments[:, 0, :2].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(moments[:, 0, 2], walked[:, 0, 2])
    np.testing.assert_allclose(moments[1] - moments[1, :1], walked[1] - walked[1, :1])


@pytest.mark.parametrize("lift_m", [0.0, 0.4])
def test_truth_and_answer_are_seen_from_the_same_place(lift_m):
    truth = passing(standing(5))
    pictures = side_by_side(truth, truth + np.array([0, 0, lift_m]))
    rows = []
    for picture, person in zip(pictures, (TRUTH, ANSWER), strict=True):
        y, x = np.nonzero((np.abs(picture.astype(int) - colour_of(person)) < 12).all(-1))
        assert len(y) > 200
        assert x.min() > 10 and x.max() < picture.shape[1] - 10  # noqa: PT018 - everybody is in it
        rows.append(y.mean())
    assert (rows[0] - rows[1] > 5) == (lift_m > 0)
