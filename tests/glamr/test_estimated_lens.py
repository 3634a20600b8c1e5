"""A motion whose lens was assumed, before the world: which lens it gets, what its header tells, and what stays."""

from dataclasses import replace

import numpy as np
import pytest

from choros.body import BodyModel
from choros.body.posed import Skeleton
from choros.camera import project
from choros.editing.measures import with_K
from choros.glamr.estimated_lens import Lens, lens_of, sentence_on_lens, with_lens
from choros.glamr.focal_from_people import FocalEstimate, FocalRules
from choros.glamr.into_world import world
from choros.glamr.person_trajectories import as_seen_in, trajectories_of_shots
from choros.motion import Header, Motion

from .walkers import Held, Known, camera_path, seen_motion, walkers

FOUND = Lens(FocalEstimate(1.25, 0.08, 0.1, 1.6, 5), better=True)
DOUBTFUL = Lens(FocalEstimate(1.25, 0.33, 0.1, 1.6, 5), better=False)


@pytest.fixture
def motion():
    """Two who walk in circles, before a lens that was assumed."""
    made = seen_motion(walkers(60), camera_path(60))
    return replace(made, header=made.header.told(K_source="assumed"))


def _world(motion, monkeypatch, **options):
    """As `choros.world` hands the motion on to the world's stage, with a lens that is found."""
    monkeypatch.setattr("choros.glamr.estimated_lens.lens_of", lambda *_, **__: FOUND)
    monkeypatch.setattr("choros.glamr.pipeline.world_of", lambda motion, *_, **__: motion)
    return world(motion, **options)


def test_walkers_tell_the_lens():
    """Perfect bodies as seen with a lens 1.4 times too long; the spread is as wide as people stray in general."""
    T = walkers(90, people=3)
    true = seen_motion(T, camera_path(90))
    K = true.K[0].copy()
    K[:2, :2] *= [[1.4, 1], [1, 1.4]]
    said = with_K(true, K)
    lens = lens_of(said, trajectories_of_shots(said, BodyModel.load(), Held(), Known(T)))
    assert lens.better
    assert lens.estimate.n_people == 3
    assert abs(np.log(lens.estimate.times * 1.4)) < lens.estimate.spread < 0.7 * FocalRules().log_focal
    assert lens.estimate.tilt_rad == pytest.approx(0.1, abs=0.03)


def test_another_lens_moves_people_before_the_camera_and_leaves_the_rest():
    T = walkers(60, people=2)
    motion, body = seen_motion(T, camera_path(60), hidden=[(0, 20, 30)]), BodyModel.load()
    before = trajectories_of_shots(motion, body, Held(), Known(T), smooth_s=0.07)
    longer = with_lens(motion, FOUND)
    for one, anew in zip(
        as_seen_in(longer, before[0], body),
        trajectories_of_shots(longer, body, Held(), Known(T), smooth_s=0.07)[0],
        strict=True,
    ):
        np.testing.assert_array_equal(one.R_camera_root, anew.R_camera_root)
        np.testing.assert_array_equal(one.root_cam_m, anew.root_cam_m)
        np.testing.assert_array_equal(one.body_rotations, anew.body_rotations)
        np.testing.assert_array_equal(one.path_m, anew.path_m)
        np.testing.assert_array_equal(one.row, anew.row)
    assert (before[0][0].root_cam_m != one.root_cam_m).any()


class Counted(Known):
    """A predictor that counts how often it is asked."""

    asked = 0

    def to(self, device):
        return self

    def predict_all(self, people):
        self.asked += 1
        return super().predict_all(people)


class HeldThere(Held):
    def to(self, device):
        return self


