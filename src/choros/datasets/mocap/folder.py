"""Every motion-capture clip under a folder, from plain files and from inside .zip archives.

Files are told apart by suffix and, for .txt, by how they begin. Each source brings its licence: what may
not shape published weights is marked, and left out unless asked for.
"""

import io
import json
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np

from choros.body import BodyModel
from choros.datasets.mocap.asf import read_amc, read_asf
from choros.datasets.mocap.bvh import BvhFile, is_bandai, read_bvh, read_bvh_file
from choros.datasets.mocap.deepmimic import read_deepmimic
from choros.datasets.mocap.expmap import read_expmap
from choros.datasets.mocap.mocap_clip import (
    MocapClip,
    load_packed,
    plausible_parts,
    resample,
    split,
    without_duplicates,
)
from choros.datasets.mocap.retarget import nearest_axis, retarget
from choros.datasets.mocap.source_motion import SourceMotion
from choros.datasets.test_footage import refuse_test_footage
from choros.errors import ChorosError
from choros.npz import open_npz
from choros.rotation import rotmat_between

#: Source -> licence of its clips, and whether weights trained on them may be published.
LICENCES = {
    "cmu-asf": ("CMU Graphics Lab Motion Capture Database: any use, no resale of the data", True),
    "cmu-expmap": ("CMU Graphics Lab Motion Capture Database: any use, no resale of the data", True),
    "cmu-bvh": ("CMU Graphics Lab Motion Capture Database: any use, no resale of the data", True),
    "deepmimic": ("MIT", True),
    "jump": ("MIT; CMU Graphics Lab Motion Capture Database", True),
    "bandai-namco": ("CC BY-NC 4.0", False),
    "bvh": ("its owner's", False),
}
#: Folders inside the DeepMimic release whose clips have other owners.
_DEEPMIMIC_EXCEPTIONS = {"sie": "CC BY-NC 4.0", "amass": "AMASS, non-commercial"}

_EXPMAP_SKELETON = "cmu_expmap_skeleton.json"

#: How the archive begins that holds CMU's captures on iClone's skeleton, and the file there that begins with a T-pose.
_CMU_BVH, _CMU_BVH_T_POSE = "cmu_bvh", "007_01.bvh"


@dataclass(frozen=True)
class _Entry:
    """A file in the folder, or a member of an archive there."""

    label: str  # for messages and clip names: its path below the folder, without the archive
    path: Path
    member: str | None = None

    def read(self, limit: int = -1) -> bytes:
        if self.member is None:
            with self.path.open("rb") as file:
                return file.read(limit)
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
            return file.read(limit)

    def text(self) -> str:
        return self.read().decode("utf-8", errors="replace")

    @property
    def name(self) -> str:
        return str(PurePosixPath(self.label).with_suffix(""))


def load_folder(
    folder: Path,
    sources: Collection[str] | None = None,
    shippable_only: bool = True,
    fps: float = 30.0,
) -> Iterator[MocapClip]:
    """Clips of a folder one by one, retargeted to SMPL's joints, in a fixed order.

    Args:
        folder: holds .bvh, .asf with .amc, DeepMimic and exponential-map .txt files or .zip archives of
            them, in any folders below. BVH files of your own are `shippable=False`.
        sources: keys of `LICENCES` to read; all when None.
        shippable_only: leave out clips whose licence forbids publishing weights trained on them.
        fps: frame rate of the clips.

    Raises:
        ChorosError: nothing there, or a file in it is damaged; names the file.
    """
    if unknown := set(sources or ()) - set(LICENCES):
        raise ChorosError(f"unknown motion source {min(unknown)}; choose from {', '.join(LICENCES)}")
    folder = Path(folder)
    entries = list(_entries(folder))
    wanted = [
        source
        for source, (_, shippable) in LICENCES.items()
        if (sources is None or source in sources) and (shippable or not shippable_only)
    ]
    rest_joints, sole_m = open_body_rest()
    empty = True
    for source, licence, motion in _motions(folder, entries, wanted):
        shippable = LICENCES[source][1] and licence == LICENCES[source][0]
        if shippable_only and not shippable:
            continue
        empty = False
        clip = retarget(motion, rest_joints, sole_m, source=source, licence=licence, shippable=shippable)
        yield from plausible_parts(resample(clip, fps))
    if empty:
        raise ChorosError(
            f"{folder}: no motion of the sources {', '.join(wanted)} found; "
            "give another folder, or allow any licence (--any-licence, shippable_only=False) for your own BVH files"
        )


