"""Scenes as files: a video with its truth, in choros's own form and in those of public data sets.

``write_scene`` fills a folder with ``video.mp4`` and, as asked for:

==============  =================================================================================
``motion``      ``motion.npz`` (``choros.motion``) and ``arrays.npz`` (``SceneTruth``)
``posetrack``   ``posetrack.json``, PoseTrack21's form with ignore regions
``coco``        ``coco.json``, COCO keypoints of every frame
``mot``         ``gt/gt.txt`` and ``seqinfo.ini`` as in the MOT Challenge, visibility included
``masks``       ``masks/000001.png``: the number of the person seen in each pixel, 0 for nobody
==============  =================================================================================

The three in the middle come with their pictures, ``img1/000001.jpg``. As in real sets, people of whom too little
can be seen are not labelled; the place where they are is then an ignore region (a crowd, in COCO's words).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from choros._version import __version__
from choros.errors import ChorosError
from choros.exporters.coco import CocoFile, PoseTrackFile, picture_name, xywh
from choros.outputs import atomic_write, claimed
from choros.scenes.truth.scene_truth import SceneTruth
from choros.video import VideoWriter

if TYPE_CHECKING:
    from choros.scenes.scene import Scene, SceneConfig

WELL_CODED = 16  # x264's CRF: what scenes that code nothing themselves are written with
FORMATS = ("motion", "posetrack", "coco", "mot", "masks")
PEDESTRIAN, DISTRACTOR = 1, 8  # classes of the MOT Challenge
LABELLED_PX = 24.0  # height in the picture below which nobody is labelled

Progress = Callable[[int, int], None]


def write_scene(
    scene: Scene,
    folder: Path,
    formats: Sequence[str] = ("motion",),
    progress: Progress = lambda done, total: None,
) -> None:
    """A scene into a folder, which is made if need be; ``progress(done, total)`` is called after each frame.

    Raises ChorosError for an unknown format.
    """
    if unknown := set(formats) - set(FORMATS):
        raise ChorosError(f'there is no format "{min(unknown)}"; choose from: {", ".join(FORMATS)}.')
    folder.mkdir(parents=True, exist_ok=True)
    width, height = scene.config.width, scene.config.height
    # Coded once: by the file itself, as poorly as the scene's camera codes.
    crf = WELL_CODED if scene.damage.crf is None else scene.damage.crf
    with VideoWriter(folder / "video.mp4", width, height, scene.fps, crf=crf) as video:
        for frame in range(scene.n_frames):
            image = scene.taken(frame)
            video.write(image, frame / scene.fps)
            if not {"posetrack", "coco", "mot"}.isdisjoint(formats):
                _picture(folder / picture_name(frame + 1), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            if "masks" in formats:
                _picture(folder / "masks" / f"{frame + 1:06d}.png", scene.masks(frame).astype(np.uint8))
            progress(frame + 1, scene.n_frames)
    truth, name = scene.arrays, f"{scene.kind}_{scene.seed}"
    if "motion" in formats:
        scene.truth.save(folder / "motion.npz")
        truth.save(folder / "arrays.npz")
    if "posetrack" in formats:
        write_posetrack(folder / "posetrack.json", truth, width, height, name)
    if "coco" in formats:
        write_coco(folder / "coco.json", truth, width, height)
    if "mot" in formats:
        write_mot_sequence(folder, truth, width, height, scene.fps, name)


def ensure_scene(
    folder: Path,
    kind: str,
    seed: int,
    config: SceneConfig,
    formats: Sequence[str] = ("motion",),
    progress: Progress = lambda done, total: None,
) -> bool:
    """Write a scene unless the folder holds it already; whether it was written.

    The folder appears under its name whole or not at all. ``scene.json`` in it tells what was asked for; a
    folder that holds something else, or that another run is writing, is left alone: ChorosError.
    """
    options = {key: None if value is None else str(value) for key, value in asdict(config).items()}
    asked = {"kind": kind, "seed": seed, "formats": sorted(set(formats)), "options": options}
    if _made(folder, asked):
        return False
    with claimed(folder):
        if _made(folder, asked):  # by a run that has just ended
            return False
        _write_whole(folder, kind, seed, config, asked, progress)
    return True


def _made(folder: Path, asked: dict[str, Any]) -> bool:
    if folder.exists() and _told(folder / "scene.json") != asked:
        raise ChorosError(
            f"{folder} holds something else than this scene with these options; "
            "give another folder, or remove it."
        )
    return folder.exists()


def _write_whole(
    folder: Path, kind: str, seed: int, config: SceneConfig, asked: dict[str, Any], progress: Progress
) -> None:
    from choros.scenes.scene import make_scene

    scene = make_scene(kind, seed, config)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was stopped; the folder is claimed
    write_scene(scene, part, asked["formats"], progress)
    with atomic_write(part / "scene.json") as file:
        file.write(json.dumps(asked | {"choros": __version__}).encode())
    os.replace(part, folder)


def _told(path: Path) -> Any:
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return {key: told[key] for key in told if key != "choros"} if isinstance(told, dict) else None


# --- who is labelled ------------------------------------------------------------------------------


def labelled(truth: SceneTruth) -> NDArray[np.bool_]:  # (T, P)
    """Whom an annotator would label: people who can be seen, and not as mere dots."""
    return truth.visible & (truth.box_px[..., 3] - truth.box_px[..., 1] >= LABELLED_PX)


def ignore_regions(truth: SceneTruth, frame: int) -> NDArray[np.float64]:  # (n, 4) xyxy px
    """Where people are who are not labelled; boxes that overlap are drawn as one around them all."""
    left_out = truth.in_frame[frame] & ~labelled(truth)[frame]
    regions: list[NDArray[np.float64]] = []
    for box in truth.box_px[frame, left_out].astype(np.float64):
        apart = []
        for region in regions:
            if np.all(np.maximum(box[:2], region[:2]) < np.minimum(box[2:], region[2:])):
                box = np.concatenate([np.minimum(box[:2], region[:2]), np.maximum(box[2:], region[2:])])
            else:
                apart.append(region)
        regions = [*apart, box]
    return np.array(regions).reshape(-1, 4)


# --- the forms of public data sets ----------------------------------------------------------------


def write_posetrack(path: Path, truth: SceneTruth, width: int, height: int, name: str) -> None:
    """One video as PoseTrack21 writes it, for ``datasets.posetrack.read_posetrack(path, path.parent)``.

    Keypoints that cannot be seen are not labelled.
    """
    known = labelled(truth)
    out = PoseTrackFile(name, width, height, n_frames=len(truth))
    for frame in range(len(truth)):
        out.frame(frame + 1, labelled=bool(known[frame].any()), ignore_px=ignore_regions(truth, frame))
        for number in np.flatnonzero(known[frame]):
            out.person(
                int(truth.person[number]),
                truth.box_px[frame, number],
                truth.head_px[frame, number],
                truth.keypoints_px[frame, number],
            )
    out.save(path)


def write_coco(path: Path, truth: SceneTruth, width: int, height: int) -> None:
    """Every frame as COCO writes its keypoints, for ``datasets.coco.read_coco(path, path.parent / "img1")``."""
    known = labelled(truth)
    out = CocoFile(width, height)
    for frame in range(len(truth)):
        out.frame(frame + 1)
        for number in np.flatnonzero(known[frame]):
            points = truth.keypoints_px[frame, number]
            out.person(
                int(truth.person[number]), truth.box_px[frame, number], points[:, :2], points[:, 2] > 0
            )
        for box in ignore_regions(truth, frame):
            out.crowd(box)
    out.save(path)


def write_mot_sequence(
    folder: Path, truth: SceneTruth, width: int, height: int, fps: Fraction, name: str
) -> None:
    """``gt/gt.txt`` and ``seqinfo.ini`` of a MOT Challenge sequence whose pictures are in ``img1``.

    A line is frame from 1, identity, left, top, width, height in px (continuous), 1 if it counts, class, visible
    fraction. People who are not labelled do not count and are distractors (class 8, not 1): whoever is tracked
    there is neither right nor wrong.
    """
    known, lines = labelled(truth), []
    for frame, number in np.argwhere(truth.in_frame):
        box = ",".join(f"{value:.2f}" for value in xywh(truth.box_px[frame, number]))
        share, counts = truth.visible_fraction[frame, number], int(known[frame, number])
        kind = PEDESTRIAN if counts else DISTRACTOR
        lines.append(f"{frame + 1},{truth.person[number]},{box},{counts},{kind},{share:.4f}\n")
    info = {
        "name": name, "imDir": "img1", "frameRate": f"{float(fps):g}", "seqLength": len(truth),
        "imWidth": width, "imHeight": height, "imExt": ".jpg",
    }  # fmt: skip
    with atomic_write(folder / "gt" / "gt.txt") as file:
        file.write("".join(lines).encode())
    with atomic_write(folder / "seqinfo.ini") as file:
        file.write("\n".join(["[Sequence]", *(f"{key}={value}" for key, value in info.items()), ""]).encode())


# --- files ----------------------------------------------------------------------------------------


def _picture(path: Path, image: NDArray[Any]) -> None:
    """A uint8 picture, BGR or grey; not by cv2.imwrite, which cannot open every name on Windows."""
    encoded = cv2.imencode(path.suffix, image)[1]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded.tobytes())
