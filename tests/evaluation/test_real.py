"""The bench of real footage on answers that are known: the truth itself, shifted, scaled, or nobody at all."""

import json
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.camera import intrinsics
from choros.cli.main import main
from choros.detection import Detections, PersonFinder
from choros.errors import ChorosError
from choros.evaluation.bodies import keypoints_m
from choros.evaluation.real import clips, fixtures, footage, pictures, pictures3d, pose2sim
from choros.evaluation.real.people import Answer, answer, likeness_to, match, relative_errors, share_within
from choros.evaluation.real.remembered import Memory
from choros.evaluation.real.result import Result, ResultPicture, mean_of
from choros.evaluation.real.run import ROWS, run_real
from choros.evaluation.real.sheets import write_sheets
from choros.evaluation.real.table import tables
from choros.evaluation.real.watched import WatchedFootage
from choros.motion import ROW, FrameResult

from .truths import HEIGHT, WIDTH, standing

ASSETS = Path(__file__).parents[3] / "shared/assets"
real = pytest.mark.skipif(not (ASSETS / "real").is_dir(), reason="the footage is not here")


@pytest.fixture(scope="module")
def body():
    return BodyModel.load()


@pytest.fixture(scope="module")
def truth(body):
    return standing(2, body)


def nothing(*_):
    pass


# People of a picture -------------------------------------------------------------------------------


def test_the_truth_as_the_answer_is_right_everywhere(body, truth):
    rows, K = truth.in_frame(0), truth.K[0]
    shown = answer(rows, K, body)
    labelled = np.concatenate([shown.body_px, np.ones((2, 17, 1))], axis=-1)
    assert match(shown, rows["box_px"].astype(float), labelled).tolist() == [0, 1]
    assert match(shown.chosen([1, 0]), rows["box_px"].astype(float), labelled).tolist() == [1, 0]
    errors = relative_errors(shown.body_px, labelled, np.full(2, 60.0))
    assert errors.max() < 1e-9
    assert share_within(errors, 0.05) == 1
    np.testing.assert_allclose(shown.eyes_px, shown.body_px, atol=1e-3)  # these rows were made so
    np.testing.assert_allclose(likeness_to(shown.body_px, labelled, np.full(2, 900.0)), 1)


def test_a_shift_is_a_share_of_the_box():
    points, labelled = np.zeros((1, 3, 2)), np.zeros((1, 3, 3))
    labelled[0, :, 0], labelled[0, :, 2] = (4.9, 5.1, 50), (1, 1, 0)
    errors = relative_errors(points, labelled, np.array([100.0]))
    np.testing.assert_allclose(errors[0], [0.049, 0.051, np.nan])
    assert share_within(errors, 0.05) == 0.5
    assert np.isnan(share_within(errors[:, 2:], 0.05))


def test_whom_nobody_shows_is_wrong_in_all_labelled_keypoints():
    shown = Answer(np.zeros((0, 4)), np.zeros((0, 17, 2)), np.zeros((0, 17, 2))).chosen([-1])
    labelled = np.ones((1, 17, 3))
    labelled[0, :5, 2] = 0
    errors = relative_errors(shown.body_px, labelled, np.array([1e9]))
    assert np.isinf(errors[0, 5:]).all()
    assert np.isnan(errors[0, :5]).all()
    assert likeness_to(shown.body_px, labelled, np.array([100.0])) == 0
    labelled[..., 2] = 0
    assert np.isnan(likeness_to(shown.body_px, labelled, np.array([100.0]))).all()


def test_evidence_that_was_not_read_and_bodies_behind_the_camera_are_wrong(body, truth):
    rows = truth.in_frame(0).copy()
    rows["keypoints_px"][0, 3, 2] = 0
    rows["transl"][1, 2] = -5
    shown = answer(rows, truth.K[0], body)
    assert np.isinf(shown.eyes_px[0, 3]).all()
    assert np.isfinite(shown.eyes_px[0, 4]).all()
    assert np.isinf(shown.body_px[1]).all()


# Pose2Sim -------------------------------------------------------------------------------------------


def view(body_cam, truth_cam, K, lens=(0, 0, 0, 0)):
    px = pose2sim.distorted(body_cam, K, np.array(lens, float))
    true = pose2sim.distorted(truth_cam, K, np.array(lens, float))
    return pose2sim.ViewResult(
        np.arange(len(body_cam)), body_cam, px, px, truth_cam, true, len(body_cam) + 3, px[:, 0, [0, 1, 0, 1]]
    )


