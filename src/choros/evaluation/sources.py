"""What benchmarks are run on: a name or a path becomes clips, each a video with its truth.

``open_data`` takes a named test set, ``scene:KIND:SEED[:COUNT]``, a folder that ``Scene.write`` made, a folder
of such folders, or a plain video, which has no truth and serves for timing only.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from choros.errors import ChorosError
from choros.motion import Motion
from choros.scenes import KINDS, SceneConfig, make_scene


@dataclass(frozen=True)
class NamedSet:
    """Clips of one kind of scene; training takes no seed from 700000 to 799999."""

    kind: str
    seeds: tuple[int, ...]
    seconds: float
    fps: Fraction = Fraction(25)
    width: int = 960
    height: int = 540


#: The named test sets. Figures of a set are comparable as long as nothing here changes, nor in ``scenes``.
TEST_SETS = {
    "easy": NamedSet("easy", tuple(range(710001, 710011)), seconds=4.0),
    "crossing": NamedSet("crossing", tuple(range(720001, 720011)), seconds=6.0),
    "crowd": NamedSet(  # seeds in which twelve people find room
        "crowd",
        (730001, 730002, 730004, 730007, 730009, 730011, 730012, 730013, 730014, 730015),
        seconds=5.0,
    ),
    "longgone": NamedSet("longgone", tuple(range(740001, 740011)), seconds=10.0),
    "moving": NamedSet("moving", tuple(range(750001, 750011)), seconds=6.0),
}


@dataclass(frozen=True)
class Clip:
    """A video and what is true of it."""

    video: Path
    truth: Motion | None


#: Told of work under way: what it is, frames done, frames in all if known.
ProgressCall = Callable[[str, int, int | None], None]


class Source(Protocol):
    """Something that becomes a clip when it is wanted."""

    @property
    def name(self) -> str: ...

    @property
    def has_truth(self) -> bool: ...

    def open(self, folder: Path, progress: ProgressCall) -> Clip:
        """The clip; what has to be made for it is written into ``folder``."""


@dataclass(frozen=True)
class SceneSource:
    """A scene that is filmed when it is wanted."""

    kind: str
    seed: int
    config: SceneConfig
    has_truth = True

    @property
    def name(self) -> str:
        return f"scene:{self.kind}:{self.seed}"

    def open(self, folder: Path, progress: ProgressCall) -> Clip:
        scene = make_scene(self.kind, self.seed, self.config)
        scene.write(folder, lambda done, total: progress(f"filming {self.name}", done, total))
        return Clip(folder / "video.mp4", scene.truth)


@dataclass(frozen=True)
class FolderSource:
    """``video.mp4`` and ``motion.npz`` in a folder."""

    folder: Path
    has_truth = True

    @property
    def name(self) -> str:
        return str(self.folder)

    def open(self, folder: Path, progress: ProgressCall) -> Clip:
        return Clip(self.folder / "video.mp4", Motion.load(self.folder / "motion.npz"))

    def exists(self) -> bool:
        return all((self.folder / name).is_file() for name in ("video.mp4", "motion.npz"))


@dataclass(frozen=True)
class VideoSource:
    """A video of which nothing is known."""

    path: Path
    has_truth = False

    @property
    def name(self) -> str:
        return str(self.path)

    def open(self, folder: Path, progress: ProgressCall) -> Clip:
        return Clip(self.path, None)


def open_data(name: str) -> list[Source]:
    """The clips of a data name, in a fixed order; nothing is made or read before a clip is opened.

    A named set wins over a folder of the same name (write ``./easy`` for the folder). Scenes named by kind and
    seed have the length and size of ``SceneConfig``; COUNT takes that many seeds one after another.
    Raises ChorosError on a name that means nothing.
    """
    if name in TEST_SETS:
        chosen = TEST_SETS[name]
        config = SceneConfig(chosen.width, chosen.height, chosen.fps, chosen.seconds)
        return [SceneSource(chosen.kind, seed, config) for seed in chosen.seeds]
    if name.startswith("scene:"):
        parts = re.fullmatch(r"scene:([^:]+):(\d+)(?::(\d+))?", name)
        if parts is None or parts[1] not in KINDS or parts[3] == "0":
            raise ChorosError(
                f"{name} names no scene; write scene:KIND:SEED or scene:KIND:SEED:COUNT "
                f"with KIND one of: {', '.join(KINDS)}."
            )
        seeds = range(int(parts[2]), int(parts[2]) + int(parts[3] or 1))
        return [SceneSource(parts[1], seed, SceneConfig()) for seed in seeds]
    path = Path(name)
    if path.is_file():
        return [VideoSource(path)]
    if path.is_dir():
        folders = [FolderSource(path), *map(FolderSource, sorted(path.iterdir()))]
        if found := [source for source in folders if source.exists()]:
            return list(found)
        raise ChorosError(
            f"{path} holds no clip; give a folder with video.mp4 and motion.npz, or a folder of such folders."
        )
    raise ChorosError(
        f"{name} is neither a test set ({', '.join(TEST_SETS)}) nor a file or folder; check the name."
    )
