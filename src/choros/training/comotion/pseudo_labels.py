"""Real footage labelled by our own lifter system: which of its answers may teach, and the folder they are kept in.

The filters are 4DHumans' (3.4, S.2): sure detections, at least five keypoints, betas within 3, a plausible pose and
a small fitting error. Who fails in 3D alone keeps their keypoints, unless no body comes near them.
`choros.training.comotion.footage` reads the folder back as clips: pictures of at most `SIDE_PX` and ``motion.npz``
for each part, and ``about.json``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from choros._version import __version__
from choros.camera import intrinsics, project_in_front
from choros.datasets.coco import read_coco
from choros.datasets.sample import Sample, to_coco17
from choros.datasets.test_footage import refuse_test_footage
from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.lifter.config import LifterSystemConfig
from choros.lifter.lift import Lifting
from choros.lifter.system import LifterSystem
from choros.motion import FRAME, ROW, Header, Motion
from choros.outputs import atomic_write, claimed
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from choros.training.comotion.labels import label_box
from choros.video import Frame, open_video
from choros.video.numbering import natural_key
from choros.video.opening import takes_image_fps
from choros.video.picture import looks_like_one

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Longer side of the pictures that are kept; no network of ours looks closer.
SIDE_PX = 640

#: JPEG quality: at 90 a person of 40 px keeps their limbs.
QUALITY = 90

#: Is told a source's name and how many of its frames are done.
Report = Callable[[str, int], None]

#: The files of a set, and of each of its parts.
ABOUT, MOTION = "about.json", "motion.npz"


@dataclass(frozen=True)
class Filters:
    """What a person must show in a frame; the paper's numbers where it gives them (S.2)."""

    score: float = 0.4  # of the detection; the paper's 0.5 is of another detector
    confident: float = 0.3  # from which on a keypoint counts
    keypoints: int = 5
    betas: float = 3.0  # the lift itself goes no further: who stands at the edge fails
    pose: float = 5.0  # standard deviations of the lift's prior; 95 % of its motion capture are within 4.2
    error: float = 0.05  # mean distance of confident keypoints from the fit's, share of the person's size
    nobody: float = 0.1  # an error over which even the keypoints are no person's: on two people, or in a heap


class FilterResults(NamedTuple):
    """Which filters n people pass in a frame; (n,) each."""

    score: Bools
    keypoints: Bools
    nobody: Bools
    betas: Bools
    pose: Bools
    error: Bools

    @property
    def seen(self) -> Bools:
        """Whose keypoints may teach."""
        return self.score & self.keypoints & self.nobody

    @property
    def passed(self) -> Bools:
        """Whose body may teach too."""
        return self.seen & self.betas & self.pose & self.error


