"""The background's turn on pictures of a far textured wall, filmed by cameras whose turns are known."""

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.camera import intrinsics
from choros.camera_motion.background import Background, BackgroundMotion, background

W, H = 480, 270
K = intrinsics(W, H)
NOBODY = np.zeros((0, 4))
CORNER = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])  # cv2 counts from the first pixel's centre


@pytest.fixture(scope="module")
def wall() -> np.ndarray:
    """Spots of several sizes, (1024, 2048, 3), in the middle of which the camera looks."""
    rng = np.random.default_rng(0)
    picture = np.zeros((1024, 2048))
    for size in (2, 5, 14):
        spots = cv2.GaussianBlur(rng.normal(size=picture.shape), (0, 0), size)
        picture += spots / spots.std()
    return np.repeat(np.clip(128 + 35 * picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def film(wall: np.ndarray, R_wall_camera: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    K_wall = intrinsics(wall.shape[1], wall.shape[0], focal_px=K[0, 0])
    warp = CORNER @ K @ R_wall_camera.T @ np.linalg.inv(K_wall) @ np.linalg.inv(CORNER)
    picture = cv2.warpPerspective(wall, warp, (W, H), flags=cv2.INTER_AREA)
    shaken = picture + noise * np.random.default_rng(seed).normal(size=picture.shape)
    return np.clip(shaken, 0, 255).astype(np.uint8)


def turned(rotvec_deg: tuple[float, float, float]) -> np.ndarray:
    return Rotation.from_rotvec(np.radians(rotvec_deg)).as_matrix()


def seen(
    wall: np.ndarray, R: np.ndarray, boxes: np.ndarray = NOBODY, noise: float = 3.0, seed: int = 0
) -> Background:
    return background(film(wall, R, noise, seed), boxes)


def angle_deg(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.degrees(Rotation.from_matrix(found.T @ true).magnitude()))


@pytest.mark.parametrize(
    "step_deg", [(0, 0.3, 0), (0, 2.4, 0), (0, -6, 0), (0, 9, 0), (3, 1, 0), (1, -2, 2), (0, 0, 4)]
)
def test_a_turning_camera(wall: np.ndarray, step_deg: tuple[float, float, float]) -> None:
    """60 degrees a second are 2.4 degrees from frame to frame at 25 frames/s, and 6 at 10."""
    motion = BackgroundMotion()
    R = [turned((0, 0, 0)), turned(step_deg)]
    assert motion.step(seen(wall, R[0], seed=1), K, 0.0) is None
    turn = motion.step(seen(wall, R[1], seed=2), K, 0.1)
    assert turn is not None
    assert angle_deg(turn, R[1].T @ R[0]) < 0.05


def test_a_camera_that_stands_still_is_not_turned_at_all(wall: np.ndarray) -> None:
    """With the sensor's noise, and somebody whom no detector found walking by."""
    motion = BackgroundMotion()
    for frame in range(40):
        picture = film(wall, np.eye(3), 4.0, frame)
        picture[100:250, 10 * frame : 10 * frame + 60] = wall[500:650, 900:960]
        assert motion.step(background(picture, NOBODY), K, frame / 10) is None


def test_a_turn_too_slow_for_one_frame_adds_up(wall: np.ndarray) -> None:
    motion, whole = BackgroundMotion(), np.eye(3)
    R = [turned((0, 0.02 * frame, 0)) for frame in range(60)]
    steps = [motion.step(seen(wall, R_now, seed=frame), K, frame / 25) for frame, R_now in enumerate(R)]
    for step in steps:
        whole = whole if step is None else step @ whole
    assert sum(step is not None for step in steps) < 20
    assert angle_deg(whole, R[-1].T) < 0.15


def test_people_are_left_out(wall: np.ndarray) -> None:
    """Somebody who fills half of the picture is followed by the camera and stands still in it."""
    motion, step = BackgroundMotion(), (0, 2.0, 0)
    box = np.array([[130, 5, 370, 265]])
    for frame in range(5):
        picture = film(wall, turned((0, 2.0 * frame, 0)), 2.0, frame)
        picture[5:265, 130:370] = wall[300:560, 700:940]
        turn = motion.step(background(picture, box), K, frame / 25)
        assert turn is None or angle_deg(turn, turned(step).T) < 0.05
        assert (turn is None) == (frame == 0)


@pytest.mark.parametrize("noise", [0.0, 6.0])
def test_a_blank_wall_says_nothing(noise: float) -> None:
    motion = BackgroundMotion()
    for frame in range(6):
        picture = 120 + noise * np.random.default_rng(frame).normal(size=(H, W, 3))
        seen_now = background(np.clip(picture, 0, 255).astype(np.uint8), NOBODY)
        assert motion.step(seen_now, K, frame / 25) is None


def test_another_shot_says_nothing_and_then_begins_anew(wall: np.ndarray) -> None:
    motion = BackgroundMotion()
    motion.step(seen(wall, np.eye(3)), K, 0.0)
    other = np.ascontiguousarray(wall[::-1, ::-1])
    for frame in range(1, 6):
        assert motion.step(seen(other, np.eye(3)), K, frame / 25) is None
    turn = motion.step(seen(other, turned((0, 2, 0))), K, 0.24)
    assert turn is not None
    assert angle_deg(turn, turned((0, 2, 0)).T) < 0.05


def test_a_blurred_frame_is_stepped_over(wall: np.ndarray) -> None:
    motion = BackgroundMotion()
    R = [turned((0, 1.5 * frame, 0)) for frame in range(4)]
    pictures = [film(wall, R_now, 2.0, frame) for frame, R_now in enumerate(R)]
    pictures[2] = np.full_like(pictures[2], 90)
    turns = [motion.step(background(picture, NOBODY), K, i / 25) for i, picture in enumerate(pictures)]
    assert turns[2] is None
    assert turns[3] is not None
    assert angle_deg(turns[3], R[3].T @ R[1]) < 0.05


def test_goes_on_from_its_state_bit_for_bit(wall: np.ndarray) -> None:
    looks = [
        seen(wall, turned((0, 0.7 * i, 0.2 * i)), np.array([[50, 50, 90, 200]]), seed=i) for i in range(6)
    ]
    whole, first, second = BackgroundMotion(), BackgroundMotion(), BackgroundMotion()
    second.restore(BackgroundMotion().state())  # nothing yet
    expected = [whole.step(look, K, i / 25) for i, look in enumerate(looks)]
    for i, look in enumerate(looks[:3]):
        first.step(look, K, i / 25)
    second.restore(first.state())
    for i in (3, 4, 5):
        np.testing.assert_array_equal(second.step(looks[i], K, i / 25), expected[i])
    assert sum(part.nbytes for part in second.state().values()) < 50_000


@pytest.mark.parametrize("size", [(20, 20), (1, 1), (64, 2000), (1080, 1920), (2160, 3840)])
def test_pictures_of_every_size(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    small = background(image, np.array([[0, 0, 10, np.nan], [-5, -5, 1e9, 1e9]]))
    assert 1 <= max(small.grey.shape) <= 256
    assert len(small.corners_px) == 0  # somebody fills the picture
    assert BackgroundMotion().step(small, intrinsics(size[1], size[0]), 0.0) is None
