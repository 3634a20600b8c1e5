"""How far CoMotion's fit to keypoints is to trust network and keypoints, told on data that rules may be tuned on.

    python benchmarks/keypoint_fit.py --pictures DIR/people_ccby --scenes scene:crossing:900101:2 scene:crowd:900201

Bodies as the network says them without keypoints, and the keypoints of the same people, are put together by every
setting of `GRID`. Pictures have true joints, and their people's boxes are given: PCK of the body's own keypoints.
Scenes are made up, with true bodies, of which every third frame is asked: PA-MPJPE of who can be seen, and how far they
are off in depth. The choice is the best PA-MPJPE among all whose mean of PCK@.05 and @.1 is within half a point of the
best one's. Neither is test data.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from choros import systems
from choros.body import BodyModel
from choros.body.gauss_newton import PosePrior
from choros.body.onto_keypoints import KeypointFitRules
from choros.body.pose_prior import shipped_pose_prior
from choros.camera import intrinsics, project
from choros.comotion.keypoint_fit import put_on_keypoints
from choros.comotion.person_states import PersonStates
from choros.comotion.system import Comotion
from choros.detection.neighbours import estimate_apart
from choros.evaluation.bodies import joints_m
from choros.evaluation.metrics.pose import pa_mpjpe_mm
from choros.evaluation.real.people import relative_errors, share_within
from choros.evaluation.real.pictures import read_coco_pictures, read_picture
from choros.evaluation.sources import open_data
from choros.keypoints import box_iou
from choros.rotation import rotvec_to_rotmat
from choros.tracking.assignment import assign
from choros.video import open_video

GRID = {
    "agree": ((-2.0, -1.0), (0.01, 0.03), (0.015, 0.035), (0.02, 0.04), (0.03, 0.05)),  # the first: never
    "agreeing_std_rad": (0.05, 0.1, 0.2),
    "pose_std_rad": (0.3, 0.6, 0.9, 1.3),
    "depth_std": (0.1, 0.3),
    "prior_weight": (0.05, 0.2),
}
EVERY = 3  # frames of scenes
WITHIN = 0.005  # of the best PCK
K = np.array(
    [[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]]
)  # of one camera, into which all keypoints are moved

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Looks:
    """n people as the network says them and as keypoints show them, all before one camera of `K`."""

    rows: NDArray[np.void]  # (n,) ROW
    keypoints: Floats  # (n, 17, 3)
    truth: NDArray[np.void] | Floats  # (n,) ROW, or keypoints (n, 17, 3)
    size_px: Floats  # (n,) what errors of keypoints are divided by


def in_one_camera(keypoints: Floats, K_of: Floats) -> Floats:
    """Keypoints (n, 17, 3) of a camera K_of (3, 3) as that of `K` shows them."""
    points = np.concatenate([keypoints[..., :2], np.ones((*keypoints.shape[:2], 1))], -1)
    moved = points @ (K @ np.linalg.inv(K_of)).T
    return np.concatenate([moved[..., :2], keypoints[..., 2:]], -1)


def looks_at_pictures(system: Comotion, folder: Path) -> Looks:
    """Everybody in the pictures whose boxes are given."""
    rows, keypoints, truth, size_px = [], [], [], []
    for picture in read_coco_pictures(
        folder / "coco_val2017_ccby_keypoints.json", folder / "coco_val2017_ccby"
    ):
        image, boxes_px = read_picture(picture.image), picture.boxes_px.astype(np.float32)
        K_of = intrinsics(image.shape[1], image.shape[0])
        rows.append(system.stream(K_of).begin(image, boxes_px, 0.0).rows)
        found = estimate_apart(system.finder.keypoints, image, boxes_px).astype(np.float64)
        keypoints.append(in_one_camera(found, K_of))
        truth.append(in_one_camera(picture.keypoints_px, K_of))
        size_px.append(picture.size_px * K[0, 0] / K_of[0, 0])
    return Looks(*map(np.concatenate, (rows, keypoints, truth, size_px)))


def looks_at_scenes(system: Comotion, names: Sequence[str]) -> Looks:
    """Who is tracked by pixels alone and found, and can be seen, in every third frame."""
    rows, keypoints, truth = [], [], []
    for source in (source for name in names for source in open_data(name)):
        with tempfile.TemporaryDirectory() as folder:
            clip = source.open(Path(folder), lambda *_: None)
            true, stream = clip.truth, system.stream()
            with open_video(clip.video) as video:
                for number, frame in enumerate(video):
                    said = stream.update(frame.image, frame.pts_s).rows
                    if number % EVERY:
                        continue
                    there = true.rows[(true.rows["frame"] == number) & true.rows["visible"]]
                    found = system.finder.find(frame.image)
                    who, whom = assign(box_iou(there["box_px"], said["box_px"]), 0.5)
                    asked, by = assign(box_iou(there["box_px"][who], found.boxes_px), 0.5)
                    rows.append(said[whom[asked]])
                    truth.append(there[who[asked]])
                    keypoints.append(in_one_camera(found.keypoints[by].astype(np.float64), stream.K))
    return Looks(*map(np.concatenate, (rows, keypoints, truth)), np.zeros(0))


def states(rows: NDArray[np.void], body: BodyModel) -> PersonStates:
    """Rows (n,) as people (1, n) of one frame."""
    turns = np.concatenate([rows["global_orient"], rows["body_pose"]], -1).reshape(-1, 24, 3)
    betas = torch.from_numpy(rows["betas"].copy())
    pelvis_cam = torch.from_numpy(rows["transl"].copy()) + body.rest_joints(betas)[:, 0]
    rotations = torch.from_numpy(rotvec_to_rotmat(turns)).float()
    hidden, present = torch.zeros(len(rows), 0), torch.ones(len(rows), dtype=torch.bool)
    return PersonStates(*(part[None] for part in (rotations, betas, pelvis_cam, hidden, present)))


def settings() -> Iterator[tuple[str, KeypointFitRules]]:
    """Everything in `GRID` with everything, and what ships."""
    ships = KeypointFitRules()
    yield "as it ships", ships
    for values in itertools.product(*GRID.values()):
        agree, agreeing_std_rad, pose_std_rad, depth_std, prior_weight = values
        fit = replace(ships.fit, pose_std_rad=pose_std_rad, depth_std=depth_std)
        fit = replace(fit, fit=replace(fit.fit, prior_weight=prior_weight))
        rules = replace(ships, agree=agree, agreeing_std_rad=agreeing_std_rad, fit=fit)
        yield ", ".join(map(str, values)), rules


def measured(looks: Looks, people: PersonStates, body: BodyModel) -> tuple[float, float]:
    """Of pictures PCK@.05 and @.1, of scenes PA-MPJPE in mm and the mean error of the depth's logarithm."""
    params = people.params(body)
    if looks.truth.dtype.names is None:
        points_px = project(body.keypoints(params)[0].double().numpy(), K)
        errors = relative_errors(points_px, looks.truth, looks.size_px)
        return share_within(errors, 0.05), share_within(errors, 0.1)
    joints, true = body.joints(params)[0].double().numpy(), joints_m(looks.truth, body)
    depth = np.abs(np.log(np.maximum(joints[:, 0, 2], 0.1) / true[:, 0, 2]))
    return float(pa_mpjpe_mm(joints, true).mean()), float(depth.mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, required=True, help="coco_val2017_ccby and its keypoints")
    parser.add_argument("--scenes", nargs="+", required=True, help="data of `choros bench`, made-up scenes")
    args = parser.parse_args()
    system = systems.load("comotion", fit_keypoints=False)
    body, prior = BodyModel.load(), shipped_pose_prior()
    pictures, scenes = looks_at_pictures(system, args.pictures), looks_at_scenes(system, args.scenes)
    tell(pictures, scenes, body, prior)


