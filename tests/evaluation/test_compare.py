"""A prediction made from the truth by known changes gets the scores that those changes deserve."""

from fractions import Fraction

import numpy as np
import pytest

from choros.body import BodyModel, BodyParams
from choros.errors import ChorosError
from choros.evaluation.compare import evaluate_motion
from choros.motion import FRAME, ROW, Header, Motion

from .truths import standing

FRAMES, PEOPLE = 12, 3


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(detail="light")


@pytest.fixture
def truth() -> Motion:
    """Three people side by side; person 2 is hidden in frames 4 to 7."""
    rng = np.random.default_rng(0)
    frames = np.zeros(FRAMES, FRAME)
    frames["number"] = np.arange(FRAMES)
    frames["pts"] = [(i, 25) for i in range(FRAMES)]
    frames["T_world_camera"] = np.eye(4)
    frames["K"] = [[800, 0, 320], [0, 800, 240], [0, 0, 1]]
    rows = np.zeros(FRAMES * PEOPLE, ROW)
    rows["frame"], rows["person"] = np.divmod(np.arange(len(rows)), PEOPLE)
    rows["person"] += 1
    rows["global_orient"] = (np.pi, 0, 0)
    rows["body_pose"] = rng.normal(scale=0.2, size=(len(rows), 69))
    rows["transl"] = rows["person"][:, None] * (1.0, 0, 0) + (-2, 0, 5)
    rows["confidence"] = 1
    rows["visible"] = ~((rows["person"] == 2) & (rows["frame"] >= 4) & (rows["frame"] < 8))
    left = 200 * rows["person"] - 150
    rows["box_px"] = np.stack([left, 0 * left + 100, left + 90, 0 * left + 400], axis=-1)
    rows["keypoints_px"][..., :2] = left[:, None, None] + rng.uniform(0, 90, size=(1, 17, 2))
    rows["keypoints_px"][..., 2] = 1
    return Motion(Header(Fraction(25), 640, 480), frames, rows)


def changed(motion: Motion, rows) -> Motion:
    order = np.lexsort((rows["person"], rows["frame"]))
    return Motion(motion.header, motion.frames, rows[order])


def test_the_truth_itself_is_perfect(truth, body):
    scores = evaluate_motion(truth, truth, body)
    ones = ("MOTA", "IDF1", "IDP", "HOTA", "MOTA_oks", "IDF1_oks", "HOTA_oks", "MOTP_oks")
    for name in (*ones, "recall_visible", "recall_occluded", "pck3d_100"):
        assert scores[name] == pytest.approx(1), name
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "pve_mm", "mpjpe_occluded_mm", "root_error_mm", "accel_mm_s2"):
        assert scores[name] == pytest.approx(0, abs=1e-3), name
    assert scores["id_switches"] == scores["id_switches_oks"] == 0


def test_lost_behind_an_occluder_and_found_under_a_new_name(truth, body):
    """Person 2 is missing in 4 of 36 places, then called 9: 4 misses, 1 switch. 4 of 4 hidden ones lost."""
    rows = truth.rows[truth.visible].copy()
    rows["person"][(rows["person"] == 2) & (rows["frame"] >= 8)] = 9
    scores = evaluate_motion(truth, changed(truth, rows), body)
    assert scores["MOTA"] == pytest.approx(1 - (4 + 1) / 36)
    assert scores["IDF1"] == pytest.approx(2 * (12 + 12 + 4) / (36 + 32))
    assert (scores["recall_visible"], scores["recall_occluded"]) == (1, 0)
    assert scores["mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert np.isnan(scores["mpjpe_occluded_mm"])


def test_errors_of_seen_and_hidden_people_apart(truth, body):
    """The hidden person's pose is lost (zero pose); the other poses are exact, all 30 cm too far away."""
    import torch

    rows = truth.rows.copy()
    hidden = ~rows["visible"]
    rows["body_pose"][hidden] = 0
    rows["transl"][:, 2] += 0.3
    scores = evaluate_motion(truth, changed(truth, rows), body)

    def joints(rows):
        fields = ("global_orient", "body_pose", "betas", "transl", "kid")
        points = body.joints(BodyParams(*(torch.tensor(rows[name].copy()) for name in fields))).numpy()
        return points - points[:, :1]

    expected = np.linalg.norm(joints(rows[hidden]) - joints(truth.rows[hidden]), axis=-1).mean() * 1000
    assert expected > 20
    assert scores["mpjpe_occluded_mm"] == pytest.approx(expected, rel=1e-4)
    assert scores["mpjpe_visible_mm"] == pytest.approx(0, abs=1e-3)
    assert scores["mpjpe_mm"] == pytest.approx(expected * 4 / 36, rel=1e-4)
    assert scores["root_error_mm"] == pytest.approx(300, rel=1e-4)


def test_what_is_predicted_after_the_last_sight_is_nobody_s_fault(truth, body):
    rows = truth.rows.copy()
    rows["visible"] = True
    rows["visible"][(rows["person"] == 3) & (rows["frame"] >= 10)] = False
    true_rows = truth.rows[~((truth.row_person == 3) & (truth.row_frame >= 10))]
    assert evaluate_motion(changed(truth, true_rows), changed(truth, rows), body)["MOTA"] == 1


def test_people_outside_the_image_are_not_asked_for(truth, body):
    rows = truth.rows.copy()
    rows["box_px"][rows["person"] == 3] += (1000, 0, 1000, 0)
    left = changed(truth, rows[rows["person"] != 3])
    assert evaluate_motion(changed(truth, rows), left, body)["MOTA"] == 1


def test_nobody_on_either_side(truth, body):
    nobody = changed(truth, truth.rows[:0])
    scores = evaluate_motion(truth, nobody, body)
    assert scores["MOTA"] == scores["HOTA"] == scores["recall_visible"] == 0
    assert np.isnan(scores["mpjpe_mm"])
    assert evaluate_motion(nobody, truth, body)["false_positives"] == 36
    assert np.isnan(evaluate_motion(nobody, nobody, body)["mpjpe_mm"])


def test_motions_of_different_videos_are_refused(truth, body):
    with pytest.raises(ChorosError, match="12 frames and the prediction 5"):
        evaluate_motion(truth, truth[:5], body)


def test_nothing_is_measured_over_a_cut(body):
    """Everybody is turned by a wrong angle, another one in each shot: that is no acceleration."""
    truth = standing(2, body)
    rows = truth.rows.copy()
    rows["global_orient"][rows["frame"] >= 8] += np.float32([0, 0.5, 0])
    jumps = changed(truth, rows)
    cut = Motion(jumps.header, jumps.frames.copy(), rows)
    cut.frames["cut_before"][8] = True
    without, within = (evaluate_motion(truth, motion, body)["accel_mm_s2"] for motion in (jumps, cut))
    assert within < 1
    assert without > 100
