"""Calibrated cameras in the files of other programs, by what is in them rather than by whose they are.

Files of keys and values (YAML, XML, JSON, TOML) become one tree of plain Python values, in which a camera is a table
with a matrix: OpenCV's and ROS's whole file, one of Pose2Sim's, Caliscope's or Kalibr's sections, or EasyMocap's
``K_name``. COLMAP's cameras.txt and cameras.bin list models by name and number. OpenCV and all who build on it count
pixels from the centre of the first one, COLMAP as we do from its corner.
"""

from __future__ import annotations

import json
import re
import struct
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.camera.calibration import Calibration, rows_of
from choros.camera.lens import COEFFICIENTS, TO_CENTRES, Lens, LensModel
from choros.errors import ChorosError
from choros.rotation import rotvec_to_rotmat

Floats = NDArray[np.float64]
Cameras = dict[str, Callable[[], Calibration]]  # made only if asked for: a lens that we lack spoils no other

_OF_OPENCV = (cv2.error, SystemError)  # its reader of files raises one within the other
MAX_BYTES = 64 << 20  # calibrations are small; whatever is larger is something else

# Names of keys, as ``_plain`` writes them.
_MATRIX = (
    "cameramatrix",
    "k",
    "matrix",
    "intrinsicmatrix",
    "intrinsics",
    "intrinsic",
    "mtx",
    "cameraintrinsics",
)
_LENS = ("distortioncoefficients", "distcoeffs", "dist", "d", "distortions", "distortion", "distortioncoeffs")
_MODEL = ("distortionmodel", "distortiontype", "lensmodel", "cameramodel", "model")
_FISHEYE = ("fisheye", "fisheyemodel")
_SIZE = ("size", "imagesize", "resolution", "imsize", "imgsize")
_WIDTH, _HEIGHT = ("imagewidth", "width", "w"), ("imageheight", "height", "h")

#: What others call the two models, and what is no lens at all.
_BROWN = ("", "plumbbob", "radtan", "rationalpolynomial", "rational", "opencv", "brown", "brownconrady", "pinhole",
          "standard", "perspective", "fullopencv", "thinprism")  # fmt: skip
_ANGULAR = ("equidistant", "equi", "fisheye", "kannalabrandt", "kannalabrandt4", "kb4", "kb", "opencvfisheye")

#: COLMAP's models: number, name, how many parameters.
_COLMAP = {
    0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4), 3: ("RADIAL", 5), 4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8), 6: ("FULL_OPENCV", 12), 7: ("FOV", 5), 8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5), 10: ("THIN_PRISM_FISHEYE", 12), 11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
}  # fmt: skip


def read_cameras(path: Path) -> Cameras:
    """Cameras of a file, or of the folder of a COLMAP model, by name. Raises ``ChorosError`` if it has none."""
    if path.is_dir():
        found = [path / name for name in ("cameras.txt", "cameras.bin") if (path / name).is_file()]
        if not found:
            raise ChorosError(
                f"{path} is a folder without COLMAP's cameras.txt or cameras.bin; name the file."
            )
        path = found[0]
    if not path.is_file():
        raise ChorosError(f"{path} does not exist; give the calibration file of the camera.")
    if path.stat().st_size > MAX_BYTES:
        raise ChorosError(f"{path} is too large for a calibration file; give that of the camera.")
    try:
        data = path.read_bytes()
        if path.suffix.lower() == ".bin":
            cameras = _colmap_binary(data)
        elif path.suffix.lower() == ".txt":
            cameras = _colmap_text(data.decode())
        else:
            cameras = _cameras_of(_tree(path, data.decode("utf-8-sig")), path.stem)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error, *_OF_OPENCV) as error:
        damage = "it is damaged" if isinstance(error, _OF_OPENCV) else " ".join(str(error).split())[:120]
        raise ChorosError(f"{path} cannot be read as a calibration ({damage}); give {KNOWN}.") from error
    if not cameras:
        raise ChorosError(f"{path} holds no camera matrix; give {KNOWN}.")
    return cameras


KNOWN = (
    "OpenCV's or ROS's yml, xml or json, COLMAP's cameras.txt or cameras.bin, Pose2Sim's or Caliscope's toml, "
    "EasyMocap's intri.yml, or Kalibr's camchain.yaml"
)

# --- trees of keys and values -------------------------------------------------------------------------


def _tree(path: Path, text: str) -> dict[str, Any]:
    suffix = path.suffix.lower()
    tree: Any
    if suffix == ".toml":
        tree = tomllib.loads(text)
    elif suffix == ".json":
        tree = json.loads(text)
    else:
        tree = _file_storage(text)
    if isinstance(tree, list):
        tree = {str(index): entry for index, entry in enumerate(tree)}
    if not isinstance(tree, dict):
        raise ValueError("it is no table of keys and values")
    return tree


