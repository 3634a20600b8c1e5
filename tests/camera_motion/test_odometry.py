"""Visual odometry on pictures of a far textured wall, filmed by cameras whose turns are known."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.camera import intrinsics
from choros.camera_motion.odometry import Odometry, camera_evidence
from choros.camera_motion.place_recognition import turn_of_same_place, view_of
from choros.errors import ChorosError
from choros.motion import FRAME, ROW, Header, Motion
from choros.video import VideoWriter

W, H = 384, 256
K = intrinsics(W, H)
NOBODY = np.zeros((0, 4))
CORNER = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])  # cv2 counts from the first pixel's centre


@pytest.fixture(scope="module")
def wall() -> np.ndarray:
    """Spots of several sizes, (1024, 1536, 3), in the middle of which the camera looks."""
    rng = np.random.default_rng(0)
    picture = np.zeros((1024, 1536))
    for size in (2, 5, 14):
        spots = cv2.GaussianBlur(rng.normal(size=picture.shape), (0, 0), size)
        picture += spots / spots.std()
    return np.repeat(np.clip(128 + 35 * picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def film(wall: np.ndarray, R_wall_camera: np.ndarray, lens: np.ndarray = K) -> np.ndarray:
    K_wall = intrinsics(1536, 1024, focal_px=K[0, 0])
    to_picture = lens @ R_wall_camera.T @ np.linalg.inv(K_wall)
    warp = CORNER @ to_picture @ np.linalg.inv(CORNER)
    return np.asarray(cv2.warpPerspective(wall, warp, (W, H), flags=cv2.INTER_AREA), np.uint8)


def turns(count: int, step_deg: tuple[float, float, float]) -> np.ndarray:  # (count, 3, 3) R_wall_camera
    return Rotation.from_rotvec(np.radians(np.outer(np.arange(count), step_deg))).as_matrix()


def angles_deg(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.degrees(Rotation.from_matrix(found.mT @ true).magnitude())


@pytest.mark.parametrize("step_deg", [(0, 0, 0), (0, 0.8, 0), (0.5, -0.3, 0.4)])
def test_a_turning_camera(wall: np.ndarray, step_deg: tuple[float, float, float]) -> None:
    R = turns(15, step_deg)
    odometry = Odometry()
    steps = [odometry.step(film(wall, R_now), NOBODY, K) for R_now in R]
    assert steps[0][1] == 0
    found, weight = np.array([turn for turn, _ in steps[1:]]), np.array([weight for _, weight in steps[1:]])
    assert angles_deg(found, R[:-1].mT @ R[1:]).max() < 0.05
    assert weight.min() > 0.9
    path = np.eye(3)
    for turn in found:
        path = path @ turn
    assert angles_deg(path, R[0].T @ R[-1]) < 0.1  # errors do not add up frame by frame


@pytest.mark.parametrize("told", [True, False])
def test_a_zoom_is_no_turn(wall: np.ndarray, told: bool) -> None:
    odometry = Odometry()
    for frame in range(9):
        lens = intrinsics(W, H, focal_px=K[0, 0] * 1.02**frame)
        turn, weight = odometry.step(film(wall, np.eye(3), lens), NOBODY, lens if told else K)
        assert angles_deg(turn, np.eye(3)) < 0.05
        assert weight > 0.9 or frame == 0


@pytest.mark.parametrize("noise", [0, 4])
def test_a_blank_wall_says_nothing(noise: int) -> None:
    rng, odometry = np.random.default_rng(4), Odometry()
    for _ in range(6):
        picture = 120 + noise * rng.normal(size=(H, W, 3))
        turn, weight = odometry.step(np.clip(picture, 0, 255).astype(np.uint8), NOBODY, K)
        assert weight == 0
        np.testing.assert_array_equal(turn, np.eye(3))


def test_people_are_left_out_and_cuts_weigh_nothing(wall: np.ndarray) -> None:
    """Somebody who fills most of the picture walks against the camera's turn; then the film cuts."""
    R, odometry = turns(10, (0, 0.5, 0)), Odometry()
    weights = []
    for frame, R_now in enumerate(R):
        picture = film(wall, R_now)
        x0 = 60 + 3 * frame
        picture[20:, x0 : x0 + 220] = wall[: H - 20, 700:920]
        turn, weight = odometry.step(picture, np.array([[x0, 20, x0 + 220, H]]), K)
        weights.append(weight)
        if frame:
            assert angles_deg(turn, R[0].T @ R[1]) < 0.1
    assert min(weights[1:]) > 0.5
    other = wall[::-1, ::-1][300 : 300 + H, 200 : 200 + W]
    assert odometry.step(other, NOBODY, K)[1] == 0
    assert odometry.step(other, NOBODY, K)[1] > 0.9


