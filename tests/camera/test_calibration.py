"""Calibrations of other programs: their files, lenses against OpenCV's projection, and videos made straight."""

import json
import struct
from fractions import Fraction

import cv2
import numpy as np
import pytest

from choros.camera.calibration import Calibration, calibration_of
from choros.camera.lens import Lens
from choros.camera_motion.odometry import camera_evidence
from choros.errors import ChorosError
from choros.motion import ROW, FrameResult, Motion
from choros.options import TrackOptions
from choros.track_video import track_to_file
from choros.video import VideoWriter, open_video
from choros.view.film import Film
from choros.view.overlay import render_video

WIDTH, HEIGHT = 320, 240
K_CV = np.array([[260.0, 0, 162.5], [0, 262.0, 117.0], [0, 0, 1]])  # counts from the first pixel's centre
HALF_PX = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
K = K_CV + HALF_PX  # and from its corner, as ours
BROWN5 = (-0.21, 0.06, 0.0012, -0.002, 0.004)
LENSES = {
    "brown4": Lens("brown", BROWN5[:4]),
    "brown5": Lens("brown", BROWN5),
    "pincushion": Lens("brown", (0.18, -0.05, 0.0, 0.0)),
    "rational": Lens("brown", (0.4, 0.1, 0.001, -0.001, 0.01, 0.65, 0.2, 0.03)),
    "prism": Lens("brown", (*BROWN5, 0.0, 0.0, 0.0, 0.002, -0.001, 0.001, 0.002)),
    "tilted": Lens("brown", (*BROWN5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.01, -0.02)),
    "fisheye": Lens("fisheye", (0.03, -0.01, 0.004, -0.001)),
    "equidistant": Lens("fisheye", (0.0, 0.0, 0.0, 0.0)),
}


def opencv_px(rays, lens):
    """Where OpenCV's own projection puts rays (n, 3), counted from the first pixel's corner."""
    none, bends = np.zeros(3), np.array(lens.coefficients)
    if lens.model == "fisheye":
        points, _ = cv2.fisheye.projectPoints(rays[:, None], none, none, K_CV, bends)
    else:
        points, _ = cv2.projectPoints(rays, none, none, K_CV, bends)
    return points.reshape(-1, 2) + 0.5


def grid_px():
    x, y = np.meshgrid(np.arange(40.5, WIDTH - 30, 40), np.arange(35.5, HEIGHT - 25, 35))
    return np.stack([x.ravel(), y.ravel()], -1)


def filmed(lens, straight_px):
    """A picture with a soft dot wherever ``lens`` puts the points that a pinhole shows at ``straight_px``."""
    rays = np.concatenate([straight_px, np.ones((len(straight_px), 1))], 1) @ np.linalg.inv(K).T
    ys, xs = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    picture = np.zeros((HEIGHT, WIDTH))
    for x, y in opencv_px(rays, lens):
        picture += 230 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 2.5**2))
    return np.repeat(picture.clip(0, 255).astype(np.uint8)[..., None], 3, -1)


def dots_px(picture, near_px, reach=8):
    """Middles of the dots nearest to each of some places."""
    ys, xs = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    found = []
    for x, y in near_px:
        weight = np.where(np.hypot(xs - x, ys - y) < reach, picture[..., 0].astype(float), 0)
        found.append([(weight * xs).sum() / weight.sum(), (weight * ys).sum() / weight.sum()])
    return np.array(found)


# --- lenses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LENSES)
def test_pictures_are_made_straight(name):
    lens, points = LENSES[name], grid_px()
    picture = filmed(lens, points)
    assert np.abs(lens.distorted(points, K) - points).max() > 1.5  # it bends
    straight = lens.straightener(K, WIDTH, HEIGHT)(picture)
    assert straight.shape == picture.shape
    inside = ((lens.distorted(points, K) > 12) & (lens.distorted(points, K) < [WIDTH - 12, HEIGHT - 12])).all(
        -1
    )
    assert inside.sum() > 15
    off = dots_px(straight, points[inside]) - points[inside]
    assert np.abs(off).max() < 0.25, np.abs(off).max()
    assert np.abs(off.mean(0)).max() < 0.05  # no half pixel is lost between the two ways to count


