"""Motion capture files of several formats as clips of SMPL poses: readers, retargeting, training files."""

from choros.datasets.mocap.asf import read_asf_amc
from choros.datasets.mocap.bvh import read_bvh
from choros.datasets.mocap.deepmimic import read_deepmimic
from choros.datasets.mocap.expmap import read_expmap
from choros.datasets.mocap.folder import learned_and_held_out, load_folder
from choros.datasets.mocap.mocap_clip import (
    MocapClip,
    load_packed,
    mirror,
    pack,
    plausible_parts,
    resample,
    split,
    without_duplicates,
)
from choros.datasets.mocap.retarget import retarget
from choros.datasets.mocap.source_motion import SourceMotion

__all__ = [
    "MocapClip",
    "SourceMotion",
    "learned_and_held_out",
    "load_folder",
    "load_packed",
    "mirror",
    "pack",
    "plausible_parts",
    "read_asf_amc",
    "read_bvh",
    "read_deepmimic",
    "read_expmap",
    "resample",
    "retarget",
    "split",
    "without_duplicates",
]