def motion_of(count: int, width: int = W, first: int = 0) -> Motion:
    frames = np.zeros(count, FRAME)
    frames["pts"] = [(first + n, 25) for n in range(count)]
    frames["K"], frames["T_world_camera"] = K, np.eye(4)
    return Motion(Header(Fraction(25), width, H, source="wall.mp4"), frames, np.zeros(0, ROW))


@pytest.fixture(scope="module")
def video(wall: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames; the fifth is missing."""
    path = tmp_path_factory.mktemp("wall") / "wall.mp4"
    with VideoWriter(path, W, H, Fraction(25)) as writer:
        for frame, R_now in enumerate(turns(8, (0, 0.6, 0.1))):
            if frame != 4:
                writer.write(film(wall, R_now), Fraction(frame, 25))
    return path


def test_evidence_of_a_video(video: Path) -> None:
    seen: list[tuple[int, int]] = []
    evidence = camera_evidence(motion_of(8), video, lambda *done: seen.append(done))
    R = turns(8, (0, 0.6, 0.1))
    assert evidence.turn.shape == (7, 3, 3)
    known = np.array([True, True, True, False, False, True, True])
    np.testing.assert_array_equal(evidence.weight > 0.5, known)
    assert (evidence.weight[~known] == 0).all()
    assert angles_deg(evidence.turn, R[:-1].mT @ R[1:])[known].max() < 0.1
    assert seen[-1] == (8, 8)


def street(wall: np.ndarray, R_world_camera: np.ndarray, place_m: np.ndarray) -> np.ndarray:
    """A floor at z = 0 from y = 1 m to the foot of a house at y = 9 m, both of the pattern of the wall, 12 m wide."""

    def pasted(axes: np.ndarray, corner_m: np.ndarray) -> np.ndarray:
        """A sheet spanned by two axes (3, 2), 128 of its pixels a metre, from its corner on."""
        sheet = np.column_stack([axes / 128, corner_m - place_m])
        warp = CORNER @ np.diag([4, 4, 1]) @ K @ R_world_camera.T @ sheet @ np.linalg.inv(CORNER)
        large = cv2.warpPerspective(wall, warp, (4 * W, 4 * H))  # then reduced, as it is far and aslant
        return np.asarray(cv2.resize(large, (W, H), interpolation=cv2.INTER_AREA), np.uint8)

    across, along, up = np.eye(3)
    floor = pasted(np.column_stack([across, along]), -6 * across + along)
    house = pasted(np.column_stack([across, up]), -6 * across + 9 * along)
    return np.where(house.any(-1, keepdims=True), house, floor)


def test_the_ground_that_passes_below_a_camera(wall: np.ndarray, tmp_path: Path) -> None:
    """A camera goes ahead and turns, up to the edge of what a key frame reaches; frame 6 is missing."""
    count, path = 16, tmp_path / "street.mp4"
    level = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # columns: right, down, ahead
    R = turns(count, (0, 0, 0.4)) @ level @ Rotation.from_rotvec([-0.45, 0, 0]).as_matrix()
    place = np.array([0.2, 0, 2]) + np.outer(np.arange(count), [0.02, 0.12, 0.01])
    with VideoWriter(path, W, H, Fraction(25), crf=12) as writer:
        for frame in range(count):
            if frame != 6:
                writer.write(street(wall, R[frame], place[frame]), Fraction(frame, 25))
    motion = motion_of(count)
    rows = np.zeros(count, ROW)
    rows["frame"], rows["box_px"] = np.arange(count), [10, 10, 30, 30]
    upright = R.mT @ np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    rows["global_orient"] = Rotation.from_matrix(upright).as_rotvec()
    ground = camera_evidence(Motion(motion.header, motion.frames, rows), path).ground
    assert ground is not None
    true = (R[:-1].mT @ np.diff(place, axis=0)[..., None])[..., 0] / place[:-1, 2:]
    known = np.delete(np.arange(count - 1), [5, 6])
    np.testing.assert_array_equal(ground.weight > 0.5, np.isin(np.arange(count - 1), known))
    assert np.degrees(np.arccos((ground.up * R[:-1, 2]).sum(-1)[known])).max() < 5
    error, length = (ground.step - true)[known], np.linalg.norm(true, axis=1)
    assert np.linalg.norm(error, axis=1).max() < 0.2 * length.min()
    assert np.linalg.norm(error.sum(0)) < 0.1 * length[known].sum()  # in so small a picture


def test_a_video_that_does_not_belong_is_refused(video: Path) -> None:
    with pytest.raises(ChorosError, match=r"wall\.mp4 is 384x256 px.*100x256"):
        camera_evidence(motion_of(8, width=100), video)
    with pytest.raises(ChorosError, match=r"wall\.mp4 has none of the time stamps"):
        camera_evidence(motion_of(8, first=100), video)


def test_a_cut_is_no_turn_of_the_camera(wall: np.ndarray, tmp_path: Path) -> None:
    """Two cameras before one wall, 5 degrees apart, which the background alone would take for a turn."""
    R = np.concatenate([turns(4, (0, 0.5, 0)), turns(4, (0, 0.5, 0)) @ turns(2, (0, 5, 0))[1]])
    with VideoWriter(tmp_path / "cut.mp4", W, H, Fraction(25)) as writer:
        for frame, R_now in enumerate(R):
            writer.write(film(wall, R_now), Fraction(frame, 25))
    motion = motion_of(8)
    assert camera_evidence(motion, tmp_path / "cut.mp4").weight[3] > 0.5
    motion.frames["cut_before"][4] = True
    evidence = camera_evidence(motion, tmp_path / "cut.mp4")
    assert evidence.weight[3] == 0
    np.testing.assert_array_equal(evidence.turn[3], np.eye(3))
    others = np.arange(7) != 3
    assert (evidence.weight[others] > 0.5).all()
    assert angles_deg(evidence.turn[others], (R[:-1].mT @ R[1:])[others]).max() < 0.2


def test_a_place_is_recognised_after_a_shot_elsewhere(wall: np.ndarray, tmp_path: Path) -> None:
    """The first camera comes back, turned by 3 degrees; somebody has moved meanwhile. The one between is elsewhere."""
    with VideoWriter(tmp_path / "aba.mp4", W, H, Fraction(25)) as writer:
        for frame in range(9):
            if 3 <= frame < 6:
                picture = wall[::-1, ::-1][300 : 300 + H, 200 : 200 + W].copy()
            else:
                picture = film(wall, turns(2, (0, 3, 0))[int(frame >= 6)])
                x0 = 40 if frame < 3 else 200
                picture[60:200, x0 : x0 + 60] = wall[700:840, 100:160]
            writer.write(np.ascontiguousarray(picture), Fraction(frame, 25))
    motion = motion_of(9)
    motion.frames["cut_before"][[3, 6]] = True
    again = camera_evidence(motion, tmp_path / "aba.mp4").again
    assert list(again) == [6]
    assert again[6][0] == 2
    assert angles_deg(again[6][1], turns(2, (0, 3, 0))[1]) < 0.2


def test_a_closer_view_of_a_place_is_not_taken_for_it(wall: np.ndarray) -> None:
    far = view_of(0, film(wall, np.eye(3)), NOBODY, K)
    same = turn_of_same_place(far, view_of(1, film(wall, np.eye(3)), NOBODY, K))
    assert same is not None
    assert angles_deg(same, np.eye(3)) < 0.1
    near = film(wall, np.eye(3), intrinsics(W, H, focal_px=1.3 * K[0, 0]))
    assert turn_of_same_place(far, view_of(1, near, NOBODY, K)) is None
    assert turn_of_same_place(far, view_of(1, np.zeros((H, W, 3), np.uint8), NOBODY, K)) is None