@pytest.mark.parametrize("name", LENSES)
def test_points_are_bent_as_opencv_bends_them(name):
    points = grid_px()
    rays = np.concatenate([points, np.ones((len(points), 1))], 1) @ np.linalg.inv(K).T
    np.testing.assert_allclose(LENSES[name].distorted(points, K), opencv_px(rays, LENSES[name]), atol=1e-9)


def test_brown_by_hand():
    lens = Lens("brown", (-0.2, 0.05, 0.003, -0.001, 0.01))
    x, y = 0.3, -0.2
    r2 = x * x + y * y
    radial = 1 - 0.2 * r2 + 0.05 * r2**2 + 0.01 * r2**3
    bent = (
        x * radial + 2 * 0.003 * x * y - 0.001 * (r2 + 2 * x * x),
        y * radial + 0.003 * (r2 + 2 * y * y) - 2 * 0.001 * x * y,
    )
    point = (K @ [x, y, 1])[None, :2]
    np.testing.assert_allclose(lens.distorted(point, K), (K @ [*bent, 1])[None, :2], atol=1e-9)


def test_fisheye_by_hand():
    lens = Lens("fisheye", (0.03, -0.01, 0.004, -0.001))
    r, angle = 0.8, 0.4
    theta = np.arctan(r)
    bent = theta * (1 + 0.03 * theta**2 - 0.01 * theta**4 + 0.004 * theta**6 - 0.001 * theta**8)
    ray, seen = (np.array([s * np.cos(angle), s * np.sin(angle), 1]) for s in (r, bent))
    np.testing.assert_allclose(lens.distorted((K @ ray)[None, :2], K), (K @ seen)[None, :2], atol=1e-9)


@pytest.mark.parametrize(
    "bad", [("brown", (1.0,) * 6), ("fisheye", (1.0,) * 5), ("brown", (np.nan,) * 4), ("fov", (1.0,) * 4)]
)
def test_lenses_that_are_none(bad):
    with pytest.raises(ChorosError, match="lens"):
        Lens(*bad)


# --- files --------------------------------------------------------------------------------------------

SIZE = (1280, 720)
MATRIX = np.array(
    [[900.25, 0, 650.5], [0, 905.5, 355.25], [0, 0, 1]]
)  # as the files of OpenCV's family count
OURS = MATRIX + HALF_PX


def storage(path, **values):
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in values.items():
        file.write(name, value)
    file.release()
    return path


@pytest.mark.parametrize("suffix", ["yml", "yaml", "xml", "json"])
@pytest.mark.parametrize(
    "names",
    [
        ("camera_matrix", "distortion_coefficients", "image_width", "image_height"),
        ("cameraMatrix", "distCoeffs", "imageWidth", "imageHeight"),
        ("K", "D", "width", "height"),
        ("Camera_Matrix", "Distortion_Coefficients", "image_Width", "image_Height"),
    ],
)
def test_files_that_opencv_wrote(tmp_path, suffix, names):
    matrix, lens, width, height = names
    path = storage(
        tmp_path / f"cam.{suffix}",
        **{width: SIZE[0], height: SIZE[1], matrix: MATRIX, lens: np.array([BROWN5])},
    )
    camera = Calibration.load(path)
    np.testing.assert_array_equal(camera.matrix, OURS)
    assert (camera.width, camera.height, camera.lens) == (*SIZE, Lens("brown", BROWN5))


ROS = """image_width: 1280
image_height: 720
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [900.25, 0.0, 650.5, 0.0, 905.5, 355.25, 0.0, 0.0, 1.0]
distortion_model: {model}
distortion_coefficients:
  rows: 1
  cols: {n}
  data: [{data}]
projection_matrix:
  rows: 3
  cols: 4
  data: [800.0, 0.0, 640.0, 0.0, 0.0, 800.0, 360.0, 0.0, 0.0, 0.0, 1.0, 0.0]
"""


@pytest.mark.parametrize(
    ("model", "coefficients", "lens"),
    [
        ("plumb_bob", BROWN5, Lens("brown", BROWN5)),
        ("rational_polynomial", (*BROWN5, 0.1, 0.2, 0.3), Lens("brown", (*BROWN5, 0.1, 0.2, 0.3))),
        ("equidistant", (0.1, 0.2, 0.3, 0.4), Lens("fisheye", (0.1, 0.2, 0.3, 0.4))),
        ("plumb_bob", (0.0,) * 5, None),
    ],
)
def test_files_of_ros(tmp_path, model, coefficients, lens):
    data = ", ".join(map(str, coefficients))
    (tmp_path / "ost.yaml").write_text(ROS.format(model=model, n=len(coefficients), data=data))
    camera = Calibration.load(tmp_path / "ost.yaml")
    assert (camera.name, camera.width, camera.height, camera.lens) == ("narrow_stereo", *SIZE, lens)
    np.testing.assert_array_equal(camera.matrix, OURS)