def read_sources(folder: Path, sources: Collection[str]) -> Iterator[tuple[str, SourceMotion]]:
    """(source, motion) of every clip of the named sources, as captured: before retargeting."""
    folder = Path(folder)
    for source, _, motion in _motions(folder, list(_entries(folder)), list(sources)):
        yield source, motion


@cache
def open_body_rest() -> tuple[np.ndarray, float]:
    """The embedded body's T-pose: joints (24, 3) in metres, and the height of its soles."""
    body = BodyModel.load()
    neutral = body.neutral(1)
    soles = body.vertices(neutral)[..., 1].min()
    return body.joints(neutral).reshape(24, 3).double().numpy(), float(soles)


def _entries(folder: Path) -> Iterator[_Entry]:
    if not folder.is_dir():
        raise ChorosError(f"{folder}: no such folder; pass the one that holds the motion capture")
    for path in sorted(folder.rglob("*")):
        label = path.relative_to(folder).as_posix()
        if path.suffix == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    members = sorted(archive.namelist())
            except zipfile.BadZipFile as error:
                raise ChorosError(f"{path}: a damaged archive; get it again") from error
            for member in members:
                yield _Entry(f"{path.stem}/{member}", path, member)
        elif path.is_file():
            yield _Entry(label, path)


def _motions(
    folder: Path, entries: list[_Entry], wanted: list[str]
) -> Iterator[tuple[str, str, SourceMotion]]:
    """Source, licence and motion of every clip of the wanted sources."""
    for entry in entries:
        suffix = PurePosixPath(entry.label).suffix.lower()
        if suffix == ".amc" and "cmu-asf" in wanted:
            skeleton = read_asf(_asf_of(entry, entries).text(), entry.label)
            yield "cmu-asf", LICENCES["cmu-asf"][0], read_amc(entry.text(), skeleton, entry.name)
        elif suffix == ".bvh" and entry.label.startswith(_CMU_BVH):
            if "cmu-bvh" in wanted:
                yield "cmu-bvh", LICENCES["cmu-bvh"][0], _cmu_bvh(entry, entries)
        elif suffix == ".bvh" and {"bvh", "bandai-namco"} & set(wanted):
            motion = read_bvh(entry.text(), entry.name)
            source = "bandai-namco" if is_bandai(motion.joints) else "bvh"
            if source in wanted:
                yield source, LICENCES[source][0], motion
        elif suffix == ".txt":
            source = _text_source(entry)
            if source in wanted:
                yield source, *_read_text(entry, source, folder)
        elif entry.path.name == "bandai_namco.npz" and "bandai-namco" in wanted:
            for motion in _bandai_motions(entry.path):
                yield "bandai-namco", LICENCES["bandai-namco"][0], motion


def _cmu_bvh(entry: _Entry, entries: list[_Entry]) -> SourceMotion:
    """A capture of the archive ``_CMU_BVH``, whose first frame is left out: it is the T-pose in some files.

    All files have one skeleton, but some have its root turned by a right angle: the T-pose is stood up as the
    people of the file stand.
    """
    posed = [other for other in entries if other.path == entry.path and other.label.endswith(_CMU_BVH_T_POSE)]
    if not posed:
        raise ChorosError(f"{entry.path}: {_CMU_BVH_T_POSE} is missing, which shows its T-pose; get it again")
    motion = read_bvh(
        entry.text(),
        entry.name,
        reference_frame=0,
        reference_text=posed[0].text(),
        roles={"pelvis": "CC_Base_Hip"},
    )
    pelvis, head = motion.index("pelvis"), motion.index("head")
    poses = motion.reference, motion.positions[1]
    turn = rotmat_between(*(nearest_axis(joints[head] - joints[pelvis]) for joints in poses))
    return replace(
        motion,
        reference=motion.reference @ turn.T,
        rotations=motion.rotations[1:] @ turn.T,
        positions=motion.positions[1:],
    )


