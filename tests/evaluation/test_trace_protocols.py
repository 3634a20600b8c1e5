"""TRACE's comparisons with answers that were worked out by hand, and the sets that they are made on as tiny files."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.datasets.dynacam import read_dynacam
from choros.datasets.sample import PersonLabel, Sample, SmplPose
from choros.errors import ChorosError
from choros.evaluation.labelled import LabelledVideo
from choros.evaluation.metrics.tracking import TrackingFrames
from choros.evaluation.trace_protocols import any_overlap_scores, dynacam_errors, trajectory_errors
from choros.motion import Motion
from tests.datasets.test_group_sets import mupots, panoptic, threedmpb
from tests.evaluation.test_owned import K, motion, perfect, pictures, scores, two_people

SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


def poses(places, rotvec=(0, 0, 0)):
    T = np.tile(np.eye(4), (len(places), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = Rotation.from_rotvec(rotvec).as_matrix(), places
    return T


def test_a_way_that_is_the_same_but_for_a_similarity_has_no_error():
    turn = Rotation.from_euler("xyz", [0.3, -1, 2]).as_matrix()
    truth = poses(SQUARE)
    moved = poses(3 * SQUARE @ turn.T + [5, 6, 7])
    moved[:, :3, :3] = turn
    errors = trajectory_errors(moved, truth)
    assert errors.aligned
    assert errors[:2] == pytest.approx((0, 0), abs=1e-9)


def test_a_corner_that_is_lifted_is_off_by_what_is_left_of_it():
    """Corners up and down by turns leave the square's plane and size as they are: each is h off after alignment.

    The similarity's scale shrinks: s = 2 / (2 + 4 h^2) of the squares' sums.
    """
    h = 0.2
    lifted = SQUARE + np.array([0, 0, h]) * np.array([[1], [-1], [1], [-1]])
    errors = trajectory_errors(poses(lifted), poses(SQUARE))
    s = 2 / (2 + 4 * h**2)
    flat = 2 * (1 - s) ** 2  # squares of all four, in the plane: half the diagonal's square is 1/2 each
    assert errors.ate_m == pytest.approx(np.sqrt((flat + 4 * (s * h) ** 2) / 4))
    assert errors.ape == pytest.approx(errors.ate_m)  # nothing turned


def test_a_turn_that_no_place_shows_counts_in_whole_poses():
    """The Frobenius norm of R - 1 of an angle a is sqrt(8) |sin(a / 2)|."""
    errors = trajectory_errors(poses(SQUARE, (0, 0.5, 0)), poses(SQUARE))
    assert errors.ate_m == pytest.approx(0, abs=1e-9)
    assert errors.ape == pytest.approx(np.sqrt(8) * np.sin(0.25))


def test_who_only_stands_is_not_aligned_and_that_is_said():
    errors = trajectory_errors(poses(np.zeros((4, 3))), poses(SQUARE))
    assert not errors.aligned
    assert errors.ate_m == pytest.approx(1.0)  # sqrt((0 + 1 + 2 + 1) / 4)
    with pytest.raises(ChorosError, match="same frames"):
        trajectory_errors(poses(SQUARE), poses(SQUARE[:2]))


def labelled(rows, joints, folder, frames=3):
    """What DynaCam would say of bodies (rows) before a camera that stands at the world's origin."""
    samples = []
    for frame in range(frames):
        people = []
        for row, points in zip(rows, joints, strict=True):
            if row["frame"] == frame:
                smpl = SmplPose(row["global_orient"].astype(float), np.zeros(69), None, points[0])
                people.append(
                    PersonLabel(
                        int(row["person"]),
                        keypoints_px=row["keypoints_px"].astype(float),
                        keypoint_names=read_names(),
                        smpl=smpl,
                    )
                )
        samples.append(
            Sample(image=folder / f"{frame:06d}.png", frame=frame, K=K, space="world", people=tuple(people))
        )
    return LabelledVideo(folder, samples, everybody=False)


def read_names():
    from choros.skeleton import COCO17

    return COCO17


@pytest.fixture
def walk(tmp_path, body):
    """Two people who go round a corner, as rows and as their set has them."""
    rows, joints, _ = two_people(body)
    step = np.array([[0, 0, 0], [0.3, 0, 0], [0.3, 0, 0.4]])[rows["frame"]]
    rows["transl"] += step
    joints = joints + step[:, None]
    pictures(tmp_path / "walk", [f"{n:06d}.png" for n in range(3)])
    return rows, labelled(rows, joints, tmp_path / "walk")


def test_dynacams_truth_has_no_errors(walk, body):
    rows, truth = walk
    errors = dynacam_errors(truth, motion(rows), body)
    assert set(errors.ate_m) == {"1", "2"}
    assert list(errors.ate_m.values()) == pytest.approx([0, 0], abs=1e-5)
    assert (errors.unaligned, errors.missed) == ([], [])


def test_a_frame_without_anybody_has_the_last_ones_people(walk, body):
    rows, truth = walk
    errors = dynacam_errors(truth, motion(rows[rows["frame"] != 2]), body)
    # Of the three places the last is the second again: a line, which no similarity fits best.
    assert errors.unaligned == ["1", "2"]
    assert errors.ate_m["1"] == pytest.approx(np.sqrt(0.4**2 / 3), abs=1e-4)


