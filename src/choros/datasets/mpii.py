"""MPII Human Pose: one MATLAB file for all pictures.

The order of the joints is checked against a real excerpt converted by others; the MATLAB file itself, whose
structs leave out what was not labelled, was not seen and is read as its published description says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, Samples, square_box
from choros.skeleton import MPII16

MPII = Official(
    "MPII Human Pose",
    "human-pose.mpi-inf.mpg.de (annotations v1_u12 and images)",
    "Simplified BSD for the annotations; research only for the pictures",
)
#: MATLAB counts pixels from 1; their centres lie at number - 1/2.
_SHIFT_PX = -0.5
#: The file's scale is a person's height over 200 px.
_SCALE_PX = 200


def read_mpii(annotations: Path, images: Path, split: Literal["train", "test", "all"] = "train") -> Samples:
    """Pictures of ``mpii_human_pose_v1_u12_1.mat``; images is the folder of the ``.jpg`` files.

    A person's box is the square of side 200 x scale about ``objpos``, as HMR and others take it. People of
    the test split have a box and no joints. The whole index is loaded at once (some seconds).
    """
    release = MPII.mat(annotations, ["RELEASE"])["RELEASE"]
    with MPII.reading(annotations):
        release = release.item()
        entries, training = release.annolist.ravel(), release.img_train.ravel() == 1
        chosen = {
            "train": np.flatnonzero(training),
            "test": np.flatnonzero(~training),
            "all": np.arange(len(entries)),
        }[split]

    def build(index: int) -> Sample:
        entry = entries[chosen[index]]
        name = str(entry.image.item().name.item())
        rectangles = np.ravel(getattr(entry, "annorect", ()))
        people = tuple(_person(r) for r in rectangles if _field(r, "objpos") is not None)
        return Sample(image=images / name, people=people)

    return MPII.samples(annotations, len(chosen), build, f"mpii-{split}")


def _field(struct: Any, name: str) -> Any:
    """A struct's field as a scalar or struct; None where it is left out or empty."""
    value = getattr(struct, name, None)
    return None if value is None or value.size == 0 else value.ravel()[0]


def _person(rectangle: Any) -> PersonLabel:
    place, scale = _field(rectangle, "objpos"), _field(rectangle, "scale")
    center = np.array([_field(place, "x"), _field(place, "y")], dtype=np.float64) + _SHIFT_PX
    box = square_box(center, scale * _SCALE_PX) if scale is not None else None
    head = [_field(rectangle, name) for name in ("x1", "y1", "x2", "y2")]
    head_box = None if None in head else np.array(head, dtype=np.float64) + _SHIFT_PX
    annotated = _field(rectangle, "annopoints")
    if annotated is None:
        return PersonLabel(box_px=box, head_box_px=head_box)
    points, visible = np.zeros((len(MPII16), 3)), np.zeros(len(MPII16), dtype=bool)
    for point in annotated.point.ravel():
        joint = int(_field(point, "id"))
        points[joint] = _field(point, "x") + _SHIFT_PX, _field(point, "y") + _SHIFT_PX, 1
        visible[joint] = str(_field(point, "is_visible")) == "1"  # a number, a letter or nothing
    return PersonLabel(None, box, head_box, points, MPII16, visible)
