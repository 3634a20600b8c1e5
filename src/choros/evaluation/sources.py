"""What benchmarks are run on: a name or a path becomes clips, each a video with its truth.

``open_data`` takes a named test set, ``scene:KIND:SEED[:COUNT]``, a folder that ``Scene.write`` made, a folder
of such folders, a public set that the user has (``SET:DIR``, see ``owned``), or a plain video, which has no truth
and serves for timing only.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from choros.errors import ChorosError
from choros.evaluation.clip import Clip, ProgressCall
from choros.evaluation.owned import SETS, open_owned
from choros.motion import Motion
from choros.scenes import KINDS, SceneConfig, make_scene


@dataclass(frozen=True)
class NamedSet:
    """Clips of one kind of scene, of seeds that no training takes (``choros.scenes.TEST_SEEDS``).

    ``ingredients``: made from photographs, MakeHuman's clothes and motion capture too, which do not ship;
    anybody rebuilds the other sets from this package alone, to the last bit on the same machine.
    """

    kind: str
    seeds: tuple[int, ...]
    seconds: float
    fps: Fraction = Fraction(25)
    width: int = 960
    height: int = 540
    ingredients: bool = False

    def config(self, assets: Path | None = None) -> SceneConfig:
        """How its scenes are made; on the CPU, because graphics cards draw a little differently.

        Raises ChorosError if ingredients are called for and are not under ``assets``.
        """
        plain = SceneConfig(self.width, self.height, self.fps, self.seconds, device="cpu")
        return with_ingredients(plain, assets) if self.ingredients else plain


def _ten(first: int) -> tuple[int, ...]:
    return tuple(range(first, first + 10))


_FROM_WHAT_SHIPS = {
    "easy": NamedSet("easy", _ten(710001), seconds=5.0),
    "crossing": NamedSet("crossing", _ten(720001), seconds=6.0),
    "crowd": NamedSet("crowd", _ten(730001), seconds=5.0),
    "longgone": NamedSet("longgone", _ten(740001), seconds=11.0),
    "moving": NamedSet("moving", _ten(750001), seconds=6.0),
    "world": NamedSet("world", _ten(760001), seconds=12.0),
}
#: The named test sets. Figures of a set are comparable as long as nothing here changes, nor in ``scenes``.
TEST_SETS = _FROM_WHAT_SHIPS | {
    f"{name}_mocap": replace(twin, seeds=_ten(twin.seeds[0] + 100), ingredients=True)
    for name, twin in _FROM_WHAT_SHIPS.items()
}
#: Where the ingredients of a scene are, in a folder of assets.
INGREDIENTS = {
    "photos": Path("pictures", "coco128"),
    "wardrobe": Path("makehuman", "base"),
    "mocap": Path("mocap"),
}


def with_ingredients(config: SceneConfig, assets: Path | None) -> SceneConfig:
    """The same scenes with photographs, clothes and motion capture from a folder of assets.

    Raises ChorosError if no folder is named, or one of ``INGREDIENTS`` is not in it.
    """
    if assets is None:
        raise ChorosError(
            "sets called *_mocap are made from photographs, clothes and motion capture that do not ship; "
            f"name a folder with {', '.join(path.as_posix() for path in INGREDIENTS.values())} (--assets DIR)."
        )
    for path in INGREDIENTS.values():
        if not (assets / path).is_dir():
            raise ChorosError(f"{assets / path} is no folder; sets called *_mocap need it.")
    photos, wardrobe, mocap = (assets / INGREDIENTS[name] for name in ("photos", "wardrobe", "mocap"))
    return replace(config, photos=photos, wardrobe=wardrobe, mocap=mocap)


class Source(Protocol):
    """Something that becomes a clip when it is wanted."""

    @property
    def name(self) -> str:
        """What the clip is called in tables and in the names of folders."""

    @property
    def has_truth(self) -> bool:
        """Whether its clip has a true motion to be scored against."""

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
        """``scene:KIND:SEED``, as the command line takes it."""
        return f"scene:{self.kind}:{self.seed}"

    def open(self, folder: Path, progress: ProgressCall) -> Clip:
        """Film the scene into ``folder``."""
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
        """The folder's path."""
        return str(self.folder)

    def open(self, folder: Path, progress: ProgressCall) -> Clip:
        """Read the motion; nothing is written. Raises ``ChorosError`` if it is damaged."""
        return Clip(self.folder / "video.mp4", Motion.load(self.folder / "motion.npz"))

    def exists(self) -> bool:
        """Whether the folder holds both files."""
        return all((self.folder / name).is_file() for name in ("video.mp4", "motion.npz"))


@dataclass(frozen=True)
class VideoSource:
    """A video of which nothing is known."""

    path: Path
    has_truth = False

    @property
    def name(self) -> str:
        """The video's path."""
        return str(self.path)

    def open(self, folder: Path, progress: ProgressCall) -> Clip:
        """The video alone, without a truth."""
        return Clip(self.path, None)


def open_data(name: str, assets: Path | None = None) -> list[Source]:
    """The clips of a data name, in a fixed order; nothing is made or read before a clip is opened.

    A named set wins over a folder of the same name (write ``./easy`` for the folder). ``assets`` is where the
    sets called ``*_mocap`` have their ingredients from (see ``INGREDIENTS``). Scenes named by kind and seed have
    the length and size of ``SceneConfig``; COUNT takes that many seeds one after another.
    Raises ChorosError on a name that means nothing, and on missing ingredients.
    """
    if name in TEST_SETS:
        chosen = TEST_SETS[name]
        return [SceneSource(chosen.kind, seed, chosen.config(assets)) for seed in chosen.seeds]
    if name.startswith("scene:"):
        parts = re.fullmatch(r"scene:([^:]+):(\d+)(?::(\d+))?", name)
        if parts is None or parts[1] not in KINDS or parts[3] == "0":
            raise ChorosError(
                f"{name} names no scene; write scene:KIND:SEED or scene:KIND:SEED:COUNT "
                f"with KIND one of: {', '.join(KINDS)}."
            )
        seeds = range(int(parts[2]), int(parts[2]) + int(parts[3] or 1))
        return [SceneSource(parts[1], seed, SceneConfig(device="cpu")) for seed in seeds]
    owned, _, place = name.partition(":")
    if owned in SETS and place:
        return list(open_owned(owned, Path(place)))
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
        f"{name} is neither a test set ({', '.join(TEST_SETS)}), nor a set of yours ({':DIR, '.join(SETS)}:DIR), nor a "
        "file or folder; check the name."
    )