def _text_source(entry: _Entry) -> str:
    start = entry.read(400).decode("utf-8", errors="replace").lstrip()
    if start.startswith("{"):
        return "jump" if "jump" in PurePosixPath(entry.label).parts else "deepmimic"
    return "cmu-expmap" if start.count(",") > 20 else ""


def _read_text(entry: _Entry, source: str, folder: Path) -> tuple[str, SourceMotion]:
    licence = LICENCES[source][0]
    if source != "cmu-expmap":
        for part in PurePosixPath(entry.label).parts:
            licence = _DEEPMIMIC_EXCEPTIONS.get(part, licence)
        return licence, read_deepmimic(entry.text(), entry.name)
    skeletons = sorted(folder.rglob(_EXPMAP_SKELETON))
    if not skeletons:
        raise ChorosError(
            f"{folder}: {_EXPMAP_SKELETON} is missing beside the exponential maps; put it there"
        )
    try:
        table = np.loadtxt(io.BytesIO(entry.read()), delimiter=",", ndmin=2)
    except ValueError as error:
        raise ChorosError(f"{entry.label}: not a table of numbers ({error}); get it again") from error
    return licence, read_expmap(table, skeletons[0].read_text(), entry.name)


def _asf_of(entry: _Entry, entries: list[_Entry]) -> _Entry:
    """The skeleton of a motion: 02.asf beside 02_03.amc, or the only .asf beside it."""
    amc = PurePosixPath(entry.label)
    beside = [
        e for e in entries if PurePosixPath(e.label).parent == amc.parent and e.label.lower().endswith(".asf")
    ]
    named = [e for e in beside if amc.stem.split("_")[0] == PurePosixPath(e.label).stem]
    found = named or beside
    if len(found) != 1:
        raise ChorosError(f"{entry.label}: no .asf skeleton beside it; put the subject's .asf in its folder")
    return found[0]


def _bandai_motions(path: Path) -> Iterator[SourceMotion]:
    """Clips of the Bandai-Namco set packed as arrays: Euler angles and the places of root and hips."""
    with open_npz(path) as file:
        meta = json.loads(file["meta"].tobytes())
        for name, about in meta["clips"].items():
            skeleton = meta["skeletons"][about["skeleton"]]
            places_cm, turns_deg = file[f"{name}/root_hips_cm"], file[f"{name}/rot_deg"]
            count, joints = turns_deg.shape[:2]
            table = np.concatenate(
                [np.broadcast_to(skeleton["offsets"], (count, joints, 3)), turns_deg], axis=2
            )
            table[:, :2, :3] = places_cm
            yield read_bvh_file(
                BvhFile(
                    joints=tuple(skeleton["names"]),
                    parents=tuple(skeleton["parents"]),
                    offsets=np.array(skeleton["offsets"]),
                    channels=tuple(tuple(channels) for channels in skeleton["channels"]),
                    frames=table.reshape(count, -1),
                    fps=float(about["fps"]),
                ),
                f"bandai_namco/{name}",
            )


def learned_and_held_out(
    path: Path, shippable_only: bool = True, tell: Callable[[int], None] = lambda clips: None
) -> tuple[list[MocapClip], list[MocapClip]]:
    """Clips to learn from and clips that `split` holds out: of a folder, or of a packed .npz, which is all to learn.

    What is in a folder twice counts once. ``tell`` is told how many of a folder were read so far. Raises
    ``ChorosError`` as `load_folder` and `load_packed` do, if there is nothing to learn from, and if test footage is
    among it (`choros.datasets.test_footage`).
    """
    refuse_test_footage([path])
    if path.is_file():
        return load_packed(path), []

    def read() -> Iterator[MocapClip]:
        for count, clip in enumerate(load_folder(path, shippable_only=shippable_only), 1):
            yield clip
            tell(count)

    learned, held_out = split(without_duplicates(read()))
    if not learned:
        what = "that weights to give away may learn from" if shippable_only else "to learn from"
        mend = ", or train for yourself where --any-licence is an option" if shippable_only else ""
        raise ChorosError(f"{path} holds no motion capture {what}; give another folder{mend}.")
    return learned, held_out