POSE2SIM = """[cam_0]
name = "cam_0"
size = [ 1280.0, 720.0]
matrix = [ [ 900.25, 0.0, 650.5], [ 0.0, 905.5, 355.25], [ 0.0, 0.0, 1.0]]
distortions = [ -0.21, 0.06, 0.0012, -0.002]
rotation = [ 1.5707963267948966, 0.0, 0.0]
translation = [ 0.5, 1.2, 4.0]
fisheye = false

[cam_1]
name = "cam_1"
size = [ 1280.0, 720.0]
matrix = [ [ 700.0, 0.0, 640.0], [ 0.0, 700.0, 360.0], [ 0.0, 0.0, 1.0]]
distortions = [ 0.1, 0.2, 0.3, 0.4]
rotation = [ 1.5707963267948966, 0.0, 0.0]
translation = [ 0.0, 1.0, 0.0]
fisheye = true

[metadata]
adjusted = false
error = 0.0
"""


def test_files_of_pose2sim_and_caliscope(tmp_path):
    (tmp_path / "Calib.toml").write_text(POSE2SIM)
    camera = Calibration.load(tmp_path / "Calib.toml", "cam_0")
    np.testing.assert_array_equal(camera.matrix, OURS)
    assert (camera.width, camera.height, camera.lens) == (*SIZE, Lens("brown", BROWN5[:4]))
    # A quarter turn about x takes the world's up (z) to the camera's -y; the centre is -R' t.
    np.testing.assert_allclose(
        camera.T_world_camera, [[1, 0, 0, -0.5], [0, 0, 1, -4.0], [0, -1, 0, 1.2], [0, 0, 0, 1]], atol=1e-12
    )
    assert Calibration.load(tmp_path / "Calib.toml", "cam_1").lens == Lens("fisheye", (0.1, 0.2, 0.3, 0.4))
    with pytest.raises(ChorosError, match=r"2 cameras; name one with --camera-name: cam_0, cam_1"):
        Calibration.load(tmp_path / "Calib.toml")
    with pytest.raises(ChorosError, match=r"no camera 'cam_7'; it has: cam_0, cam_1"):
        Calibration.load(tmp_path / "Calib.toml", "cam_7")
    (tmp_path / "array.toml").write_text(
        "[cameras.0]\ncam_id = 0\nsize = [1280, 720]\nmatrix = [[900.25, 0.0, 650.5], [0.0, 905.5, 355.25], "
        "[0.0, 0.0, 1.0]]\ndistortions = [-0.21, 0.06, 0.0012, -0.002, 0.004]\nfisheye = false\n"
    )
    camera = Calibration.load(tmp_path / "array.toml")
    assert (camera.name, camera.lens) == ("0", Lens("brown", BROWN5))


def test_files_of_easymocap(tmp_path):
    path = storage(
        tmp_path / "intri.yml",
        K_01=MATRIX, dist_01=np.array([BROWN5]), H_01=720, W_01=1280, K_02=2 * MATRIX, D_02=np.zeros((5, 1)),
    )  # fmt: skip
    camera = Calibration.load(path, "01")
    np.testing.assert_array_equal(camera.matrix, OURS)
    assert (camera.width, camera.height, camera.lens) == (*SIZE, Lens("brown", BROWN5))
    assert (Calibration.load(path, "02").width, Calibration.load(path, "02").lens) == (None, None)


def test_files_of_kalibr(tmp_path):
    (tmp_path / "camchain.yaml").write_text(
        "cam0:\n  T_cam_imu:\n  - [0.1, 0.2, 0.3, 0.4]\n  - [0.1, 0.2, 0.3, 0.4]\n  camera_model: pinhole\n"
        "  distortion_coeffs: [0.1, 0.2, 0.3, 0.4]\n  distortion_model: equidistant\n"
        "  intrinsics: [900.25, 905.5, 650.5, 355.25]\n  resolution: [1280, 720]\n  rostopic: /cam0/image_raw\n"
    )
    camera = Calibration.load(tmp_path / "camchain.yaml")
    np.testing.assert_array_equal(camera.matrix, OURS)
    assert (camera.width, camera.height, camera.lens) == (*SIZE, Lens("fisheye", (0.1, 0.2, 0.3, 0.4)))


