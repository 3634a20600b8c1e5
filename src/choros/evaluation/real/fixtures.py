"""The annotated people of mmpose's test data: COCO, CrowdPose, OCHuman, PoseTrack18, MPII and JHMDB.

A few pictures of each set, seen one by one as the first frame of a video. Asked for is whoever has a labelled
keypoint and a box of 40 px or more in height. PCK's thresholds are shares of the longer side of the set's own box;
MPII's has none, so there it is the box around all labelled joints (the top of the head among them), grown by 1.2.
Keypoints of other names than COCO's are not scored. "extra" are people shown whom no label matches and who do not
stand, by half of their box, in a region or a box that is labelled without being asked for; OCHuman and MPII label
some of the people in a picture only, so the number compares systems and is no count of mistakes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from choros.datasets.coco import read_coco
from choros.datasets.mpii import MPII
from choros.datasets.posetrack import read_posetrack
from choros.datasets.sample import PersonLabel, Sample, to_coco17
from choros.evaluation.real.pictures import LabelledPicture, Scored, grown, measure_found, pooled
from choros.evaluation.real.result import Result
from choros.evaluation.sources import ProgressCall
from choros.keypoints import AREA_OF_BOX, box_area
from choros.skeleton import MPII16
from choros.tracking.stream import System

_MIN_HEIGHT_PX = 40.0
_MPII_GROWN = 1.2


def read_pictures(root: Path) -> dict[str, list[LabelledPicture]]:
    """The pictures of each set, from mmpose's ``tests/data``."""
    videos = sorted((root / "posetrack18/annotations/val").glob("*.json"))
    samples: dict[str, Iterable[Sample]] = {
        "COCO": read_coco(root / "coco/test_coco.json", root / "coco"),
        "CrowdPose": read_coco(root / "crowdpose/test_crowdpose.json", root / "crowdpose"),
        "OCHuman": read_coco(root / "ochuman/test_ochuman.json", root / "ochuman"),
        "PoseTrack18": (sample for path in videos for sample in read_posetrack(path, root / "posetrack18")),
        "MPII": _mpii(root / "mpii/test_mpii.json"),
        "JHMDB": read_posetrack(root / "jhmdb/test_jhmdb_sub1.json", root / "jhmdb"),
    }
    pictures = {
        name: [picture(sample) for sample in some if _usable(sample)] for name, some in samples.items()
    }
    return {name: [one for one in some if one.asked.any()] for name, some in pictures.items()}


def picture(sample: Sample) -> LabelledPicture:
    """A sample as it is scored."""
    people = [person for person in sample.people if person.box_px is not None]
    boxes = np.array([person.box_px for person in people], np.float64).reshape(-1, 4)
    labelled = np.array([has_keypoints(person) for person in people], bool)
    return LabelledPicture(
        sample.path,
        boxes,
        np.array([to_coco17(person) for person in people]).reshape(-1, 17, 3),
        labelled & (boxes[:, 3] - boxes[:, 1] >= _MIN_HEIGHT_PX),
        AREA_OF_BOX * box_area(boxes),
        sample.ignore_px,
    )


def has_keypoints(person: PersonLabel) -> bool:
    """Whether any keypoint is labelled, whatever its name."""
    return person.keypoints_px is not None and bool((person.keypoints_px[:, 2] > 0).any())


def measure(name: str, system: System, root: Path, progress: ProgressCall) -> Result:
    """All sets as one row; its parts are pictures, each with the name of its set."""
    results = {
        data: measure_found("fixtures", data, name, system, pictures, progress)
        for data, pictures in read_pictures(root).items()
    }
    parts = [{"set": data} | part for data, result in results.items() for part in result.parts]
    shots = [shot for result in results.values() for shot in result.shots]
    scores: Sequence[Scored] = [score for result in results.values() for score in result.scores]
    return Result("fixtures", "mmpose's pictures", name, pooled(scores, found=True), parts, shots, scores)


def _usable(sample: Sample) -> bool:
    return sample.labelled and sample.image is not None and sample.image.is_file()


def _mpii(path: Path) -> Iterator[Sample]:
    """mmpose's JSON of MPII: one person an entry, joints in MPII's order, one picture after another."""
    with MPII.reading(MPII.there(path)):
        for entry in json.loads(path.read_text()):
            points = np.c_[
                np.array(entry["joints"], np.float64), np.array(entry["joints_vis"], np.float64) > 0
            ]
            shown = points[points[:, 2] > 0, :2]
            box = grown(np.r_[shown.min(0), shown.max(0)], _MPII_GROWN)
            person = PersonLabel(box_px=box, keypoints_px=points, keypoint_names=MPII16)
            yield Sample(image=path.parent / entry["image"], people=(person,))
