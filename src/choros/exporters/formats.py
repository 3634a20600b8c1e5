"""The formats that a ``Motion`` can be exported to, as one table: who writes each, and what its numbers mean.

The command line, the documentation and the tests all read ``FORMATS``. A format's module is imported when it
is first used, so that one that needs an extra package costs nothing until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.body import BodyModel
    from choros.motion import Motion


@dataclass(frozen=True)
class ExportOptions:
    """What is exported; a format takes no notice of what it has no place for."""

    space: Literal["camera", "world"] | None = None  # None: the motion's own
    people: tuple[int, ...] = ()  # identities; none means everybody
    body: BodyModel | None = None  # the motion's, if that was not the open body
    frame: int | None = None  # the source's number, for formats of one moment; None: the first with anybody
    quantised: bool = False  # whole numbers of 8 and 16 bits where the format allows them
    rig: str | None = None  # the skeleton, by its name in ``rigs.RIGS``; None: SMPL's 24 joints
    rest_pose: Literal["T", "A"] | None = None  # None: the rig's
    units: Literal["m", "cm"] | None = None  # of bvh and usd; None: the rig's
    up: Literal["y", "z"] | None = None  # of bvh and usd; None: the rig's
    in_place: bool = False  # without the way across the ground
    apart: bool = False  # a file a person, without the camera, where the format has one for all
    onto: Path | None = (
        None  # SMPL, SMPL-H or SMPL-X file whose betas amass gets, measuring as the person does
    )
    robot: Path | None = None  # MJCF or URDF of the robot whose joints are to follow
    robot_map: Path | None = None  # TOML: which of its bodies stand for which joints, where names do not tell


@dataclass(frozen=True)
class Format:
    """One format. ``writer`` is ``module:function`` in this room, called with motion, path and options.

    The function writes one file at ``path``, or one for each person beside it (``person_path``), and returns
    what it wrote.
    """

    name: str
    file: str  # what motion.npz becomes, for example
    writer: str
    what: str
    units: str
    axes: str
    times: str  # and numbers of frames, and when people are there; "from 1" is ``Motion.number_from_1``
    unseen: str  # how frames are marked in which a person was predicted and not seen
    extra: str = ""  # of choros that installs the package it needs

    @property
    def suffix(self) -> str:
        """Of the path that ``write`` takes."""
        return "".join(Path(self.file).suffixes)

    def write(self, motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
        """Write a motion; returns the files written.

        Raises ``ChorosError`` where the format's package is not installed or the motion has not what it needs.
        """
        module, function = self.writer.split(":")
        try:
            writer = getattr(import_module(f"choros.exporters.{module}"), function)
        except ModuleNotFoundError as error:
            if not self.extra or (error.name or "").startswith("choros"):
                raise
            raise ChorosError(
                f"{path} cannot be written without the package {error.name}; "
                f"run `pip install choros[{self.extra}]`."
            ) from error
        files: list[Path] = writer(motion, path, options or ExportOptions())
        return files


def format_of(path: str | Path) -> Format:
    """The format whose files end as ``path`` does, such as .glb. Raises ``ChorosError``, listing the ends there are."""
    for format in FORMATS.values():
        if Path(path).name.lower().endswith(format.suffix):
            return format
    ends = ", ".join(f"{format.suffix} ({name})" for name, format in FORMATS.items())
    raise ChorosError(f"{path} is not called as any format is; end its name in one of: {ends}.")


def export(
    motion: Motion | str | Path,
    path: str | Path,
    format: str | None = None,
    *,
    space: Literal["camera", "world"] | None = None,
    people: Iterable[int] = (),
    frame: int | None = None,
    quantised: bool = False,
    rig: str | None = None,
    rest_pose: Literal["T", "A"] | None = None,
    units: Literal["m", "cm"] | None = None,
    up: Literal["y", "z"] | None = None,
    in_place: bool = False,
    apart: bool = False,
    onto: str | Path | None = None,
    robot: str | Path | None = None,
    robot_map: str | Path | None = None,
    tentative: bool = False,
    body: BodyModel | str | Path | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    fps: Fraction | float | str | None = None,
    lowpass_hz: float | None = None,
) -> list[Path]:
    """Write a motion for other software, in the format by whose end ``path`` is called; returns the files written.

    >>> choros.export(motion, "people.glb")

    Formats with one file a person write them beside ``path``. ``format`` is a name of ``FORMATS``, for files that are
    called otherwise. ``space``, ``people``, ``frame``, ``quantised``, and of skeletons ``rig`` (a name of
    ``rigs.RIGS``), ``rest_pose``, ``units``, ``up``, ``in_place`` and ``apart``, ``onto``, and of robots ``robot`` and
    ``robot_map`` are those of ``ExportOptions``;
    ``tentative`` writes those people too who were in sight for less than .2 s; ``body`` is the model or SMPL file that
    the motion was tracked with. ``start_s``, ``end_s``, ``fps`` and ``lowpass_hz`` are those of ``part.part_of``: a
    part of the motion, filtered without lag and at another rate. Raises ``ChorosError`` of no known format, and as
    ``part_of`` and ``Format.write`` do.
    """
    from choros.body.skinned import model_of
    from choros.exporters.part import part_of
    from choros.motion import Motion

    if format is not None and format not in FORMATS:
        raise ChorosError(f"there is no format {format}; choose one of: {', '.join(FORMATS)}.")
    chosen = FORMATS[format] if format is not None else format_of(path)
    motion = Motion.of(motion)
    motion = part_of(motion if tentative else motion.settled(), start_s, end_s, fps, lowpass_hz)
    model = None if body is None else model_of(body)
    options = ExportOptions(
        space, tuple(people), model, frame, quantised, rig, rest_pose, units, up, in_place, apart,
        *(None if file is None else Path(file) for file in (onto, robot, robot_map)),
    )  # fmt: skip
    return chosen.write(motion, Path(path), options)


def one_by_one(motion: Motion, path: Path, options: ExportOptions) -> list[tuple[Path, ExportOptions]]:
    """A path and options for the file of each person, in the order of their identities."""
    people = sorted(set(options.people)) or motion.ids.tolist()
    return [(person_path(path, f"person_{one}"), replace(options, people=(one,))) for one in people]


def person_path(path: Path, name: str) -> Path:
    """The file of one person, by their name there: motion.bvh -> motion_person_3.bvh."""
    return path.with_name(f"{path.stem}_{name}{path.suffix}")


_ALL = (
    Format(
        name="glb",
        file="motion.glb",
        writer="glb:write_glb",
        what="glTF 2.0: everybody's skinned mesh and skeleton, animated, and the camera, in one file or one each",
        units="metres, seconds; turns as quaternions",
        axes="y up; at rest x left, z forward",
        times="exact times from the first frame, whose number is `first_frame`; people have scale 0 while not there",
        unseen="`unseen_s` in the extras of a person's node: start, end, start, end ... of each stretch",
    ),
    Format(
        name="bvh",
        file="motion_person_1_from_1.bvh",
        writer="bvh:write_bvh",
        what="Biovision hierarchy: one skeleton and its motion",
        units="metres, or by the rig or `--units` cm; degrees",
        axes="y up; at rest x left, z forward; by the rig or `--up` z up, -y forward",
        times="a constant rate; one file a shot, from the person's first frame, whose number from 1 its name tells",
        unseen="not marked",
    ),
    Format(
        name="anny",
        file="motion_person_1.anny.npz",
        writer="anny.write:write_anny",
        what="Anny's phenotypes and pose parameters, as `anny.Anny()` takes them, and how far its skin is from ours",
        units="metres",
        axes="z up",
        times="a constant rate, `times_s` in the video; one file a shot; `frames`: numbers of those the person is in",
        unseen="`visible`",
        extra="anny",
    ),
    Format(
        name="amass",
        file="motion_person_1.npz",
        writer="amass:write_amass",
        what="AMASS's npz of SMPL-H: poses, trans, betas; for SMPL's own tools and motion models",
        units="metres, rad",
        axes="z up",
        times="a constant rate, `times_s` in the video; one file a shot; `frames`: numbers of those the person is in",
        unseen="`visible`",
    ),
    Format(
        name="angles",
        file="motion.angles.csv",
        writer="angles:write_angles",
        what="table of joint angles after the ISB: hips, knees, ankles, shoulders, elbows; a row a person and frame",
        units="degrees, seconds; column names tell",
        axes="of each joint; what is positive stands in the documentation",
        times="exact times from the first frame; `frame` is the source's number; people have rows while they are there",
        unseen="column `visible` 0; cells are empty where an angle cannot be told",
    ),
    Format(
        name="angles-parquet",
        file="motion.angles.parquet",
        writer="angles_parquet:write_angles_parquet",
        what="the same table as an Apache Parquet file",
        units="degrees, seconds; column names and their metadata (`unit`) tell",
        axes="of each joint; what is positive stands in the documentation",
        times="exact times from the first frame; `frame` is the source's number; people have rows while they are there",
        unseen="column `visible` false; null where an angle cannot be told",
        extra="parquet",
    ),
    Format(
        name="robot",
        file="motion_person_1.robot.csv",
        writer="robot.write:write_robot",
        what="joints of a robot whose MJCF or URDF you give: its root and angles within limits, as CSV and npz",
        units="metres, radians, seconds; column names tell",
        axes="z up, floor at 0; x forward, y left of the robot",
        times="a constant rate from the person's first frame (`start_s` in the npz); one file a shot",
        unseen="`visible` in the npz",
        extra="robot",
    ),
    Format(
        name="csv",
        file="motion.csv",
        writer="csv_table:write_csv",
        what="table of 24 joints, one row a person and frame",
        units="metres, seconds; column names tell",
        axes="z up",
        times="exact times from the first frame; `frame` is the source's number; people have rows while they are there",
        unseen="column `visible` 0",
    ),
    Format(
        name="trc",
        file="motion_person_1.trc",
        writer="trc:write_trc",
        what="marker file of OpenSim and Pose2Sim: 24 joints and 9 points of head and feet",
        units="millimetres, seconds",
        axes="y up",
        times="a constant rate, frames numbered from 1; cells are empty where frames were lost or the person is away",
        unseen="not marked",
    ),
    Format(
        name="c3d",
        file="motion.c3d",
        writer="c3d:write_c3d",
        what="file of motion capture laboratories: everybody's 33 markers as person_1:left_knee",
        units="millimetres, seconds",
        axes="z up",
        times="a constant rate, frames numbered from 1; residual -1 where frames were lost or people are away",
        unseen="no camera in the points' camera mask, else the first",
        extra="c3d",
    ),
    Format(
        name="usd",
        file="motion.usd",
        writer="usd:write_usd",
        what="OpenUSD: everybody's UsdSkel skeleton and mesh, animated, and the camera, in one file or one each",
        units="metres, or by the rig or `--units` cm; time codes are frames",
        axes="y up, z forward; by the rig or `--up` z up, -y forward",
        times="exact: time code = number of the first frame + time x rate; people are invisible while not there",
        unseen="`userProperties:visible` of a person's SkelRoot",
        extra="usd",
    ),
    Format(
        name="fbx",
        file="motion.fbx",
        writer="fbx:write_fbx",
        what="FBX by Blender's exporter: what glb holds, in one file or one each",
        units="metres, which the file says; degrees",
        axes="y up, z forward",
        times="a constant rate, frames from 0; people stand still while not there",
        unseen="not marked",
        extra="fbx",
    ),
    Format(
        name="obj",
        file="motion.obj",
        writer="obj_ply:write_obj",
        what="Wavefront OBJ of one frame: an object and a material for each person",
        units="metres",
        axes="y up, z forward",
        times="the one frame asked for, by the source's number",
        unseen="a comment before the person",
    ),
    Format(
        name="ply",
        file="motion.ply",
        writer="obj_ply:write_ply",
        what="PLY of one frame: everybody's skin, coloured",
        units="metres",
        axes="y up, z forward",
        times="the one frame asked for, by the source's number",
        unseen="vertex property `visible` 0",
    ),
    Format(
        name="mot",
        file="motion.txt",
        writer="mot:write_mot",
        what="MOT Challenge text: boxes in the image",
        units="px",
        axes="x right, y down, from the image's corner",
        times="frames numbered from 1; people from the first to the last frame they were seen in",
        unseen="not marked; who is not seen any more is left out",
    ),
    Format(
        name="coco",
        file="motion.coco.json",
        writer="labels:write_coco",
        what="COCO keypoints and boxes in the image, with score and track_id",
        units="px",
        axes="x right, y down; boxes from the image's corner, keypoints from the first pixel's centre",
        times="images numbered from 1",
        unseen="`visible` false; hidden keypoints have v = 1",
    ),
    Format(
        name="posetrack",
        file="motion.posetrack.json",
        writer="labels:write_posetrack",
        what="PoseTrack21's predictions: keypoints, scores and tracks in the image",
        units="px",
        axes="x right, y down, from the image's corner",
        times="images numbered from 1",
        unseen="`visible` false, and no keypoints",
    ),
)

#: Every format by name.
FORMATS = {format.name: format for format in _ALL}


def table() -> list[dict[str, str]]:
    """The formats for people to read: one row each, its columns by heading."""
    return [
        {
            "format": format.name,
            "what": format.what,
            "file": format.file,
            "units": format.units,
            "axes": format.axes,
            "times": format.times,
            "not seen": format.unseen,
            "needs": f"choros[{format.extra}]" if format.extra else "",
        }
        for format in FORMATS.values()
    ]