def test_json_as_people_write_it(tmp_path):
    (tmp_path / "cam.json").write_text(
        json.dumps({"K": MATRIX.tolist(), "dist": list(BROWN5), "image_size": list(SIZE)})
    )
    camera = Calibration.load(tmp_path / "cam.json")
    np.testing.assert_array_equal(camera.matrix, OURS)
    assert (camera.width, camera.height, camera.lens) == (*SIZE, Lens("brown", BROWN5))


F, FY, CX, CY, A, B, C, D = 900.0, 905.0, 651.0, 355.75, -0.1, 0.05, 0.002, -0.003
COLMAP = {  # number, parameters; focal lengths, lens
    "SIMPLE_PINHOLE": (0, [F, CX, CY], (F, F), None),
    "PINHOLE": (1, [F, FY, CX, CY], (F, FY), None),
    "SIMPLE_RADIAL": (2, [F, CX, CY, A], (F, F), Lens("brown", (A, 0, 0, 0))),
    "RADIAL": (3, [F, CX, CY, A, B], (F, F), Lens("brown", (A, B, 0, 0))),
    "OPENCV": (4, [F, FY, CX, CY, A, B, C, D], (F, FY), Lens("brown", (A, B, C, D))),
    "OPENCV_FISHEYE": (5, [F, FY, CX, CY, A, B, C, D], (F, FY), Lens("fisheye", (A, B, C, D))),
    "FULL_OPENCV": (
        6, [F, FY, CX, CY, A, B, C, D, 0.1, 0.2, 0.3, 0.4], (F, FY), Lens("brown", (A, B, C, D, 0.1, 0.2, 0.3, 0.4)),
    ),
    "SIMPLE_RADIAL_FISHEYE": (8, [F, CX, CY, A], (F, F), Lens("fisheye", (A, 0, 0, 0))),
    "RADIAL_FISHEYE": (9, [F, CX, CY, A, B], (F, F), Lens("fisheye", (A, B, 0, 0))),
}  # fmt: skip
NO_LENSES = {"FOV": (7, 5), "THIN_PRISM_FISHEYE": (10, 12), "RAD_TAN_THIN_PRISM_FISHEYE": (11, 16)}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("model", COLMAP)
def test_models_of_colmap(tmp_path, model, binary):
    number, params, (fx, fy), lens = COLMAP[model]
    fov_number, fov_size = NO_LENSES["FOV"]
    if binary:
        data = struct.pack("<Q", 2)
        data += struct.pack(f"<iiQQ{fov_size}d", 1, fov_number, *SIZE, *[1.0] * fov_size)
        data += struct.pack(f"<iiQQ{len(params)}d", 7, number, *SIZE, *params)
        (tmp_path / "cameras.bin").write_bytes(data)
    else:
        words = " ".join(map(repr, params))
        (tmp_path / "cameras.txt").write_text(
            "# Camera list with one line of data per camera:\n#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"
            f"1 FOV 1280 720 1.0 1.0 1.0 1.0 1.0\n7 {model} 1280 720 {words}\n"
        )
    for path in (tmp_path, tmp_path / ("cameras.bin" if binary else "cameras.txt")):
        camera = Calibration.load(path, "7")
        np.testing.assert_array_equal(
            camera.matrix, [[fx, 0, CX], [0, fy, CY], [0, 0, 1]]
        )  # COLMAP counts as we do
        assert (camera.width, camera.height, camera.lens) == (*SIZE, lens)


@pytest.mark.parametrize("model", NO_LENSES)
def test_lenses_that_cannot_be_undone_are_named(tmp_path, model):
    number, size = NO_LENSES[model]
    (tmp_path / "cameras.bin").write_bytes(
        struct.pack("<Q", 1) + struct.pack(f"<iiQQ{size}d", 1, number, *SIZE, *[1.0] * size)
    )
    with pytest.raises(ChorosError, match=rf"model {model}, which cannot be undone"):
        Calibration.load(tmp_path)