class LabelledFrame(NamedTuple):
    """A frame and what may be taught of it."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    pts: Fraction  # s
    gap_before: bool  # nothing leads here from the frame before
    K: Floats  # (3, 3) px, a guess
    rows: NDArray[
        np.void
    ]  # (n,) `motion.ROW`, camera axes, of whose keypoints may teach; confidence 0: not the body
    everyone: bool  # all who were found or followed have passed
    counts: Counter[str]  # people, by what became of them


class Judge:
    """Holds fits against the evidence and the lift's pose prior."""

    def __init__(self, lifting: Lifting, filters: Filters) -> None:
        self.lifting, self.filters = lifting, filters
        root = lifting.prior.precision_root
        covariance = np.linalg.inv(root.T @ root).reshape(21, 3, 21, 3)
        joint = np.arange(21)
        self._whiten = np.linalg.inv(np.linalg.cholesky(covariance[joint, :, joint]))  # (21, 3, 3)

    def __call__(self, rows: NDArray[np.void], scores: NDArray[np.floating], K: Floats) -> FilterResults:
        """Of rows (n,) `motion.ROW` in camera axes, found with ``scores`` (n,) by a camera K (3, 3) px."""
        limits, error = self.filters, self.error(rows, K)
        return FilterResults(
            score=scores >= limits.score,
            keypoints=(rows["keypoints_px"][..., 2] >= limits.confident).sum(-1) >= limits.keypoints,
            nobody=error <= limits.nobody,
            betas=np.abs(rows["betas"]).max(-1, initial=0) < limits.betas,
            pose=self.strangeness(rows["body_pose"]) <= limits.pose,
            error=error <= limits.error,
        )

    def strangeness(self, body_pose: NDArray[np.floating]) -> Floats:  # (n, 69) rad -> (n,)
        """How far the least usual of 21 joints is from motion capture's mean, in standard deviations (Mahalanobis).

        Joint by joint as in the paper, which has histograms where this has Gaussians.
        """
        away = (body_pose[:, :63].astype(np.float64) - self.lifting.prior.mean).reshape(-1, 21, 3)
        return np.linalg.norm((self._whiten @ away[..., None])[..., 0], axis=-1).max(-1)

    def error(self, rows: NDArray[np.void], K: Floats) -> Floats:  # (n,)
        """Mean distance of confident keypoints from the fit's, (n,), as a share of the person's size in the image.

        Infinite where no keypoint is confident, and where the fit reaches behind the camera. The size is the longer
        side of the box around the fit's keypoints: a detector's box is short where somebody is cut off or hidden.
        """
        pose = np.concatenate([rows["global_orient"], rows["body_pose"]], -1)
        rotations = rotvec_to_rotmat(pose.reshape(-1, 24, 3))
        betas, transl = rows["betas"].astype(np.float64), rows["transl"].astype(np.float64)
        points = self.lifting.keypoints_cam(rotations, betas, transl)
        points_px, before = project_in_front(points, K, 0.1)
        size = np.ptp(points_px, axis=1).max(-1)
        sure = rows["keypoints_px"][..., 2] >= self.filters.confident
        away = np.linalg.norm(points_px - rows["keypoints_px"][..., :2], axis=-1)
        mean = np.where(sure, away, 0).sum(-1) / np.maximum(sure.sum(-1), 1)
        return np.where(sure.any(-1) & before.all(-1), mean / np.maximum(size, 1), np.inf)


class Labeller:
    """The lifter system with its slower networks, and what its answers are worth.

    Of pictures that ``marks``, a file of COCO's form, names, people are lifted from the keypoints marked there, and
    nobody else is looked for. Raises ``ChorosError`` if it cannot be read, or is a test's.
    """

    def __init__(
        self, filters: Filters | None = None, finder: PersonFinder | None = None, marks: Path | None = None
    ) -> None:
        refuse_test_footage([marks])
        self._marked = {} if marks is None else {s.path.name: s for s in read_coco(marks, marks.parent)}
        self._finder = finder or PersonFinder.default()
        self._system = LifterSystem(LifterSystemConfig(accurate=True), finder=self._finder)
        self.judge = Judge(Lifting(self._system.body), filters or Filters())

    def video(self, frames: Iterable[Frame]) -> Iterator[LabelledFrame]:
        """Those frames of a video in which somebody is followed. Each shot begins anew."""
        stream, apart = self._system.stream(), True
        for frame in frames:
            features = stream.encode(frame.image)
            rows = stream.step(features, frame.pts_s).rows
            apart |= frame.gap_before or stream.cut_before
            if not len(rows):
                apart = True
                continue
            people = features.found.people
            found = (rows["keypoints_px"][:, None] == people.keypoints).all((-1, -2))
            scores = np.where(found, people.scores, 0).max(-1, initial=0)
            yield self._label(frame.image, frame.pts, apart, rows, scores, len(people))
            apart = False

    def picture(self, image: NDArray[np.uint8], number: int = 0, name: str = "") -> LabelledFrame:
        """A picture (H, W, 3) RGB that has nothing to do with others; its number stands for its time."""
        if name in self._marked:
            return self._known(image, self._marked[name], number)
        people = self._finder.find(image)
        rows = self._system.stream().begin(image, people.boxes_px, 0.0).rows
        return self._label(image, Fraction(number), True, rows, people.scores, len(people))

    def _known(self, image: NDArray[np.uint8], sample: Sample, number: int) -> LabelledFrame:
        """Bodies lifted from what somebody marked."""
        lifting, K = self.judge.lifting, intrinsics(image.shape[1], image.shape[0])
        keypoints = [to_coco17(person) for person in sample.people]
        marked = [n for n, points in enumerate(keypoints) if points[:, 2].any()]
        rows = np.zeros(len(marked), ROW)
        rows["person"], rows["visible"], rows["confidence"] = np.arange(1, len(marked) + 1), True, 1
        if marked:
            rows["keypoints_px"] = [keypoints[n] for n in marked]
            rows["box_px"] = [label_box(sample.people[n]) for n in marked]
            lifted = lifting(rows["keypoints_px"].copy(), K)
            turns = rotmat_to_rotvec(lifted.rotations)
            rows["global_orient"], rows["body_pose"] = turns[:, 0], turns[:, 1:].reshape(len(marked), 69)
            rows["betas"], rows["transl"] = lifted.betas[:, :10], lifted.transl
        people = len(sample.people) + len(sample.ignore_px)
        return self._label(image, Fraction(number), True, rows, np.ones(len(marked)), people)

    def _label(
        self,
        image: NDArray[np.uint8],
        pts: Fraction,
        gap_before: bool,
        rows: NDArray[np.void],
        scores: NDArray[np.floating],
        detected: int,
    ) -> LabelledFrame:
        K = intrinsics(image.shape[1], image.shape[0])
        in_sight = bool(rows["visible"].all())
        rows, scores = rows[rows["visible"]], scores[rows["visible"]]
        verdict = self.judge(rows, scores, K)
        counts = Counter({f"failed_{name}": int((~part).sum()) for name, part in verdict._asdict().items()})
        counts.update(
            detected=detected,
            not_followed=detected - len(rows),
            passed=int(verdict.passed.sum()),
            only_2d=int((verdict.seen & ~verdict.passed).sum()),
        )
        rows["confidence"][~verdict.passed] = 0
        everyone = in_sight and bool(verdict.passed.sum() == detected)
        return LabelledFrame(image, pts, gap_before, K, rows[verdict.seen], everyone, counts)


