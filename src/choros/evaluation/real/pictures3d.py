"""The few pictures with 3D truth of mmpose's test data: four of Human3.6M, four of MPI-INF-3DHP.

PA-MPJPE over the twelve limb joints that both sides name alike: left and right hip, knee, ankle, shoulder, elbow and
wrist are taken by name from SMPL's 24 joints and from the data set's own 17; nothing is regressed, so a few
centimetres between SMPL's hips and shoulders and those of the data set's markers count as error. The system is given
the true K and sees the picture as the first frame of a video; the person is whose box or keypoints match. Whom it
does not find counts as missed, and is then measured with the box given, so that every mean is over the same eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.datasets.human36m import read_human36m_npz
from choros.datasets.mpi_inf_3dhp import MPI_INF_3DHP, read_mpi_inf_3dhp_npz
from choros.datasets.sample import Sample, intrinsics, to_coco17
from choros.errors import ChorosError
from choros.evaluation.bodies import joints_m
from choros.evaluation.metrics.pose import mpjpe_mm, pa_mpjpe_mm
from choros.evaluation.real.people import Floats, answer, match
from choros.evaluation.real.pictures import body_of, grown, read_picture
from choros.evaluation.real.result import Result, ResultPicture, mean_of
from choros.evaluation.sources import ProgressCall
from choros.keypoints import box_of_keypoints
from choros.skeleton import JOINT_NAMES
from choros.tracking.stream import GivenStream, System

#: Joints of the same name in SMPL, Human3.6M and MPI-INF-3DHP.
SHARED = tuple(
    f"{side}_{joint}"
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    for side in ("left", "right")
)
_HIPS = (SHARED.index("left_hip"), SHARED.index("right_hip"))
_GROWN = 1.25  # of the box around the keypoints


def read_pictures(h36m: Path, mpi: Path) -> list[Sample]:
    """The eight samples, with K, of the two folders of mmpose's test data."""
    samples = []
    for sample in read_human36m_npz(h36m / "test_h36m_body3d.npz", h36m, h36m / "cameras.pkl"):
        samples.append(replace(sample, sequence="Human3.6M"))
    for part in ("train", "test"):
        cameras = MPI_INF_3DHP.pickle(mpi / f"cameras_{part}.pkl")
        for sample in read_mpi_inf_3dhp_npz(mpi / f"test_3dhp_{part}.npz", mpi):
            view = sample.path.stem.rsplit("_", 1)[0]  # TS1_002001, S4_Seq2_Cam0_001033
            with MPI_INF_3DHP.reading(mpi / f"cameras_{part}.pkl"):
                K = intrinsics(cameras[view]["f"], cameras[view]["c"])
            samples.append(replace(sample, K=K, sequence="MPI-INF-3DHP"))
    return samples


def shared_joints(joints: Floats, names: Sequence[str]) -> Floats:  # (..., J, 3) -> (..., 12, 3)
    """The joints called as in ``SHARED``, in its order."""
    return np.asarray(joints[..., [names.index(name) for name in SHARED], :], np.float64)


def measure(name: str, system: System, samples: Sequence[Sample], progress: ProgressCall) -> Result:
    """PA-MPJPE of each picture, and of each of the two sets."""
    body, parts, shots = body_of(system), [], []
    for number, sample in enumerate(samples):
        progress(f"{name}: pictures with 3D", number, len(samples))
        image, (person,), K = read_picture(sample.path), sample.people, sample.K
        if person.joints_m is None or K is None:
            raise ChorosError(f"{sample.path} has no joints in 3D or no K; fetch the test data again.")
        keypoints = to_coco17(person)
        box = grown(box_of_keypoints(keypoints), _GROWN)
        row, found = _person(system, image, K, box, keypoints)
        mine = shared_joints(joints_m(row, body), JOINT_NAMES)[0]
        true = shared_joints(person.joints_m, person.joint_names)
        known = np.asarray(np.isfinite(true).all(-1))  # of one picture of MPI-INF-3DHP the wrists are not
        hips = [int(known[:hip].sum()) for hip in _HIPS]
        part: dict[str, Any] = {
            "picture": sample.path.name,
            "set": sample.sequence,
            "found": found,
            "pa_mpjpe_mm": float(pa_mpjpe_mm(mine[known], true[known])),
            "mpjpe_mm": float(mpjpe_mm(mine[known], true[known], root=hips)),
        }
        parts.append(part)
        caption = f"{part['picture'][:12]} PA {part['pa_mpjpe_mm']:.0f} mm"
        shots.append(ResultPicture(sample.path, None, row, K, caption, box, -part["pa_mpjpe_mm"]))
    metrics = mean_of(parts, ("pa_mpjpe_mm",)) | {"missed": float(sum(not part["found"] for part in parts))}
    for data in dict.fromkeys(part["set"] for part in parts):
        metrics[f"{data} pa_mpjpe_mm"] = mean_of([p for p in parts if p["set"] == data], ("pa_mpjpe_mm",))[
            "pa_mpjpe_mm"
        ]
    return Result("pictures3d", f"{len(parts)} pictures with 3D", name, metrics, parts, shots)


def _person(
    system: System, image: NDArray[np.uint8], K: Floats, box: Floats, keypoints: Floats
) -> tuple[NDArray[np.void], bool]:
    """The row of the person, (1,), and whether the system found it by itself."""
    rows = system.stream(K).update(image, 0.0).rows
    rows = rows[rows["visible"]]
    (who,) = match(answer(rows, K, body_of(system)), box[None], keypoints[None])
    if who >= 0:
        return rows[who : who + 1], True
    stream = system.stream(K)
    if isinstance(stream, GivenStream):
        return stream.begin(image, box[None].astype(np.float32), 0.0).rows, False
    return rows[:0], False
