"""A user's ONNX file to a detector or a keypoint estimator: its family is told by what goes in and what comes out.

Where that is not enough, the family stands before the file's name: "rtmdet-nms:person.onnx". That is so for graphs that
suppress overlapping boxes themselves, as mmdeploy writes them: those of RTMDet and of YOLOX look alike and want other
colours, so one of the two must be in the name of the file or before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from choros.detection.eyes.graph import OnnxGraph
from choros.detection.eyes.keypoint_sets import why_not
from choros.detection.eyes.top_down import KINDS, TopDownKeypoints
from choros.detection.eyes.whole_picture import DETECTORS, OnnxDetector, Rtmo, Whole, rtmo_arrays
from choros.devices import CPU, Device
from choros.errors import ChorosError

Keypoints: TypeAlias = TopDownKeypoints | Rtmo
Boxes: TypeAlias = OnnxDetector | Rtmo

#: Height and width where a graph leaves them free: what most top-down networks see, and the longer side of what
#: detectors are shown (PicoDet and RTMDet find most people at 512, measured on 128 pictures of COCO).
CROP_SIZE, CANVAS_SIZE = (256, 192), (512, 512)

KEYPOINT_FAMILIES = {kind.name: kind.what for kind in KINDS} | {Rtmo.family: "RTMO, everybody in one run"}
DETECTOR_FAMILIES = {kind.name: kind.what for kind in DETECTORS} | {Rtmo.family: "RTMO"}


def keypoints_from(file: str | Path, *, threads: int = 2, device: Device = CPU) -> Keypoints:
    """A keypoint network in an ONNX file, ready for ``PersonFinder`` and ``choros.load(..., keypoints=...)``.

    Families are ``KEYPOINT_FAMILIES``; the file's name may have one before it and a colon. Networks of COCO's 17
    keypoints are taken, and those of Halpe's 26 and COCO-WholeBody's 133, which begin with them. ``threads`` is per
    run, on ``device``. Raises ``ChorosError`` on a file that is missing, no network or of no family, which says what
    the graph takes and gives.
    """
    family, path = _named(file, KEYPOINT_FAMILIES)
    graph = OnnxGraph(path, CROP_SIZE, threads, device)
    outputs = graph.first_run()
    if family in (None, Rtmo.family) and (pair := rtmo_arrays(outputs)):
        _check_count(graph, pair[1].shape[2])
        return Rtmo(_of_whole_pictures(path, threads, device))
    for kind in KINDS:
        if family in (None, kind.name) and (found := kind.read(outputs, graph.size)) is not None:
            _check_count(graph, found.shape[1])
            return TopDownKeypoints(graph, kind)
    raise _unknown(graph, "keypoint networks", family, KEYPOINT_FAMILIES)


def detector_from(file: str | Path, *, threads: int = 2, device: Device = CPU) -> Boxes:
    """A person detector in an ONNX file, ready for ``PersonFinder`` and ``choros.load(..., detector=...)``.

    Families are ``DETECTOR_FAMILIES``; the file's name may have one before it and a colon. People are class 0, as in
    COCO. ``threads`` is per run, on ``device``. Raises ``ChorosError`` on a file that is missing, no network or of no
    family, which says what the graph takes and gives, and where two families fit.
    """
    family, path = _named(file, DETECTOR_FAMILIES)
    graph = _of_whole_pictures(path, threads, device)
    outputs = graph.first_run()
    if family in (None, Rtmo.family) and (pair := rtmo_arrays(outputs)):
        _check_count(graph, pair[1].shape[2])
        return Rtmo(graph)
    fitting = [
        kind
        for kind in DETECTORS
        if family in (None, kind.name) and kind.read(outputs, graph.size) is not None
    ]
    if not fitting:
        raise _unknown(graph, "detectors", family, DETECTOR_FAMILIES)
    return OnnxDetector(graph, fitting[0] if len(fitting) == 1 else _by_name(graph, fitting))


def _of_whole_pictures(path: Path, threads: int, device: Device) -> OnnxGraph:
    return OnnxGraph(path, CANVAS_SIZE, threads, device)


def _named(file: str | Path, families: dict[str, str]) -> tuple[str | None, Path]:
    """The family before a file's name, if one of these is there, and the file."""
    family, colon, rest = str(file).partition(":")
    return (family, Path(rest)) if colon and family in families else (None, Path(file))


def _check_count(graph: OnnxGraph, count: int) -> None:
    if why := why_not(count):
        raise ChorosError(f"{graph.path}: {why}; take a network of one of these.")


def _by_name(graph: OnnxGraph, fitting: list[Whole]) -> Whole:
    """The one whose first word the file's name has."""
    named = [kind for kind in fitting if kind.name.partition("-")[0] in graph.path.name.lower()]
    if len(named) != 1:
        ways = " or ".join(f"{kind.name}:{graph.path}" for kind in fitting)
        raise ChorosError(
            f"{graph.path} may be of the families {' and '.join(kind.name for kind in fitting)}, which want other "
            f"colours; write {ways}."
        )
    return named[0]


def _unknown(graph: OnnxGraph, what: str, family: str | None, families: dict[str, str]) -> ChorosError:
    known = ", ".join(f"{name} ({about})" for name, about in families.items())
    asked = f"it is not of the family {family}" if family else f"it is of no known family of {what}: {known}"
    return graph.unlike(asked)
