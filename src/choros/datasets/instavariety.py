"""InstaVariety: people of Instagram videos with OpenPose's detections for labels, in HMR's npz form.

The set exists as links to videos; 4DHumans and others pass its labels around as npz (``hmr_npz``). Read as
4DHumans's loader does; no real file was seen.
"""

from __future__ import annotations

from pathlib import Path

from choros.datasets.hmr_npz import SPIN24, read_hmr_npz
from choros.datasets.official import Official
from choros.datasets.sample import Samples

INSTAVARIETY = Official(
    "InstaVariety",
    "github.com/akanazawa/human_dynamics (video links) and the npz labels of github.com/shubham-goel/4D-Humans",
    "labels for research; the videos belong to who posted them",
)


def read_instavariety(labels: Path, images: Path) -> Samples:
    """One person a sample. Keypoints are `hmr_npz.HMR44`; confidence is the detector's, coordinates as they stand.

    Limbs are there twice, from OpenPose and from annotators where there were any; `sample.to_coco17` takes the
    surer one. SMPL fits are there where the file says so (``has_body_pose``).
    """
    return read_hmr_npz(INSTAVARIETY, labels, images, SPIN24)
