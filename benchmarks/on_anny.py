"""How far Anny's skin is from ours, for people of many shapes in poses that are likely.

    python benchmarks/on_anny.py [--picture FILE.png]

Needs `pip install "choros[anny]"`; the first run makes Anny's own files, for some minutes. Eight people of betas drawn
with the variance of a population, two of them children, in 25 poses each, drawn from the pose prior that ships.
--picture draws ours above Anny's, of each in one pose.
"""

import argparse
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from mocap_retarget import mesh

from choros.body import BodyModel
from choros.body.pose_prior import shipped_pose_prior
from choros.body.skinned import vertices_of
from choros.exporters import FORMATS, ExportOptions
from choros.exporters.anny.report import told
from choros.motion import FRAME, ROW, Header, Motion

PEOPLE, CHILDREN, POSES, FPS = 8, 2, 25, 25
Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # from z up


def drawn_people() -> Motion:
    """Everybody in every frame, in the world, looking along -y, each frame another pose."""
    rng = np.random.default_rng(0)
    frames = np.zeros(POSES, FRAME)
    frames["number"], frames["K"], frames["T_world_camera"] = np.arange(POSES), np.eye(3), np.eye(4)
    frames["pts"] = [[i, FPS] for i in range(POSES)]
    rows = np.zeros(POSES * PEOPLE, ROW)
    rows["frame"], rows["person"] = np.divmod(np.arange(len(rows)), PEOPLE)
    rows["person"] += 1
    rows["confidence"], rows["visible"] = 1, True
    rows["betas"] = rng.normal(0, 1, (PEOPLE, 10))[rows["person"] - 1]
    kids = np.append(np.zeros(PEOPLE - CHILDREN), np.linspace(0.5, 1, CHILDREN))
    rows["kid"] = kids[rows["person"] - 1]
    prior = shipped_pose_prior()
    noise = np.linalg.solve(prior.precision_root, rng.normal(size=(63, len(rows))))
    rows["body_pose"][:, :63] = prior.mean + noise.T
    rows["global_orient"], rows["transl"] = (np.pi / 2, 0, 0), (0, 0, 1)
    return Motion(Header(Fraction(FPS), 640, 480, space="world"), frames, rows)


def picture(motion: Motion, files: list[Path], body: BodyModel) -> np.ndarray:
    """Ours above Anny's, of each person in a pose of their own."""
    import anny
    import torch

    model = anny.Anny(skinning_method="lbs")
    columns = []
    for i, file in enumerate(files):
        ours = vertices_of(motion.person(i + 1).rows[i : i + 1], body)[0]
        with np.load(file) as said, torch.inference_mode():
            pose = torch.from_numpy(said["pose_parameters"][i : i + 1]).to(model.dtype)
            shape = dict(zip(said["phenotype_labels"].tolist(), said["phenotypes"].tolist(), strict=True))
            theirs = model(pose_parameters=pose, phenotype_kwargs=shape)["vertices"][0].numpy()
        pair = ((ours, body.faces), (theirs, model.faces))
        columns.append(np.vstack([mesh(v @ Y_UP.T, faces.numpy(), side=False) for v, faces in pair]))
    return np.hstack(columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    body, motion = BodyModel.load(), drawn_people()
    with TemporaryDirectory() as folder:
        start, cpu = time.perf_counter(), time.process_time()
        files = FORMATS["anny"].write(motion, Path(folder) / "motion.anny.npz", ExportOptions(body=body))
        took_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
        off_mm = []
        for file in files:
            print(f"{file.name}: {told(file)}")
            with np.load(file) as said:
                off_mm.append(1000 * said["off_m"])
        off_mm = np.array(off_mm)
        grown = off_mm[: PEOPLE - CHILDREN]
        print(f"grown people: mean {grown.mean():.1f} mm, worst frame {grown.max():.1f} mm")
        print(f"everybody: mean {off_mm.mean():.1f} mm, worst frame {off_mm.max():.1f} mm")
        print(f"{len(motion.rows)} poses of {PEOPLE} people in {took_s:.0f} s ({cpu_s:.0f} s CPU)")
        if options.picture:
            cv2.imwrite(str(options.picture), picture(motion, files, body)[..., ::-1])


if __name__ == "__main__":
    main()
