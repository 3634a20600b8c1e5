"""JRDB: people around a robot, as boxes with identity, JRDB-Pose's keypoints and JRDB-Act's actions.

Boxes, poses and actions come in separate files for each sequence and camera; they are joined by identity. The
layout is that of the set's toolkit and of other projects that read it; no real file was seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from choros.datasets.coco import by_image, corners, flat_keypoints, keypoint_names
from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, Samples, box_from_xywh

JRDB = Official("JRDB", "jrdb.erc.monash.edu (train images, labels, activity labels)", "CC BY-NC-SA 3.0")

JRDB17 = (
    "head", "right_eye", "left_eye", "right_shoulder", "center_shoulder", "left_shoulder", "right_elbow",
    "left_elbow", "center_hip", "right_wrist", "right_hip", "left_hip", "left_wrist", "right_knee",
    "left_knee", "right_foot", "left_foot",
)  # fmt: skip


def read_jrdb(root: Path, sequence: str, camera: int | None = None) -> Samples:
    """The frames of one sequence: of the stitched panorama, or of one camera (0, 2, 4, 6 or 8).

    root holds ``images/`` and ``labels/``. ``labels_2d_stitched`` (``labels_2d``) is needed; poses of
    ``labels_2d_pose_stitched_coco`` (``labels_2d_pose_coco``) and actions of
    ``labels_2d_activity_social_stitched`` are added where they are. Boxes marked ``no_eval`` become ignore
    regions. Fully occluded people are not visible. Keypoint coordinates are taken as they stand.
    """
    labels = root / "labels"
    if camera is None:
        boxes_path = labels / "labels_2d_stitched" / f"{sequence}.json"
        social_path = labels / "labels_2d_activity_social_stitched" / f"{sequence}.json"
        pose_path = labels / "labels_2d_pose_stitched_coco" / f"{sequence}.json"
        images = root / "images" / "image_stitched" / sequence
    else:
        name = f"{sequence}_image{camera}.json"
        boxes_path, social_path = labels / "labels_2d" / name, None
        pose_path = labels / "labels_2d_pose_coco" / name
        images = root / "images" / f"image_{camera}" / sequence
    with JRDB.reading(boxes_path):
        frames = JRDB.json(boxes_path)["labels"]
        names = sorted(frames)
    social = JRDB.json(social_path)["labels"] if social_path and social_path.exists() else {}
    poses, pose_names = _poses(pose_path) if pose_path.exists() else ({}, JRDB17)

    def build(index: int) -> Sample:
        frame = names[index]
        actions = {label["label_id"]: label.get("action_label", {}) for label in social.get(frame, ())}
        counted = [label for label in frames[frame] if not _no_eval(label)]
        return Sample(
            image=images / frame,
            frame=index,
            sequence=sequence,
            people=tuple(
                _person(label, actions.get(label["label_id"]), poses.get(frame, {}), pose_names)
                for label in counted
            ),
            ignore_px=tuple(corners(label["box"]) for label in frames[frame] if _no_eval(label)),
        )

    return JRDB.samples(boxes_path, len(names), build, sequence)


def _poses(path: Path) -> tuple[dict[str, dict[int, dict[str, Any]]], tuple[str, ...]]:
    """Pose annotations by frame name and identity, and the names of their keypoints."""
    content = JRDB.json(path)
    with JRDB.reading(path):
        categories = [c for c in content.get("categories", ()) if c.get("keypoints")]
        names = keypoint_names(categories[0]["keypoints"]) if categories else JRDB17
        labels = by_image(content["annotations"])
        return {
            Path(image["file_name"]).name: {
                int(label["track_id"]): label for label in labels.get(image["id"], ())
            }
            for image in content["images"]
        }, names


def _no_eval(label: dict[str, Any]) -> bool:
    return bool(label.get("attributes", {}).get("no_eval", False))


def _person(
    label: dict[str, Any],
    actions: dict[str, Any] | None,
    poses: dict[int, dict[str, Any]],
    pose_names: tuple[str, ...],
) -> PersonLabel:
    identity = int(label["label_id"].split(":")[-1])
    occlusion = label.get("attributes", {}).get("occlusion")
    points = visible = None
    if identity in poses:
        points, visible = flat_keypoints(poses[identity]["keypoints"], len(pose_names))
    return PersonLabel(
        identity=identity,
        box_px=box_from_xywh(label["box"]),
        keypoints_px=points,
        keypoint_names=pose_names if points is not None else (),
        keypoints_visible=visible,
        visible=None if occlusion is None else occlusion != "Fully_occluded",
        actions=tuple(actions if actions is not None else label.get("action_label", {})),
    )
