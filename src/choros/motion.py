"""``Motion``: the one record that every system produces and everything else consumes.

People over time as SMPL parameters, with the frames they were seen in. In memory, in the journal of a
running video (``journal.py``) and in ``motion.npz`` it has the same two tables: one entry a frame
(``FRAME``) and one entry a person and frame (``ROW``), sorted by frame, then person.

Schema of ``motion.npz`` (version 2; plain arrays, no pickles; T frames, N rows; of version 1, which had neither
``number`` nor ``cut_before``, frames are counted and nothing is said of cuts):

=================  ==============  ==========================================================
``header``         JSON text       the fields of ``Header``
``pts``            (T, 2) int64    time stamp, numerator and denominator of exact seconds
``number``         (T,) int64      the source's own number of the frame; ``Header.numbers`` tells what it is
``gap_before``     (T,) bool       frames were lost or damaged just before this one
``cut_before``     (T,) bool       another shot begins with this frame: nobody and no camera goes on into it
``K``              (T, 3, 3) f8    intrinsics, px
``T_world_camera`` (T, 4, 4) f8    camera to world, metres; identity if it is not known
``frame``          (N,) int32      index into the T frames
``person``         (N,) int32      identity, from 1, never used again for somebody else
``global_orient``  (N, 3) f4       axis-angle, rad, in ``space``
``body_pose``      (N, 69) f4      axis-angle of the 23 other joints, rad
``betas``          (N, 10) f4      shape
``kid``            (N,) f4         the open body's child axis, 0 adult to 1 child
``transl``         (N, 3) f4       metres, in ``space``; the pelvis is at its rest place + transl
``confidence``     (N,) f4         0 to 1, how sure the system is of this pose
``visible``        (N,) bool       False: not seen in this frame, but before and after
``box_px``         (N, 4) f4       x0, y0, x1, y1 in the image; as expected if not visible
``keypoints_px``   (N, 17, 3) f4   COCO-17 evidence x, y, confidence; confidence 0 where there is none
=================  ==============  ==========================================================

Rows that are not visible are predictions until the person was seen again: the file of a finished run has none after
a person's last sight, and leads those between two sights to the second (``settling``). Whoever had less than .2 s of
sight is in the file, is ``Motion.tentative``, and is left out by ``Motion.settled``.

``space`` "camera" means OpenCV axes (x right, y down, z forward) of each frame's camera; "world" means
z up, floor at 0. Image coordinates are continuous: (0, 0) is the outer corner of the first pixel.
"""

from __future__ import annotations

import json
import os
import zipfile
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.settling import sights, tentative

VERSION = 2

FRAME = np.dtype(
    [
        ("pts", "<i8", (2,)),
        ("number", "<i8"),
        ("gap_before", "?"),
        ("cut_before", "?"),
        ("K", "<f8", (3, 3)),
        ("T_world_camera", "<f8", (4, 4)),
    ]
)

ROW = np.dtype(
    [
        ("frame", "<i4"),
        ("person", "<i4"),
        ("global_orient", "<f4", (3,)),
        ("body_pose", "<f4", (69,)),
        ("betas", "<f4", (10,)),
        ("kid", "<f4"),
        ("transl", "<f4", (3,)),
        ("confidence", "<f4"),
        ("visible", "?"),
        ("box_px", "<f4", (4,)),
        ("keypoints_px", "<f4", (17, 3)),
    ]
)

#: Columns that files of version 1 do not have.
SINCE_2 = ("number", "cut_before")

#: SMPL's pelvis at zero pose and mean shape, metres; what ``to_amass`` turns people about by default.
SMPL_PELVIS = (-0.0018, -0.2233, 0.0282)