@pytest.mark.parametrize("model", ["omni", "ds", "fov", "eucm"])
def test_models_of_other_programs_that_cannot_be_undone(tmp_path, model):
    (tmp_path / "a.yaml").write_text(ROS.format(model=model, n=4, data="0.1, 0.1, 0.1, 0.1"))
    with pytest.raises(ChorosError, match=f"model '{model}', which cannot be undone"):
        Calibration.load(tmp_path / "a.yaml")


@pytest.mark.parametrize("suffix", ["yml", "xml", "json", "toml", "txt", "bin"])
@pytest.mark.parametrize(
    "text",
    ["", "hello", "%YAML:1.0\n---\na: [1, 2\n", "K: [1, 2, 3]\n", "- 1\n- 2\n", "\x00\xff", "[a]\nb = 1\n"],
)
def test_files_that_are_no_calibration(tmp_path, suffix, text):
    path = tmp_path / f"cam.{suffix}"
    path.write_text(text)
    with pytest.raises(ChorosError) as refused:
        Calibration.load(path)
    assert str(path) in str(refused.value) or "camera cam " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_cut_off_or_missing(tmp_path):
    (tmp_path / "cameras.bin").write_bytes(struct.pack("<QiiQQ4d", 1, 1, 1, 1280, 720, 1, 2, 3, 4)[:-3])
    with pytest.raises(ChorosError, match=r"cameras\.bin cannot be read as a calibration"):
        Calibration.load(tmp_path)
    with pytest.raises(ChorosError, match=r"nothing\.toml does not exist"):
        Calibration.load(tmp_path / "nothing.toml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ChorosError, match="without COLMAP"):
        Calibration.load(tmp_path / "empty")


# --- of other sizes -----------------------------------------------------------------------------------


def test_a_calibration_is_scaled_to_the_video():
    camera = Calibration("a", ((1900.0, 0, 964), (0, 1902.0, 538), (0, 0, 1)), 1920, 1080, LENSES["brown5"])
    small = camera.fitted(480, 270)
    np.testing.assert_allclose(small.matrix, [[475, 0, 241], [0, 475.5, 134.5], [0, 0, 1]])
    assert small.lens == camera.lens  # in units of the focal length: the same at any size
    # The lens at the smaller size bends what it bent at the larger: points scale with the pictures.
    points = np.array([[100.0, 50], [1800, 900], [960, 1000]])
    np.testing.assert_allclose(
        small.lens.distorted(points / 4, small.matrix), camera.lens.distorted(points, camera.matrix) / 4
    )
    camera.fitted(854, 480)  # rounded to an even number
    # Codecs add rows below, of which some programs know and others do not: the pixels are the same.
    padded = Calibration("a", camera.K, 1920, 1088, camera.lens)
    for one, size in ((camera, (1920, 1088)), (padded, (1920, 1080))):
        assert one.fitted(*size).K == camera.K


def test_calibrations_of_another_shape_are_refused():
    camera = Calibration("left", ((1900.0, 0, 964), (0, 1902.0, 538), (0, 0, 1)), 1920, 1080)
    with pytest.raises(ChorosError, match="left is of 1920x1080 px and the video has 640x480 px"):
        camera.fitted(640, 480)
    with pytest.raises(ChorosError, match="on its side"):
        camera.fitted(1080, 1920)
    with pytest.raises(ChorosError, match="another shape"):
        camera.fitted(1920, 1200)
    unknown = Calibration("left", camera.K)  # EasyMocap's file tells no size: K itself must fit
    with pytest.raises(ChorosError, match=r"camera left: .*1928x1076 px"):
        unknown.fitted(480, 270)


# --- videos -------------------------------------------------------------------------------------------


class Dots:
    """A system that puts a box around the brightest spot."""

    name = "dots"

    def stream(self, K=None):
        return DotsStream()


class DotsStream:
    cut_before = False

    def __init__(self):
        self.frame = -1

    def encode(self, image):
        return np.unravel_index(cv2.GaussianBlur(image[..., 0], (0, 0), 2).argmax(), image.shape[:2])

    def step(self, features, time_s):
        self.frame += 1
        rows = np.zeros(1, ROW)
        rows["frame"], rows["person"], rows["visible"], rows["transl"] = self.frame, 1, True, (0, 0, 4)
        y, x = features
        rows["box_px"] = x, y, x + 1, y + 1
        return FrameResult(rows)

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

    def state(self):
        return {"frame": np.array(self.frame)}

    def restore(self, state):
        self.frame = int(state["frame"])


CORNER = np.array([[282.5, 208.5]])  # near the corner, where a lens bends most


@pytest.fixture(scope="module", params=["brown5", "fisheye"])
def bent(request, tmp_path_factory):
    """A video of one dot by a lens, its calibration, and its motion."""
    folder = tmp_path_factory.mktemp(request.param)
    lens = LENSES[request.param]
    with VideoWriter(folder / "clip.mp4", WIDTH, HEIGHT, Fraction(10)) as writer:
        for _ in range(6):
            writer.write(filmed(lens, CORNER))
    calibration = Calibration(
        "left", tuple(map(tuple, (K * [[2], [2], [1]]).tolist())), 2 * WIDTH, 2 * HEIGHT, lens
    )
    options = TrackOptions(calibration=calibration)
    track_to_file(folder / "clip.mp4", folder / "motion.npz", Dots(), options)
    return folder / "clip.mp4", calibration, Motion.load(folder / "motion.npz")


def test_systems_see_a_pinhole(bent):
    clip, calibration, motion = bent
    middle = (motion.box_px[:, :2] + motion.box_px[:, 2:]) / 2
    assert np.abs(calibration.lens.distorted(CORNER, K) - CORNER).max() > 3
    np.testing.assert_allclose(middle, np.repeat(CORNER, 6, 0), atol=0.8)  # whole pixels
    np.testing.assert_allclose(motion.K, np.tile(K, (6, 1, 1)))
    said = motion.header.provenance["calibration"]
    assert (said["camera"], said["pictures"], said["lens"]["model"]) == (
        "left",
        "undistorted",
        calibration.lens.model,
    )
    with open_video(clip, prefetch=2, calibration=calibration) as reader:
        for frame in reader:
            assert np.abs(dots_px(frame.image, CORNER) - CORNER).max() < 0.3


def test_a_motion_knows_the_lens_of_its_pictures(bent):
    _, calibration, motion = bent
    again = calibration_of(motion.header.provenance)
    assert again == calibration.fitted(WIDTH, HEIGHT)
    assert calibration_of({}) is None
    with pytest.raises(ChorosError, match="calibration that cannot be read"):
        calibration_of({"calibration": {"camera": "left"}})


def test_whoever_reads_the_video_again_sees_the_same_pictures(bent, tmp_path):
    clip, _, motion = bent
    render_video(replace_rows(motion), clip, tmp_path / "overlay.mp4")
    with open_video(tmp_path / "overlay.mp4") as reader:
        for frame in reader:
            assert np.abs(dots_px(frame.image, CORNER) - CORNER).max() < 0.5
    film = Film.of(clip, motion)
    assert np.abs(dots_px(film.image(0), CORNER) - CORNER).max() < 0.5


def replace_rows(motion):
    """The motion without anybody, whose bodies would hide the dot."""
    return Motion(motion.header, motion.frames, motion.rows[:0])


def test_the_background_is_followed_in_straight_pictures(bent, monkeypatch):
    clip, _, motion = bent
    seen = []
    monkeypatch.setattr(
        "choros.camera_motion.odometry.Odometry.step",
        lambda self, image, *_: (seen.append(image), (np.eye(3), 0.0))[1],
    )
    camera_evidence(motion, clip)
    assert len(seen) == 6
    assert np.abs(dots_px(seen[0], CORNER) - CORNER).max() < 0.3


def test_a_pinhole_leaves_pictures_alone(bent):
    clip, calibration, _ = bent
    plain = Calibration("plain", calibration.K, calibration.width, calibration.height)
    with open_video(clip) as one, open_video(clip, calibration=plain) as other:
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.image, b.image)


def test_a_video_of_another_shape_is_refused_at_once(bent, tmp_path):
    clip, calibration, _ = bent
    other = Calibration("left", calibration.K, 640, 360, calibration.lens)
    with pytest.raises(ChorosError, match="another shape"):
        open_video(clip, calibration=other)
    with pytest.raises(ChorosError, match="another shape"):
        track_to_file(clip, tmp_path / "m.npz", Dots(), TrackOptions(calibration=other))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ChorosError, match="only one of"):
        TrackOptions(fov_deg=60, calibration=calibration)
