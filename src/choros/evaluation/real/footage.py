"""Where the footage of the bench lies under one folder, and where people get it.

None of it comes with choros, and none of it is ever trained on. ``docs/benchmarks.md`` says how the folder is filled;
a row whose files are missing is named as not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FIXTURES = "pictures/mmpose_fixtures"


@dataclass(frozen=True)
class FootageFiles:
    """Files of one row, relative to the folder of the footage, and where they come from."""

    files: tuple[str, ...]
    get: str

    def missing(self, root: Path) -> str | None:
        """What is to be fetched to measure this, in words; None if all of it is there."""
        gone = [name for name in self.files if not (root / name).exists()]
        return f"{gone[0]}: {self.get}" if gone else None


POSE2SIM = FootageFiles(
    (*(f"real/single_cam0{view}.mp4" for view in (1, 2, 3, 4)), "real/single_truth.npz"),
    "demo of pose2sim 0.10.49 on PyPI",
)
LSP_EXTENDED = FootageFiles(
    ("real/lsp_extended/joints.mat", "real/lsp_extended/im00001.jpg"), "Leeds Sports Pose Extended"
)
COCO_BYSA = FootageFiles(
    ("real/coco_bysa/person_keypoints.json", "real/coco_bysa/images"), "share-alike part of COCO val2017"
)
FIXTURES = FootageFiles(
    (
        f"{_FIXTURES}/coco/test_coco.json",
        f"{_FIXTURES}/crowdpose/test_crowdpose.json",
        f"{_FIXTURES}/ochuman/test_ochuman.json",
        f"{_FIXTURES}/posetrack18/annotations/val",
        f"{_FIXTURES}/mpii/test_mpii.json",
        f"{_FIXTURES}/jhmdb/test_jhmdb_sub1.json",
    ),
    "tests/data of mmpose",
)
PICTURES_3D = FootageFiles(
    (
        f"{_FIXTURES}/h36m/test_h36m_body3d.npz",
        f"{_FIXTURES}/h36m/cameras.pkl",
        f"{_FIXTURES}/mpi_inf_3dhp/test_3dhp_train.npz",
        f"{_FIXTURES}/mpi_inf_3dhp/test_3dhp_test.npz",
    ),
    "tests/data of mmpose",
)
VTEST = FootageFiles(
    ("clips/vtest.avi", "real/vtest_gt.csv"), "OpenCV's sample and PETS09-S2L1 of 2D MOT 2015"
)


def fixtures(root: Path) -> Path:
    """The folder of mmpose's test data."""
    return root / _FIXTURES