def _file_storage(text: str) -> Any:
    """YAML or XML by OpenCV's reader, which wants a first line that only OpenCV writes, and lists further in."""
    if not text.lstrip().startswith(("%YAML", "<?xml", "<opencv_storage")):
        text = "%YAML:1.0\n---\n" + re.sub(r"^---\n", "", text, flags=re.M)
        text = re.sub(r"^( *)- (?=[^:\n]*$)", r"\1  - ", text, flags=re.M)
    text = re.sub(r"^%YAML 1\.[0-9]", "%YAML:1.0", text.lstrip())
    storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
    try:
        return _value(storage.root())
    finally:
        storage.release()


def _value(node: Any) -> Any:
    if node.isMap():
        return {key: _value(node.getNode(key)) for key in node.keys()}  # noqa: SIM118 (it is no dict)
    if node.isSeq():
        return [_value(node.at(index)) for index in range(node.size())]
    if node.isString():
        return node.string()
    return node.real() if node.isReal() or node.isInt() else None


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _pick(table: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The value of the first of these keys that a table has."""
    by_name = {_plain(key): value for key, value in table.items()}
    return next((by_name[name] for name in names if by_name.get(name) is not None), None)


def _cameras_of(tree: Mapping[str, Any], name: str) -> Cameras:
    """The whole file as one camera, its sections as one each, or EasyMocap's keys."""
    if _pick(tree, _MATRIX) is not None:
        name = str(tree.get("camera_name") or tree.get("name") or name)
        return {name: lambda: _camera(tree, name)}
    several = {key[2:]: key for key in tree if key.startswith("K_")}
    if several:
        return {one: _lazily(_easymocap(tree, one), one) for one in several}
    cameras: Cameras = {}
    for key, table in tree.items():
        if isinstance(table, list):
            table = {str(index): entry for index, entry in enumerate(table)}
        if not isinstance(table, dict):
            continue
        if _pick(table, _MATRIX) is not None:
            one = str(table.get("name") or key)
            cameras[one] = _lazily(table, one)
        elif _plain(key) in ("cameras", "cams", "calibration", "intrinsics"):
            cameras |= _cameras_of(table, name)
    return cameras


def _lazily(table: Mapping[str, Any], name: str) -> Callable[[], Calibration]:
    return lambda: _camera(table, name)


def _easymocap(tree: Mapping[str, Any], name: str) -> dict[str, Any]:
    keys = {"K": ("K",), "dist": ("dist", "D"), "width": ("W",), "height": ("H",)}
    return {
        key: tree[f"{word}_{name}"]
        for key, words in keys.items()
        for word in words
        if f"{word}_{name}" in tree
    }


def _array(value: Any) -> Floats:
    """A list, a list of lists, or a matrix with rows, columns and data as OpenCV and ROS write it."""
    if isinstance(value, Mapping):
        by_name = {_plain(key): entry for key, entry in value.items()}
        array = np.array(by_name["data"], np.float64)
        return array.reshape(int(by_name["rows"]), int(by_name["cols"]))
    return np.array(value, np.float64)


def _camera(table: Mapping[str, Any], name: str) -> Calibration:
    try:
        K = _array(_pick(table, _MATRIX))
        if K.size == 4:  # Kalibr's fx fy cx cy
            fx, fy, cx, cy = K.ravel()
            K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        K = K.reshape(3, 3)
        lens = _pick(table, _LENS)
        coefficients = np.zeros(0) if lens is None else _array(lens).ravel()
        width, height = _size(table)
    except (KeyError, TypeError, ValueError) as error:
        raise ChorosError(
            f"camera {name} of the calibration has a matrix, distortion or size that cannot be read ({error})."
        ) from error
    return Calibration(
        name,
        rows_of(np.linalg.inv(TO_CENTRES) @ K),
        width,
        height,
        _lens(table, coefficients, name),
        _pose(table),
    )


def _size(table: Mapping[str, Any]) -> tuple[int | None, int | None]:
    size = _pick(table, _SIZE)
    width, height = (
        (_pick(table, _WIDTH), _pick(table, _HEIGHT)) if size is None else _array(size).ravel()[:2]
    )
    if width is None or height is None or min(float(width), float(height)) <= 0:  # EasyMocap's -1: not known
        return None, None
    return int(width), int(height)


def _lens(table: Mapping[str, Any], coefficients: Floats, name: str) -> Lens | None:
    said = _pick(table, _MODEL)
    word = _plain(said) if isinstance(said, str) else ""
    if _pick(table, _FISHEYE) in (True, 1, "true", "True", "1"):
        word = "fisheye"
    if word == "none" or (
        not coefficients.any() and np.isfinite(coefficients).all() and word not in _ANGULAR
    ):
        return None
    if word not in (*_BROWN, *_ANGULAR):
        raise ChorosError(
            f"camera {name} has a lens of model {said!r}, which cannot be undone here; calibrate it with OpenCV's "
            "or OpenCV's fisheye model."
        )
    model: LensModel = "fisheye" if word in _ANGULAR else "brown"
    # Whoever leaves out trailing terms means zeros.
    takes = next((n for n in COEFFICIENTS[model] if n >= len(coefficients)), len(coefficients))
    return Lens(model, tuple(np.pad(coefficients, (0, takes - len(coefficients))).tolist()))


def _pose(table: Mapping[str, Any]) -> Any:
    """Where the camera stood, four rows, if the file has its rotation (vector or matrix) and translation, metres."""
    rotation, translation = (
        _pick(table, ("rotation", "r", "rvec")),
        _pick(table, ("translation", "t", "tvec")),
    )
    try:
        turn, t = _array(rotation), _array(translation).ravel()
        R = rotvec_to_rotmat(turn.reshape(3)) if turn.size == 3 else turn.reshape(3, 3)
        if t.size != 3 or not (np.isfinite(R).all() and np.isfinite(t).all()):
            return None
    except (KeyError, TypeError, ValueError):
        return None
    T_camera_world = np.eye(4)
    T_camera_world[:3, :3], T_camera_world[:3, 3] = R, t
    return rows_of(np.linalg.inv(T_camera_world))


# --- COLMAP -------------------------------------------------------------------------------------------


def _colmap_text(text: str) -> Cameras:
    cameras: Cameras = {}
    for line in text.splitlines():
        words = line.split()
        if not words or line.lstrip().startswith("#"):
            continue
        name, model, width, height = words[0], words[1], int(words[2]), int(words[3])
        if not re.fullmatch(r"[A-Z_0-9]+", model) or not name.isascii() or not name.isdigit():
            raise ValueError("its lines are not COLMAP's: number, model, width, height, parameters")
        params = [float(word) for word in words[4:]]
        cameras[name] = _colmap(name, model, width, height, params)
    return cameras


def _colmap_binary(data: bytes) -> Cameras:
    (count,) = struct.unpack_from("<Q", data)
    if count > len(data):
        raise ValueError("its number of cameras does not fit its length")
    cameras: Cameras = {}
    at = 8
    for _ in range(count):
        number, model, width, height = struct.unpack_from("<iiQQ", data, at)
        if model not in _COLMAP:
            raise ChorosError(
                f"camera {number} has a lens of COLMAP's model {model}, which cannot be undone here; use OPENCV."
            )
        name, size = _COLMAP[model]
        params = list(struct.unpack_from(f"<{size}d", data, at + 24))
        cameras[str(number)] = _colmap(str(number), name, width, height, params)
        at += 24 + 8 * size
    return cameras


def _colmap(name: str, model: str, width: int, height: int, params: list[float]) -> Callable[[], Calibration]:
    sizes = {known: size for known, size in _COLMAP.values()}
    if model in sizes and len(params) != sizes[model]:
        raise ValueError(f"camera {name}: {model} has {sizes[model]} parameters, not {len(params)}")

    def camera() -> Calibration:
        single = model.startswith("SIMPLE_") or model in ("RADIAL", "RADIAL_FISHEYE")
        fx, fy, cx, cy, *k = [params[0], *params] if single else params
        known: dict[str, tuple[str, list[float]]] = {
            "SIMPLE_PINHOLE": ("", []), "PINHOLE": ("", []), "SIMPLE_RADIAL": ("brown", [*k, 0, 0, 0]),
            "RADIAL": ("brown", [*k, 0, 0]), "OPENCV": ("brown", k), "FULL_OPENCV": ("brown", k),
            "OPENCV_FISHEYE": ("fisheye", k), "SIMPLE_RADIAL_FISHEYE": ("fisheye", [*k, 0, 0, 0]),
            "RADIAL_FISHEYE": ("fisheye", [*k, 0, 0]),
        }  # fmt: skip
        if model not in known:
            raise ChorosError(
                f"camera {name} has a lens of COLMAP's model {model}, which cannot be undone here; undistort the "
                "pictures with COLMAP, or calibrate with the model OPENCV or OPENCV_FISHEYE."
            )
        kind, coefficients = known[model]
        straight = kind == "" or (kind == "brown" and not any(coefficients))
        lens = None if straight else Lens(cast(LensModel, kind), tuple(coefficients))
        return Calibration(name, ((fx, 0.0, cx), (0.0, fy, cy), (0.0, 0.0, 1.0)), width, height, lens)

    return camera