class PseudoLabelWriter:
    """A folder that is being written: a video, or pictures of one size. ``save`` ends it.

    ``everyone`` are the numbers of the frames in which all who were found or followed have passed.
    """

    def __init__(self, folder: Path, fps: Fraction, source: str) -> None:
        self.folder, self.fps, self.source = folder, fps, source
        self._size_px = (0, 0)
        self._frames: list[NDArray[np.void]] = []
        self._rows: list[NDArray[np.void]] = [np.zeros(0, ROW)]
        self.everyone: list[int] = []
        self._last = self._before_gap = 0  # highest identity so far, and so far as the last gap

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, labelled: LabelledFrame) -> None:
        """Keep a frame, made smaller. Identities hold between gaps; after one, everybody is somebody else."""
        number = len(self._frames)
        self.folder.mkdir(parents=True, exist_ok=True)
        image, scale = shrunk(labelled.image)
        self._size_px = image.shape[1], image.shape[0]
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if not cv2.imwrite(
            str(picture_path(self.folder, number)), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        ):
            raise ChorosError(f"{self.folder} takes no pictures; look whether the disk is full.")
        if labelled.gap_before:
            self._before_gap = self._last
        rows = labelled.rows.copy()
        rows["frame"] = number
        rows["person"] += self._before_gap
        rows["box_px"] *= np.tile(scale, 2)
        rows["keypoints_px"][..., :2] *= scale
        self._last = max([self._last, *rows["person"]])
        self._rows.append(rows)

        frame = np.zeros((), FRAME)
        frame["pts"] = labelled.pts.numerator, labelled.pts.denominator
        frame["number"], frame["gap_before"] = number, labelled.gap_before
        frame["K"] = np.diag([*scale, 1]) @ labelled.K
        frame["T_world_camera"] = np.eye(4)
        self._frames.append(frame)
        if labelled.everyone:
            self.everyone.append(number)

    def save(self) -> None:
        """Write what was labelled beside the pictures."""
        about = {"choros": __version__, "everyone": self.everyone}
        header = Header(self.fps, *self._size_px, self.source, LifterSystem.name, provenance=about)
        Motion(header, np.array(self._frames, FRAME), np.concatenate(self._rows)).save(self.folder / MOTION)


