"""Makes the picture of joint angles of docs/numbers.md: each angle of the right side, by which the body is bent.

    python tools/joint_angle_pictures.py -o docs/pictures/joint_angles.png

Each panel is a pose that has this angle, which ``isb_angles`` is asked for, and is seen from where it shows best.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.isb_angles import NAMES, isb_angles
from choros.body.posed import Skeleton
from choros.camera import intrinsics
from choros.motion import ROW
from choros.skeleton import JOINT_NAMES
from choros.view.overlay import Overlay, OverlayStyle
from choros.view.sheet import contact_sheet

WIDTH, HEIGHT, FOCAL_PX = 220, 250, 900
ARMS_DOWN = {"left_shoulder": ("z", -75), "right_shoulder": ("z", 75)}
FRONT, SIDE, ABOVE = (0, 0), (90, 0), (0, 75)  # degrees round the person to their right, and up

#: Angle, its degrees, the turns that make it (about SMPL's axes at rest), from where, and the joint in the middle.
PANELS = [
    ("hip_flexion", 45, {"right_hip": ("x", -45), **ARMS_DOWN}, SIDE, "right_hip"),
    ("hip_adduction", 20, {"right_hip": ("z", 20), **ARMS_DOWN}, FRONT, "right_knee"),
    ("hip_internal_rotation", 40, {"right_hip": ("y", 40), **ARMS_DOWN}, FRONT, "right_knee"),
    ("knee_flexion", 70, {"right_knee": ("x", 70), **ARMS_DOWN}, SIDE, "right_knee"),
    ("knee_adduction", 15, {"right_knee": ("z", 15), **ARMS_DOWN}, FRONT, "right_knee"),
    ("knee_internal_rotation", 30, {"right_knee": ("y", 30), **ARMS_DOWN}, FRONT, "right_knee"),
    ("ankle_dorsiflexion", 25, {"right_ankle": ("x", -25), **ARMS_DOWN}, SIDE, "right_ankle"),
    ("ankle_inversion", 25, {"right_ankle": ("z", 25), **ARMS_DOWN}, FRONT, "right_ankle"),
    ("ankle_internal_rotation", 25, {"right_ankle": ("y", 25), **ARMS_DOWN}, ABOVE, "right_ankle"),
    ("shoulder_plane_of_elevation", 60, {"right_shoulder": ("y", 60)}, ABOVE, "right_shoulder"),
    ("shoulder_elevation", 130, {"right_shoulder": ("z", -40)}, FRONT, "right_shoulder"),
    ("shoulder_internal_rotation", 40, {"right_shoulder": ("x", 40), "right_elbow": ("y", 90)}, FRONT, "right_elbow"),
    ("elbow_flexion", 80, {"right_elbow": ("y", 80)}, ABOVE, "right_elbow"),
    ("elbow_carrying", 20, {"right_elbow": ("z", -20)}, FRONT, "right_elbow"),
    ("elbow_pronation", 0, {"right_elbow": ("x", -90)}, FRONT, "right_elbow"),
]  # fmt: skip


def posed(turns: dict[str, tuple[str, float]], view: tuple[float, float]) -> np.ndarray:
    """() ROW of somebody who is turned like this and looked at from there."""
    row = np.zeros((), ROW)
    row["person"], row["visible"], row["confidence"] = 1, True, 1
    for joint, (axis, degrees) in turns.items():
        at = 3 * (JOINT_NAMES.index(joint) - 1)
        row["body_pose"][at : at + 3] = Rotation.from_euler(axis, degrees, degrees=True).as_rotvec()
    around, up = view
    facing = Rotation.from_matrix(np.diag([1.0, -1, -1])) * Rotation.from_euler("y", around, degrees=True)
    row["global_orient"] = (Rotation.from_euler("x", up, degrees=True) * facing).as_rotvec()
    return row


def panel(overlay: Overlay, name: str, degrees: float, turns: dict, view: tuple, middle: str) -> np.ndarray:
    row = posed(turns, view)
    told = isb_angles(np.concatenate([row["global_orient"], row["body_pose"]]).reshape(1, 24, 3))[0]
    assert abs(told[NAMES.index(f"right_{name}")] - degrees) < 1e-3, (
        name,
        told[NAMES.index(f"right_{name}")],
    )
    at = Skeleton.of(overlay.body).joints(row[None])[0, JOINT_NAMES.index(middle)]
    row["transl"] = row["transl"] - at + [0, 0, 4.2]
    blank = np.full((HEIGHT, WIDTH, 3), 248, np.uint8)
    K = intrinsics(WIDTH, HEIGHT, focal_px=FOCAL_PX)
    image = overlay.draw(blank, row[None], K, np.eye(4)).copy()
    for text, y in ((name.replace("_", " "), 16), (f"{degrees} degrees", 32)):
        cv2.putText(image, text, (8, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 46, 56), 1, cv2.LINE_AA)
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/pictures/joint_angles.png"))
    output = parser.parse_args().output
    overlay = Overlay(BodyModel.load(), WIDTH, HEIGHT, OverlayStyle(labels=False, opacity=1.0))
    sheet = contact_sheet([panel(overlay, *each) for each in PANELS], columns=5)
    cv2.imwrite(str(output), sheet[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{output}: {output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