@pytest.mark.parametrize(("seed", "asked"), [(0, 1), (1, 2)])
def test_gaps_and_paths_are_said_once_for_lens_and_world(motion, monkeypatch, seed, asked):
    """But for gaps that are drawn: the lens does not hang on them."""
    predictor = Counted(walkers(60))
    monkeypatch.setattr("choros.glamr.networks.load_predictor", lambda path: predictor)
    monkeypatch.setattr("choros.glamr.networks.load_infiller", lambda path: HeldThere())
    made = world(motion, camera="static", seed=seed)
    assert predictor.asked == asked
    alone = world(with_lens(motion, lens_of(motion, trajectories_of_shots(
        motion, BodyModel.load(), HeldThere(), predictor, smooth_s=0.07
    ))), camera="static", seed=seed)  # fmt: skip
    np.testing.assert_array_equal(made.rows, alone.rows)


def test_of_nobody_there_is_no_lens(motion):
    nobody = replace(motion, rows=motion.rows[:0])
    people = trajectories_of_shots(nobody, BodyModel.load(), Held(), Known(walkers(60)))
    assert lens_of(nobody, people) is None


def test_a_better_lens_is_taken_and_pictures_stay(motion):
    made = with_lens(motion, FOUND)
    np.testing.assert_allclose(made.K[:, 0, 0], 1.25 * motion.K[:, 0, 0])
    np.testing.assert_allclose(made.K[:, :2, 2], motion.K[:, :2, 2])
    pelvis = [Skeleton.of().joints(one.rows)[:, 0] for one in (motion, made)]
    np.testing.assert_allclose(project(pelvis[1], made.K[0]), project(pelvis[0], motion.K[0]), atol=0.01)
    np.testing.assert_allclose(pelvis[1][:, 2], 1.25 * pelvis[0][:, 2], rtol=1e-5)
    assert (made.header.K_source, made.header.focal_spread) == ("estimated", 0.08)
    assert "by people (focal length ± 8%)" in sentence_on_lens(made)


def test_with_too_little_evidence_the_assumption_stays_and_the_spread_says_so(motion):
    made = with_lens(motion, DOUBTFUL)
    np.testing.assert_array_equal(made.K, motion.K)
    np.testing.assert_array_equal(made.rows, motion.rows)
    assert (made.header.K_source, made.header.focal_spread) == ("assumed", 0.33)
    assert "is assumed" in sentence_on_lens(made)


def test_where_nobody_looked_nothing_is_said(motion):
    assert sentence_on_lens(motion) == ""
    assert motion.header.focal_spread is None


@pytest.mark.parametrize("source", ["given", "metadata", "estimated"])
def test_a_lens_that_is_known_is_never_changed(motion, source, monkeypatch):
    made = _world(replace(motion, header=motion.header.told(K_source=source)), monkeypatch)
    np.testing.assert_array_equal(made.K, motion.K)
    assert made.header.K_source == source


def test_an_assumed_one_is_and_can_be_kept(motion, monkeypatch):
    made = _world(motion, monkeypatch)
    np.testing.assert_allclose(made.K[:, 0, 0], 1.25 * motion.K[:, 0, 0])
    assert made.header.K_source == "estimated"
    kept = _world(motion, monkeypatch, focal_from="assumed")
    np.testing.assert_array_equal(kept.K, motion.K)
    assert kept.header.K_source == "assumed"


def test_headers_keep_where_k_is_from(motion, tmp_path):
    made = with_lens(motion, FOUND)
    made.save(tmp_path / "motion.npz")
    read = Motion.load(tmp_path / "motion.npz").header
    assert (read.K_source, read.focal_spread) == ("estimated", 0.08)


@pytest.mark.parametrize(
    ("provenance", "source"),
    [
        ({}, "given"),  # nobody says where it is from: not to be touched
        ({"K": [[1.0]]}, "given"),
        ({"K": [[1.0]], "options": {}}, "assumed"),
        ({"options": {"fov_deg": 60.0}}, "given"),
        ({"options": {"start_s": 1.0}}, "assumed"),
        ({"options": {}, "calibration": {"camera": "a"}}, "given"),
        ({"options": {}, "K_source": "metadata"}, "metadata"),
    ],
)
def test_headers_from_before_say_it_by_their_options(motion, provenance, source):
    assert replace(motion.header, provenance=provenance).K_source == source
    assert Header.from_json(replace(motion.header, provenance=provenance).to_json()).K_source == source