def write_set(
    sources: Sequence[Path],
    output: Path,
    *,
    pictures: bool = False,
    licence: str = "unknown",
    labeller: Labeller | None = None,
    report: Report = lambda name, frames: None,
) -> dict[str, Any]:
    """Label videos and pictures into a new folder; gives what its ``about.json`` says.

    A source is a video, a picture, or a folder: of a video's frames, or, with ``pictures``, of pictures that have
    nothing to do with each other, in folders below it too. What was done is a whole set after each source.
    Raises ``ChorosError`` if the folder is not empty, test footage is among the sources, nobody is found anywhere,
    or a video cannot be read; pictures that cannot be read are left out and counted.
    """
    refuse_test_footage(sources)
    if output.exists() and any(output.iterdir()):
        raise ChorosError(f"{output} is not empty; give a new folder for the set.")
    with claimed(output):
        return _write_parts(sources, output, pictures, licence, labeller or Labeller(), report)


def _write_parts(
    sources: Sequence[Path], output: Path, pictures: bool, licence: str, labeller: Labeller, report: Report
) -> dict[str, Any]:
    about: dict[str, Any] = {
        "choros": __version__,
        "licence": licence,
        "filters": asdict(labeller.judge.filters),
        "counts": {},
        "parts": [],
    }
    counts: Counter[str] = Counter()
    for number, source in enumerate(sources):
        folder = output / f"{number:03d}-{source.stem}"
        of_pictures = pictures if source.is_dir() else takes_image_fps(source)
        label = _pictures if of_pictures else _video
        for part in label(labeller, source, folder, counts, report):
            part.save()
            counts.update(frames=len(part), everyone=len(part.everyone))
            about["parts"].append(
                {"folder": part.folder.relative_to(output).as_posix(), "source": part.source}
            )
        about["counts"] = dict(sorted(counts.items()))
        if about["parts"]:
            with atomic_write(output / ABOUT) as file:
                file.write(json.dumps(about, indent=1).encode())
    if not about["parts"]:
        raise ChorosError(f"nobody was found in {', '.join(map(str, sources))}; give footage of people.")
    return about


def _video(
    labeller: Labeller, source: Path, folder: Path, counts: Counter[str], report: Report
) -> list[PseudoLabelWriter]:
    with open_video(source, prefetch=2) as reader:
        part = PseudoLabelWriter(folder, reader.info.fps, source.name)
        for labelled in labeller.video(reader):
            part.add(labelled)
            counts.update(labelled.counts)
            report(source.name, len(part))
    return [part] if len(part) else []


def _pictures(
    labeller: Labeller, source: Path, folder: Path, counts: Counter[str], report: Report
) -> list[PseudoLabelWriter]:
    """A part for each size of pictures."""
    found = (
        [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file() and looks_like_one(p)]
    )
    parts: dict[tuple[int, int], PseudoLabelWriter] = {}
    for done, path in enumerate(sorted(found, key=lambda p: natural_key(str(p))), 1):
        report(source.name, done)
        try:
            with open_video(path) as reader:
                image = next(iter(reader)).image
        except ChorosError:
            counts["unread"] += 1
            continue
        labelled = labeller.picture(image, done, path.name)
        counts.update(labelled.counts)
        if len(labelled.rows):
            height, width = shrunk(image)[0].shape[:2]
            if (width, height) not in parts:
                parts[width, height] = PseudoLabelWriter(
                    folder / f"{width}x{height}", Fraction(1), source.name
                )
            parts[width, height].add(labelled)
    return list(parts.values())


def picture_path(folder: Path, number: int) -> Path:
    """Where a part's frame is kept."""
    return folder / f"{number:06d}.jpg"


def shrunk(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Floats]:
    """An image (H, W, 3) of at most `SIDE_PX`, and its width and height (2,) as shares of what they were."""
    height, width = image.shape[:2]
    scale = min(1.0, SIDE_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), np.array(size) / [width, height]