@pytest.fixture(scope="module")
def man():
    """Somebody who moves, (30, 17, 3) metres."""
    rng = np.random.default_rng(5)
    return (
        rng.normal(size=(1, 17, 3)) * 0.4 + np.cumsum(rng.normal(size=(30, 17, 3)) * 0.02, axis=0) + (0, 0, 5)
    )


def test_the_truth_has_no_error_and_its_own_angles(man):
    scores = view(man, man, intrinsics(640, 480)).scores()
    for key in ("mpjpe_mm", "pa_mpjpe_mm", "body_px", "eyes_px", "knee_rms_deg", "elbow_rms_deg"):
        assert scores[key] == pytest.approx(0, abs=1e-6)
    assert scores["knee_r"] == pytest.approx(1)
    assert scores["knee_p5_deg"] == scores["knee_true_p5_deg"]
    assert scores["missed"] == 3


def test_similarity_changes_neither_pa_mpjpe_nor_angles_and_a_shift_no_mpjpe(man):
    K, turn = intrinsics(640, 480), Rotation.from_euler("xyz", (0.3, 0.2, -0.4)).as_matrix()
    scores = view(1.3 * man @ turn.T + (0.1, 0.2, 1.5), man, K).scores()
    assert scores["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-6)
    assert scores["knee_rms_deg"] == pytest.approx(0, abs=1e-5)
    assert scores["mpjpe_mm"] > 50
    shifted = view(man + np.array([0.1, 0, 0]), man, K).scores()
    assert shifted["mpjpe_mm"] == pytest.approx(0, abs=1e-6)
    flat = man.copy()
    flat[..., 2] = 5
    assert view(flat + np.array([0.1, 0, 0]), flat, K).scores()["body_px"] == pytest.approx(0.1 * 640 / 5)


def test_a_view_without_the_man_has_missed_all_frames(man):
    empty = replace(view(man[:0], man[:0], intrinsics(640, 480)), asked=30)
    scores = empty.scores()
    assert scores["missed"] == 30
    assert np.isnan(scores["pa_mpjpe_mm"])
    assert mean_of([scores, view(man, man, intrinsics(640, 480)).scores()], ["body_px"])["body_px"] == 0


def test_the_lens_bends_as_opencv_says(man):
    K, lens = intrinsics(640, 480, focal_px=500), np.array([-0.2, 0.05, 0.003, -0.002])
    expected = cv2.projectPoints(man.reshape(-1, 3), np.zeros(3), np.zeros(3), K, lens)[0].reshape(30, 17, 2)
    np.testing.assert_allclose(pose2sim.distorted(man, K, lens), expected, atol=1e-6)


@pytest.mark.parametrize(("bend", "shin"), [(0, (0, -1, 0)), (90, (1, 0, 0)), (180, (0, 1, 0))])
def test_flexion_of_a_straight_a_bent_and_a_folded_knee(bend, shin):
    points = np.array([(0, 0, 0), (0, -1, 0), np.add((0, -1, 0), shin)], float)
    assert pose2sim.flexion_deg(points, (0, 1, 2)) == pytest.approx(bend)


def test_agreement_of_views_is_over_frames_that_both_have(man):
    one = view(man, man, intrinsics(640, 480))
    limbs = pose2sim.ANGLES["knee"]
    assert pose2sim.agreement_deg([one, one], limbs) == 0
    late = replace(one, frames=one.frames + 20)  # the same angles twenty frames later
    course = np.array([pose2sim.flexion_deg(man, limb) for limb in limbs])
    expected = np.sqrt(((course[:, 20:] - course[:, :10]) ** 2).mean())
    assert pose2sim.agreement_deg([one, late], limbs) == pytest.approx(expected)
    assert np.isnan(pose2sim.agreement_deg([one, replace(one, frames=one.frames + 100)], limbs))


def test_the_person_of_a_frame_is_the_visible_row_on_the_true_box(truth):
    boxes = truth.rows["box_px"][truth.rows["person"] == 2].astype(float)
    found = pose2sim.person_of_frames(truth, boxes)
    hidden = [4, 5, 6, 7]  # person 2, whose box person 1's does not touch
    assert np.flatnonzero(found < 0).tolist() == hidden
    assert (truth.rows["person"][found[found >= 0]] == 2).all()


def test_a_motion_that_is_the_truth(body, truth):
    """Rows of the body itself, in a world that is turned and moved against the camera."""
    R, t = Rotation.from_euler("y", 40, degrees=True).as_matrix(), np.array([0.5, -0.2, 1.0])
    mine = truth.rows[truth.rows["person"] == 1]
    world = (keypoints_m(mine, body) - t) @ R
    known = pose2sim.Pose2SimTruth(
        world, truth.K[:1], np.zeros((1, 4)), R[None], t[None], mine["box_px"].astype(float)[:, None]
    )
    scores = pose2sim.view_of(truth, known, 0, body).scores()
    assert scores["mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    assert scores["body_px"] == pytest.approx(0, abs=1e-2)
    assert scores["eyes_px"] == pytest.approx(0, abs=1e-2)
    assert scores["missed"] == 0


# Pictures -------------------------------------------------------------------------------------------


class Same:
    """A system that says the same of every picture, of whoever is asked for or of everybody."""

    name, cut_before = "same", False

    def __init__(self, rows, body):
        self.rows, self.body = rows, body

    def stream(self, K=None):
        return self

    def update(self, image, time_s):
        return FrameResult(self.rows)

    def begin(self, image, boxes_px, time_s):
        return FrameResult(self.rows[: len(boxes_px)])

    encode = step = state = restore = nothing


@pytest.fixture
def picture(tmp_path, body, truth):
    rows = truth.in_frame(0)
    image = tmp_path / "picture.png"
    cv2.imwrite(str(image), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    points = answer(rows, intrinsics(WIDTH, HEIGHT), body).body_px
    keypoints = np.concatenate([points, np.ones((2, 17, 1))], axis=-1)
    boxes = rows["box_px"].astype(float)
    return pictures.LabelledPicture(image, boxes, keypoints, np.ones(2, bool), np.full(2, 900.0))


def test_a_system_that_is_right_and_one_that_shows_one_of_two(picture, body, truth):
    right = Same(truth.in_frame(0), body)
    given = pictures.measure_given("lsp_extended", "LSP", "same", right, [picture], nothing)
    assert given.label == "LSP, boxes given"
    assert given.metrics["pck_05"] == given.metrics["eyes_pck_05"] == 1
    assert np.isnan(given.metrics["found"])
    half = Same(truth.in_frame(0)[:1], body)
    found = pictures.measure_found("lsp_extended", "LSP", "same", half, [picture], nothing)
    assert found.metrics["found"] == found.metrics["pck_10"] == found.metrics["oks"] == 0.5
    assert found.metrics["pck_10_of_found"] == 1
    assert found.metrics["extra"] == 0
    json.dumps(found.record(), allow_nan=False)


def test_people_whom_nobody_labelled(picture, body, truth):
    everybody = Same(truth.in_frame(0), body)

    def extra(labelled):
        return pictures.measure_found("fixtures", "COCO", "same", everybody, [labelled], nothing).metrics[
            "extra"
        ]

    first = replace(
        picture,
        boxes_px=picture.boxes_px[:1],
        keypoints_px=picture.keypoints_px[:1],
        asked=np.ones(1, bool),
        area_px=np.ones(1),
    )
    assert extra(first) == 1
    x0, y0, x1, y1 = picture.boxes_px[1]
    assert extra(replace(first, ignore_px=(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]),))) == 0
    assert extra(replace(picture, asked=np.array([True, False]))) == 0


def test_lsp_boxes_are_those_of_the_limb_joints_grown(tmp_path):
    joints = np.zeros((14, 3, 2))
    joints[:, 0, 0], joints[:, 1, 0], joints[:, 2, 0] = np.arange(14) * 10, np.arange(14) * 4, 1
    joints[:5, 2, 1] = 1
    savemat(tmp_path / "joints.mat", {"joints": joints})
    for name in ("im00001.jpg", "im00002.jpg"):
        (tmp_path / name).touch()
    (only,) = pictures.read_lsp(tmp_path)  # of the second athlete too few joints are labelled
    assert only.image.name == "im00001.jpg"
    np.testing.assert_allclose(only.boxes_px, [[-13.75, -5.5, 123.75, 49.5]])  # of joints 0 to 11
    assert only.size_px == pytest.approx(1.25 * 110)
    np.testing.assert_array_equal(only.keypoints_px[0, 16], [0, 0, 1])  # the right ankle
    with pytest.raises(ChorosError, match=r"joints\.mat"):
        pictures.read_lsp(tmp_path / "elsewhere")


@real
def test_the_pictures_of_the_footage():
    labelled = pictures.read_lsp(ASSETS / "real/lsp_extended")
    assert len(labelled) == 183
    folder = ASSETS / "real/coco_bysa"
    labelled = pictures.read_coco_pictures(folder / "person_keypoints.json", folder / "images")
    assert sum(len(picture.boxes_px) for picture in labelled) == 323
    root = footage.fixtures(ASSETS)
    sets = fixtures.read_pictures(root)
    assert list(sets) == ["COCO", "CrowdPose", "OCHuman", "PoseTrack18", "MPII", "JHMDB"]
    assert all(picture.image.is_file() for some in sets.values() for picture in some)
    samples = pictures3d.read_pictures(root / "h36m", root / "mpi_inf_3dhp")
    assert len(samples) == 8
    for sample in samples:  # the true joints lie in the picture where the keypoints are
        (person,) = sample.people
        shown = np.isfinite(person.joints_m).all(-1)
        points = person.joints_m[shown] @ sample.K.T
        apart = points[:, :2] / points[:, 2:] - person.keypoints_px[shown, :2]
        assert np.linalg.norm(apart, axis=-1).mean() < 15


@real
def test_the_four_cameras_see_the_truth_where_the_networks_do():
    known = pose2sim.Pose2SimTruth.load(ASSETS / "real/single_truth.npz")
    with np.load(ASSETS / "real/single_truth.npz") as arrays:
        thunder = arrays["thunder_px"]
    for number in range(pose2sim.VIEWS):
        px = pose2sim.distorted(known.keypoints_cam(number), known.K[number], known.lens[number])
        apart = np.linalg.norm(px - thunder[:, number, :, :2], axis=-1)[:, pose2sim.LIMBS]
        assert np.median(apart) < 15


# While a system learns ------------------------------------------------------------------------------


@pytest.fixture
def some_footage(tmp_path):
    """A folder in which all that is asked for is there, by name."""
    for part in (footage.LSP_EXTENDED, footage.COCO_BYSA, footage.POSE2SIM):
        for name in part.files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
    return tmp_path


def test_figures_for_a_system_that_learns_are_those_of_its_rows(
    some_footage, picture, body, truth, monkeypatch
):
    loaded, told, asked = [], [], {}

    def load(path):
        loaded.append(path)
        return Same(truth.in_frame(0), body)

    def views(name, system, videos, truth_file, progress, end_s):
        asked.update(videos=[path.name for path in videos], end_s=end_s)
        return Result(
            "pose2sim", "Pose2Sim", name, {"pa_mpjpe_mm": 61.0, "mpjpe_mm": math.nan, "missed": 4.0}
        )

    monkeypatch.setattr(pictures, "labelled_pictures", lambda row, root: [picture])
    monkeypatch.setattr(pose2sim, "measure", views)
    watched = WatchedFootage(some_footage, load, lambda *where: told.append(where))
    assert not watched.lacks
    figures = watched.measure(Path("weights.safetensors"))
    assert figures == {
        "real/lsp_pck_05": 1, "real/lsp_pck_10": 1, "real/coco_pck_05": 1, "real/coco_pck_10": 1,
        "real/coco_oks": pytest.approx(1), "real/pose2sim_pa_mpjpe_mm": 61, "real/pose2sim_missed": 4,
    }  # fmt: skip
    assert loaded == [Path("weights.safetensors")]
    assert asked == {"videos": ["single_cam01.mp4", "single_cam02.mp4"], "end_s": 1.0}
    assert told == [("real: lsp_extended", 0, 1), ("real: coco_bysa", 0, 1)]


def test_footage_that_is_not_there_is_left_out_and_said(some_footage, tmp_path):
    (some_footage / footage.POSE2SIM.files[0]).unlink()
    watched = WatchedFootage(some_footage, nothing, nothing)
    assert watched.lacks == ["real/single_cam01.mp4: demo of pose2sim 0.10.49 on PyPI"]
    assert watched._there == ["lsp", "coco"]
    with pytest.raises(ChorosError, match="holds none of the real footage"):
        WatchedFootage(tmp_path / "elsewhere", nothing, nothing)


# Clips ----------------------------------------------------------------------------------------------


def test_agreement_with_itself_and_with_somebody_elsewhere(body, truth):
    seen = {}
    for index, pts in enumerate(truth.pts):
        rows = truth.in_frame(index)
        points = np.concatenate([answer(rows, truth.K[0], body).body_px, np.ones((2, 17, 1))], axis=-1)
        points[:, :5, 2] = 0.4  # not sure of the faces
        seen[pts] = Detections(rows["box_px"].copy(), np.ones(2, np.float32), points.astype(np.float32))
    counts = clips.agreement(truth, seen, body)
    assert counts == (12 * 2 * len(truth), 12 * 2 * len(truth), 2 * len(truth), 2 * len(truth))
    away = {
        pts: replace(people, boxes_px=people.boxes_px + np.float32([0, 500, 0, 500]))
        for pts, people in seen.items()
    }
    assert clips.agreement(truth, away, body)[::2] == (0, 0)
    assert clips.jitter(truth, body) == pytest.approx(0, abs=1e-3)


# The whole ------------------------------------------------------------------------------------------


def test_missing_footage_is_named_and_nothing_is_run(tmp_path, capsys):
    results = run_real({}, tmp_path)
    assert {result.row for result in results} == set(ROWS)
    assert all(result.needs for result in results)
    assert len(tables(results)) >= 3
    assert all(result.record()["metrics"] == {} for result in results)
    with pytest.raises(ChorosError, match="no row called 'nose'"):
        run_real({}, tmp_path, rows=["nose"])
    main(["bench", "real", "--footage", str(tmp_path), "-o", str(tmp_path / "table.json")])
    said = " ".join(capsys.readouterr().out.split())
    assert "not measured" in said
    assert len(json.loads((tmp_path / "table.json").read_text())) == len(results)
    with pytest.raises(SystemExit):
        main(["bench", "real"])
    assert "--footage" in capsys.readouterr().err


def test_sheets_show_the_worst_and_a_choice(picture, body, truth, tmp_path):
    light, rows, K = BodyModel.load(detail="light"), truth.in_frame(0), truth.K[0]
    many = [
        ResultPicture(picture.image, None, rows, K, f"{n}", np.array([0.0, 0, 20 + n, 90]), float(n))
        for n in range(30)
    ]
    few = [ResultPicture(picture.image, None, np.zeros(0, ROW), K, "nobody")]
    results = [
        Result("lsp_extended", "LSP, given", "same", shots=many),
        Result("clips", "a.mp4", "same", shots=few),
    ]
    paths = write_sheets(results, {"same": light}, tmp_path / "sheets")
    assert [path.name for path in paths] == [
        "lsp_extended_lsp_given_same_worst.png", "lsp_extended_lsp_given_same_random.png", "clips_a_mp4_same.png",
    ]  # fmt: skip
    assert all(cv2.imread(str(path)) is not None for path in paths)


def test_curves_are_drawn(picture, body, truth, man, tmp_path):
    pytest.importorskip("matplotlib")
    from choros.evaluation.real.curves import plot_real

    system = Same(truth.in_frame(0), body)
    results = [
        pictures.measure_found("coco_bysa", "COCO by-sa", "same", system, [picture], nothing),
        Result("pose2sim", "views", "same", scores=[view(man, man, intrinsics(640, 480))]),
    ]
    names = [path.name for path in plot_real(results, tmp_path / "plots")]
    assert names == ["pck_coco_by_sa_boxes_found.png", "knees.png", "elbows.png"]


class Eyes:
    """Detector and keypoint network in one, which counts how often it is asked."""

    def __init__(self, score):
        self.score, self._asked = score, 0

    def detect(self, image):
        self._asked += 1
        return np.float32([[2, 3, 40, 90]]), np.float32([self.score])

    def estimate(self, image, boxes_px):
        self._asked += 1
        return np.full((len(boxes_px), 17, 3), 0.5, np.float32)


def test_what_was_seen_is_kept_for_another_run(tmp_path):
    image = np.full((96, 128, 3), 7, np.uint8)

    def seen(eyes, image, path=tmp_path / "eyes.sqlite"):
        finder = Memory(path).finder(PersonFinder(eyes, eyes))
        return finder.find(image)

    first, second, third = Eyes(0.9), Eyes(0.9), Eyes(0.8)
    before = seen(first, image)
    after = seen(second, image)
    assert (first._asked, second._asked) == (2, 0)
    for name in ("boxes_px", "scores", "keypoints"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert seen(third, image).scores == np.float32(0.8)  # set differently
    seen(second, image + np.uint8(1))  # another picture
    assert second._asked == 2
    (tmp_path / "text").write_text("not a file of answers, but something else altogether")
    with pytest.raises(ChorosError, match="text"):
        Memory(tmp_path / "text")


def test_fractions_of_a_second_are_kept_apart(tmp_path, truth, body):
    shots = clips.shots_of(tmp_path / "clip.mp4", truth, 3)
    assert [shot.pts for shot in shots] == [Fraction(0), Fraction(5, 10), Fraction(11, 10)]
    assert [len(shot.rows) for shot in shots] == [2, 1, 2]  # person 2 is hidden in frame 5