def test_who_is_never_found_counts_as_the_program_has_it(walk, body):
    rows, truth = walk
    errors = dynacam_errors(truth, motion(rows[:0]), body)
    assert (errors.ate_m, errors.ape) == ({"1": 2.0, "2": 2.0}, {"1": 4.0, "2": 4.0})
    assert errors.missed == ["1", "2"]


def test_any_overlap_matches_and_frames_without_truth_are_free():
    ids = np.array([1])
    frames = TrackingFrames(
        [ids, ids, np.zeros(0, int)], [ids, ids, ids], [np.array([[0.02]]), np.array([[0.9]]), np.zeros((0, 1))]
    )  # fmt: skip
    got = any_overlap_scores(frames)
    assert (got["MOTA"], got["IDF1"]) == (1, 1)
    apart = replace(frames, similarity=[np.array([[0.005]]), np.array([[0.9]]), np.zeros((0, 1))])
    assert any_overlap_scores(apart)["MOTA"] == pytest.approx(0)  # a miss and a false one of two


# --- sets as tiny files --------------------------------------------------------------------------


def test_mupots(tmp_path, body):
    from choros.datasets.mpi_inf_3dhp import MPI17
    from choros.skeleton import JOINT_NAMES

    rows, joints, _ = two_people(body)
    pictures(tmp_path / "TS1", [f"img_{n:06d}.jpg" for n in range(3)])
    told = np.zeros((3, 2, 17, 3))
    for row, points in zip(rows, joints, strict=True):
        for number, name in enumerate(MPI17):
            at = JOINT_NAMES.index(name) if name in JOINT_NAMES else 0
            told[row["frame"], row["person"] - 1, number] = points[at]
    points_px = told[..., :2] / told[..., 2:] * K[[0, 1], [0, 1]] + K[:2, 2]
    mupots(tmp_path / "TS1", told, points_px, np.ones((3, 2)))
    got = scores(f"mupots:{tmp_path}", motion(rows), body)
    perfect(got, "HOTA", "MOTA", "recall_visible", "pck3d_150")
    assert got["mpjpe_mm"] == pytest.approx(0, abs=0.05)


def test_panoptic(tmp_path, body):
    from choros.datasets.panoptic import PANOPTIC19
    from choros.skeleton import JOINT_NAMES

    rows, joints, _ = two_people(body)
    place = tmp_path / "160906_pizza1"
    frames = []
    for frame in range(3):
        bodies = []
        for row, points in zip(rows, joints, strict=True):
            if row["frame"] != frame:
                continue
            told = np.full((19, 4), -1.0)
            for number, name in enumerate(PANOPTIC19):
                if name in JOINT_NAMES:
                    told[number] = [*(100 * points[JOINT_NAMES.index(name)]), 0.9]
            bodies.append({"id": int(row["person"]), "joints19": told.ravel().tolist()})
        frames.append(bodies)
    panoptic(place, frames, K, np.eye(4))
    pictures(place / "hdImgs/00_16", [f"00_16_{n:08d}.jpg" for n in (5, 6, 7)])
    got = scores(f"panoptic:{place}", motion(rows), body)
    perfect(got, "HOTA", "MOTA", "recall_visible", "pck3d_150")
    assert got["mpjpe_mm"] == pytest.approx(0, abs=0.05)


def test_3dmpb(tmp_path, body):
    from choros.datasets.lsp import LSP14
    from choros.skeleton import JOINT_NAMES

    rows, joints, _ = two_people(body)
    rows, joints = rows[rows["frame"] == 0], joints[rows["frame"] == 0]
    pictures(tmp_path / "images", ["000000.jpg"])
    lsp = np.array([[p[JOINT_NAMES.index(n)] if n in JOINT_NAMES else p[15] for n in LSP14] for p in joints])
    hips = [LSP14.index("left_hip"), LSP14.index("right_hip")]
    frame = {
        "img_path": "images/000000.jpg", "bbox": rows["box_px"].reshape(-1, 2, 2).tolist(), "intri": K,
        "lsp_joints_3d": list(lsp), "lsp_joints_2d": [None, None],
    }  # fmt: skip
    threedmpb(tmp_path, [frame])
    got = scores(f"3dmpb:{tmp_path}", motion(rows, 1), body)
    perfect(got, "recall_visible")
    # About the middle of the hips, which is not SMPL's pelvis: the difference of both, of 12 joints of 13.
    apart = np.linalg.norm(lsp[:, hips].mean(1) - joints[:, 0], axis=-1)
    assert got["mpjpe_mm"] == pytest.approx(1000 * apart.mean() * 12 / 13, rel=0.02)
    assert np.isnan(got["IDF1"])


def test_dynacam_is_read_as_labelled_videos(tmp_path, body):
    from tests.datasets.test_group_sets import dynacam

    dynacam(tmp_path, "translation")
    pictures(tmp_path / "video_frames/translation_test/walk", [f"{n:06d}.png" for n in (0, 1, 2, 3)])
    (video,) = read_dynacam(tmp_path, "translation", "test")
    truth = LabelledVideo(video[0].path.parent, video, Fraction(30), everybody=False)
    nobody: Motion = motion(np.zeros(0, two_people(body)[0].dtype), 4)
    assert dynacam_errors(truth, nobody, body).missed == ["4", "7"]
