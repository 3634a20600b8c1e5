"""Leeds Sports Pose Extended: one person a picture, joints in one MATLAB array.

Reads the original set and its re-annotated high-resolution form (hr-lspet) alike. The layout is that of the
set's README; no real file was seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, Samples

LSP_EXTENDED = Official(
    "LSP-Extended",
    "sam.johnson.io/research/lspet.html, or hr-lspet from datasets.d2.mpi-inf.mpg.de",
    "research only",
)

LSP14 = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)  # fmt: skip


def read_lsp_extended(root: Path) -> Samples:
    """The pictures of a folder with ``joints.mat`` (14, 3, N): x, y, 1 if labelled.

    Pictures are ``images/imNNNNN.jpg`` as in the original, or ``imNNNNN.png`` beside the file as in hr-lspet.
    Coordinates are taken as they stand. Boxes and picture sizes are not in the set.
    """
    path = root / "joints.mat"
    joints = LSP_EXTENDED.mat(path, ["joints"])["joints"]
    with LSP_EXTENDED.reading(path):
        if joints.shape[:2] != (len(LSP14), 3):
            raise ValueError(f"joints of shape {joints.shape}, not (14, 3, pictures)")
    pattern = "images/im{:05d}.jpg" if (root / "images").is_dir() else "im{:05d}.png"

    def build(index: int) -> Sample:
        points = np.array(joints[:, :, index], dtype=np.float64)
        points[:, 2] = points[:, 2] > 0
        points *= points[:, 2:]
        person = PersonLabel(keypoints_px=points, keypoint_names=LSP14)
        return Sample(image=root / pattern.format(index + 1), people=(person,))

    return LSP_EXTENDED.samples(path, joints.shape[2], build, "lsp-extended")