def tell(pictures: Looks, scenes: Looks, body: BodyModel, prior: PosePrior) -> None:
    """Print the best settings, with what ships and bodies that no keypoints moved."""
    begun = [states(looks.rows, body) for looks in (pictures, scenes)]
    found = {"no fit": (*measured(pictures, begun[0], body), *measured(scenes, begun[1], body))}
    for name, rules in settings():
        ended = (
            put_on_keypoints(body, prior, people, looks.keypoints, K, rules)
            for people, looks in zip(begun, (pictures, scenes), strict=True)
        )
        on_pictures, on_scenes = (
            measured(looks, people, body) for looks, people in zip((pictures, scenes), ended, strict=True)
        )
        found[name] = (*on_pictures, *on_scenes)
    best = max(sum(figures[:2]) / 2 for figures in found.values())
    title = f"{len(pictures.rows)} people in pictures, {len(scenes.rows)} sights in scenes; {', '.join(GRID)}"
    table = Table("", "PCK@.05", "PCK@.1", "PA-MPJPE mm", "log depth", title=title)
    for name, figures in sorted(found.items(), key=lambda item: item[1][2]):
        if name in ("no fit", "as it ships") or sum(figures[:2]) / 2 >= best - WITHIN:
            table.add_row(name, *(f"{value:.4f}" for value in figures))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
