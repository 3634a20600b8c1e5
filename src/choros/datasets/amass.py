"""AMASS: motion capture of many laboratories as SMPL-H or SMPL-X parameters, one npz a clip; no pictures.

The layout is that of the set's own notebooks. ``choros``'s own `Motion.to_amass` writes the SMPL-H form of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from choros.datasets.official import Official
from choros.datasets.sample import BodyName, PersonLabel, Sample, Samples, SmplPose

AMASS = Official(
    "AMASS",
    "amass.is.tue.mpg.de (SMPL+H G or SMPL-X G)",
    "non-commercial research only, as agreed to on registration",
)
#: Numbers of pose in a frame: SMPL-H has 52 joints, SMPL-X 55.
_MODELS: dict[int, BodyName] = {156: "smplh", 165: "smplx"}


def read_amass(clip: Path) -> Samples:
    """Every frame of a clip: one person in AMASS's world, z up (`Sample.space` is "world"), metres.

    The first 22 joints are SMPL's; fingers, jaw and eyes are left out, betas cut to 10 of the model's own.
    """
    rates = ("mocap_framerate", "mocap_frame_rate")  # SMPL-H's and SMPL-X's spelling
    content = AMASS.npz(clip, ["poses", "trans", "betas"], ["gender", *rates])
    with AMASS.reading(clip):
        rate = next((float(content[name]) for name in rates if name in content), None)
        if rate is None:
            raise KeyError("mocap_framerate")
        poses, trans, betas = (content[name].astype(np.float64) for name in ("poses", "trans", "betas"))
        model = _MODELS[poses.shape[1]]
        raw = content["gender"].item() if "gender" in content else "neutral"
        gender = raw.decode() if isinstance(raw, bytes) else str(raw)
        if len(trans) != len(poses):
            raise ValueError(f"{len(trans)} places for {len(poses)} poses")

    def build(frame: int) -> Sample:
        body_pose = np.zeros(69)
        body_pose[:63] = poses[frame, 3:66]
        smpl = SmplPose(poses[frame, :3], body_pose, betas.ravel()[:10], trans[frame], gender, model)
        return Sample(
            frame=frame,
            sequence=f"{clip.parent.name}/{clip.stem}",
            time_s=frame / rate,
            space="world",
            people=(PersonLabel(clip.parent.name, smpl=smpl),),
        )

    return AMASS.samples(clip, len(poses), build, f"{clip.parent.name}/{clip.stem}")