@dataclass(frozen=True)
class Header:
    """What is true of the whole video.

    ``fps`` is the nominal rate; exact times are in the frames. ``source`` is the input as it was named.
    ``numbers`` tells where the frames' ``number`` comes from: "named", the names of pictures, or "counted", from
    0 at the start of the source.
    """

    fps: Fraction
    width: int
    height: int
    source: str = ""
    system: str = ""
    body: str = "open"
    space: str = "camera"
    numbers: str = "counted"
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def rotate(self) -> int:
        """Degrees by which the video was turned clockwise to be tracked, beyond what it says of itself."""
        return int(self.provenance.get("rotate", 0))

    def to_json(self) -> str:
        record = asdict(self) | {"fps": str(self.fps), "version": VERSION}
        return json.dumps(record, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Header:
        record = json.loads(text)
        version = record.pop("version", None)
        if version not in (1, VERSION):
            raise ChorosError(f"it has schema version {version}, this choros reads versions 1 and {VERSION}")
        return cls(**(record | {"fps": Fraction(record["fps"])}))


@dataclass(frozen=True)
class Person:
    """One identity over time: its rows, in order. Arrays as in the module's table, n frames long."""

    id: int
    rows: NDArray[np.void]  # (n,) ROW
    pts_s: NDArray[np.float64]  # (n,) seconds

    def __len__(self) -> int:
        return len(self.rows)

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name in (ROW.names or ()):
            return self.rows[name]
        raise AttributeError(f"a Person has no {name!r}; it has id, pts_s and {', '.join(ROW.names or ())}")


@dataclass(frozen=True)
class Motion:
    """Everyone's motion in one video; see the module's text for fields, units and frames."""

    header: Header
    frames: NDArray[np.void]  # (T,) FRAME
    rows: NDArray[np.void]  # (N,) ROW, sorted by frame, then person

    def __post_init__(self) -> None:
        if self.frames.dtype != FRAME or self.rows.dtype != ROW:
            raise ChorosError("Motion takes frames of dtype FRAME and rows of dtype ROW.")
        frame, person = self.rows["frame"].astype(np.int64), self.rows["person"].astype(np.int64)
        if len(frame) and (frame.min() < 0 or frame.max() >= len(self.frames)):
            raise ChorosError(
                f"a row names frame {int(frame.max())}, but there are only {len(self.frames)} frames."
            )
        step, next_person = np.diff(frame), np.diff(person)
        if np.any(step < 0) or np.any((step == 0) & (next_person <= 0)):
            raise ChorosError("the rows are not sorted by frame, then person, with one row for each.")

    # --- what people read -------------------------------------------------------------------------

    def __repr__(self) -> str:
        length_s = float(self.pts_s[-1] - self.pts_s[0]) if len(self) else 0.0
        return (
            f"<Motion of {self.header.source or 'nothing named'} by {self.header.system or 'nobody named'}: "
            f"{len(self)} frames in {length_s:.1f} s, {len(self.ids)} people, {self.space} space>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the line of ``repr``, and the moment in which most people are seen."""
        # By name: for a notebook alone does a motion ask for something from the rooms above it.
        picture = import_module("choros.view.notebook").picture(self)
        line = f"<div>{escape(repr(self)[1:-1])}</div>"
        if picture is None:
            return line
        return f'{line}<img alt="{len(self.ids)} people" src="data:image/png;base64,{b64encode(picture).decode()}">'

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def fps(self) -> Fraction:
        return self.header.fps

    @property
    def space(self) -> str:
        return self.header.space

    @property
    def width(self) -> int:
        return self.header.width

    @property
    def height(self) -> int:
        return self.header.height

    @property
    def pts_s(self) -> NDArray[np.float64]:
        """Time of each frame, (T,) seconds."""
        pts = self.frames["pts"]
        return pts[:, 0] / np.maximum(pts[:, 1], 1)

    @property
    def pts(self) -> list[Fraction]:
        """Time of each frame, exact seconds."""
        return [Fraction(int(n), int(d)) for n, d in self.frames["pts"]]

    @property
    def K(self) -> NDArray[np.float64]:
        return self.frames["K"]

    @property
    def T_world_camera(self) -> NDArray[np.float64]:
        return self.frames["T_world_camera"]

    @property
    def number(self) -> NDArray[np.int64]:
        """The source's own number of each frame, (T,); ``header.numbers`` tells what it is."""
        return self.frames["number"]

    @property
    def number_from_1(self) -> NDArray[np.int64]:
        """As formats have it whose first frame is 1, (T,): as in the names of pictures, else counted from 1."""
        return numbers_from_1(self.header, self.frames)

    @property
    def cut_before(self) -> NDArray[np.bool_]:
        return self.frames["cut_before"]

    @property
    def shot(self) -> NDArray[np.int64]:
        """Which shot each frame is of, (T,), counted from 0; nothing is continuous from one to the next."""
        begins = self.cut_before.astype(np.int64)
        begins[:1] = 0
        return np.cumsum(begins)

    @property
    def gap_before(self) -> NDArray[np.bool_]:
        return self.frames["gap_before"]

    @property
    def row_frame(self) -> NDArray[np.int32]:
        return self.rows["frame"]

    @property
    def row_person(self) -> NDArray[np.int32]:
        return self.rows["person"]

    @property
    def global_orient(self) -> NDArray[np.float32]:
        return self.rows["global_orient"]

    @property
    def body_pose(self) -> NDArray[np.float32]:
        return self.rows["body_pose"]

    @property
    def betas(self) -> NDArray[np.float32]:
        return self.rows["betas"]

    @property
    def kid(self) -> NDArray[np.float32]:
        return self.rows["kid"]

    @property
    def transl(self) -> NDArray[np.float32]:
        return self.rows["transl"]

    @property
    def confidence(self) -> NDArray[np.float32]:
        return self.rows["confidence"]

    @property
    def visible(self) -> NDArray[np.bool_]:
        return self.rows["visible"]

    @property
    def box_px(self) -> NDArray[np.float32]:
        return self.rows["box_px"]

    @property
    def keypoints_px(self) -> NDArray[np.float32]:
        return self.rows["keypoints_px"]

    @property
    def ids(self) -> NDArray[np.int32]:
        """Identities, ascending."""
        return np.unique(self.rows["person"])

    @property
    def people(self) -> list[Person]:
        return [self.person(int(i)) for i in self.ids]

    def person(self, person: int) -> Person:
        """One identity. Raises ``ChorosError`` if nobody has it."""
        rows = self.rows[self.rows["person"] == person]
        if not len(rows):
            known = ", ".join(map(str, self.ids)) or "nobody"
            raise ChorosError(f"there is no person {person} in this motion; it has {known}.")
        return Person(person, rows, self.pts_s[rows["frame"]])

    def in_frame(self, frame: int) -> NDArray[np.void]:
        """The rows of one frame, (n,) ROW."""
        start, end = np.searchsorted(self.rows["frame"], [frame, frame + 1])
        return self.rows[start:end]

    # --- parts ------------------------------------------------------------------------------------

    def __getitem__(self, frames: slice) -> Motion:
        """A run of frames; frame numbers then count from its first."""
        start, stop, step = frames.indices(len(self.frames))
        if step != 1:
            raise ChorosError("a Motion is cut into runs of frames; take a slice with step 1.")
        inside = (self.rows["frame"] >= start) & (self.rows["frame"] < stop)
        rows = self.rows[inside].copy()
        rows["frame"] -= start
        return replace(self, frames=self.frames[start:stop], rows=rows)

    def between(self, start_s: float, end_s: float) -> Motion:
        """The frames with ``start_s <= time < end_s``."""
        start, end = np.searchsorted(self.pts_s, [start_s, end_s])
        return self[int(start) : int(end)]

    def select(self, people: Iterable[int]) -> Motion:
        """Only these identities; the frames stay."""
        keep = np.isin(self.rows["person"], list(people))
        return replace(self, rows=self.rows[keep])

    @property
    def tentative(self) -> list[int]:
        """People who were in sight for less than .2 s, and may be nobody; see ``settling``."""
        return tentative(sights(self.rows), self.frames, float(self.fps))

    def settled(self) -> Motion:
        """Without tentative people: what exports, overlays, views and plots take unless told otherwise."""
        doubtful = self.tentative
        return replace(self, rows=self.rows[~np.isin(self.rows["person"], doubtful)]) if doubtful else self

    # --- in and out -------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write ``motion.npz``; the file appears whole or not at all."""
        write_npz(path, self.header, self.frames, self.rows)

    @classmethod
    def load(cls, path: str | Path) -> Motion:
        """Read ``motion.npz``. Raises ``ChorosError`` if it is missing, damaged or something else."""
        path = Path(path)
        if not path.is_file():
            raise ChorosError(f"{path} does not exist; give a motion.npz that `choros track` wrote.")
        try:
            if not zipfile.is_zipfile(path):
                raise ChorosError("it is no npz archive")
            with np.load(path, allow_pickle=False) as stored:
                header = Header.from_json(str(stored["header"]))
                frames = _table(FRAME, stored, len(stored["pts"]))
                if "number" not in stored:
                    frames["number"] = np.arange(len(frames))
                rows = _table(ROW, stored, len(stored["frame"]))
            return cls(header, frames, rows)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, ChorosError) as error:
            reason = str(error).strip("'\" .")
            raise ChorosError(
                f"{path} is not a motion.npz that can be read ({reason}); run `choros track` again."
            ) from error

    def to_amass(
        self, person: int, pelvis_rest: tuple[float, float, float] = SMPL_PELVIS
    ) -> dict[str, NDArray[Any]]:
        """One person in the layout of AMASS's npz files, z up.

        Returns ``poses`` (n, 156): root, 21 body joints and 30 finger joints (zero) as axis-angle, rad;
        ``trans`` (n, 3) metres; ``betas`` (16,), the person's median shape padded with zeros;
        ``gender`` "neutral"; ``mocap_framerate``; and, beyond AMASS, ``frames`` (n,) and ``visible`` (n,).
        A motion in camera space is turned by a level camera's axes (camera y down to world z up) about the
        pelvis at rest, ``pelvis_rest``, metres: exact for the mean shape, else give
        ``body.joints(rest)[0]``.
        """
        from scipy.spatial.transform import Rotation

        one = self.person(person)
        root, trans = one.global_orient.astype(np.float64), one.transl.astype(np.float64)
        if self.space == "camera":
            up = Rotation.from_matrix([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
            root = (up * Rotation.from_rotvec(root)).as_rotvec()
            trans = up.apply(trans + pelvis_rest) - pelvis_rest
        poses = np.zeros((len(one), 156))
        poses[:, :3], poses[:, 3:66] = root, one.body_pose[:, :63]
        return {
            "poses": poses,
            "trans": trans,
            "betas": np.concatenate([np.median(one.betas, axis=0), np.zeros(6)]),
            "gender": np.array("neutral"),
            "mocap_framerate": np.array(float(self.fps)),
            "frames": one.frame.copy(),
            "visible": one.visible.copy(),
        }

    def write_mot(self, path: str | Path) -> None:
        """MOT text (frame as in ``number_from_1``, id, left, top, width, height, confidence, -1, -1, -1).

        Each person from the first to the last frame they were seen in; what was predicted in between is
        written too, what was predicted after the last sight is not.
        """
        write_mot(path, self.header, self.frames, self.rows)


# --- files ----------------------------------------------------------------------------------------

CHUNK = 4096  # rows handled at once, so that hours of video need no more memory than seconds


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """A file that appears under its name whole, or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


class Table(Protocol):
    """Records in memory or in a file; read a piece at a time."""

    @property
    def dtype(self) -> np.dtype[np.void]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.void]: ...


def write_npz(path: str | Path, header: Header, frames: Table, rows: Table) -> None:
    """Both tables as ``motion.npz``; the same tables give the same bytes."""
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        with out.open(_entry("header"), "w") as member:
            np.lib.format.write_array(member, np.array(header.to_json()), allow_pickle=False)
        for table in (frames, rows):
            for name in table.dtype.names or ():
                _write_column(out, table, name)


def _write_column(out: zipfile.ZipFile, table: Table, name: str) -> None:
    kind, shape = table.dtype[name].base, table.dtype[name].shape
    about = {"descr": kind.str, "fortran_order": False, "shape": (len(table), *shape)}
    with out.open(_entry(name), "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, about)
        for start in range(0, len(table), CHUNK):
            member.write(np.ascontiguousarray(table[start : start + CHUNK][name]).tobytes())


def _entry(name: str) -> zipfile.ZipInfo:
    """A member with a fixed date, so that the bytes of a file tell nothing but its content."""
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _table(dtype: np.dtype[np.void], stored: Any, length: int) -> NDArray[np.void]:
    table = np.zeros(length, dtype)
    for name in dtype.names or ():
        if name in SINCE_2 and name not in stored:
            continue
        column = stored[name]
        if column.shape != table[name].shape:
            raise ChorosError(f"its {name} has shape {column.shape}, not {table[name].shape}")
        table[name] = column
    return table


def numbers_from_1(header: Header, frames: NDArray[np.void]) -> NDArray[np.int64]:
    """See ``Motion.number_from_1``; of some frames, (n,) FRAME."""
    numbers: NDArray[np.int64] = frames["number"]
    return numbers if header.numbers == "named" else numbers + 1


def write_mot(
    path: str | Path, header: Header, frames: Table, rows: Table, without: Iterable[int] = ()
) -> None:
    """Rows as MOT text, but for these people; see ``Motion.write_mot``."""
    last_seen = {person: sight.last for person, sight in sights(rows).items()}
    for person in without:
        last_seen.pop(person, None)
    with atomic_write(path) as file:
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            first = int(part["frame"][0])
            numbers = numbers_from_1(header, frames[first : int(part["frame"][-1]) + 1])
            for row in part:
                frame, person = int(row["frame"]), int(row["person"])
                if frame > last_seen.get(person, -1):
                    continue
                x0, y0, x1, y1 = row["box_px"].tolist()
                line = f"{numbers[frame - first]},{person},{x0:.2f},{y0:.2f},{x1 - x0:.2f},{y1 - y0:.2f}"
                file.write(f"{line},{row['confidence']:.4f},-1,-1,-1\n".encode())
