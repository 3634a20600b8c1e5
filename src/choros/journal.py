"""A ``Motion`` that is being written while the video runs, safe against being killed at any moment.

Beside the output stands a folder with the two tables of ``motion.tables`` as plain appended records and one
checkpoint: how many records count, and the state of the system after them. Records past the checkpoint are
cut off on resume, so the work that can be lost is what was done since the last checkpoint. The folder is there
from the first frame until the outputs are complete, and never after. Whoever writes or resumes a journal has claimed
its output (``outputs.claimed``).
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from choros.clip_identity import Identity
from choros.clip_identity import difference as difference_of_clips
from choros.errors import ChorosError
from choros.motion import FRAME, ROW, Header, write_mot, write_npz
from choros.motion.extras import told
from choros.motion.settling import seen_spans, settle, tentative
from choros.npz import open_npz
from choros.outputs import atomic_write
from choros.run_identity import difference

State = Mapping[str, NDArray[Any]]

INPUT = "input"  # the entry of a header's provenance that holds the clip's identity
CHECKPOINT_S = 2.0  # of video; what a kill can cost


@dataclass(frozen=True)
class _Records:
    """A file of records, read in the pieces that are asked for."""

    path: Path
    dtype: np.dtype[np.void]
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, part: slice) -> NDArray[np.void]:
        start, stop, _ = part.indices(self.length)
        offset = start * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, max(stop - start, 0), offset=offset)


class MotionJournal:
    """Appends frames and rows; ``finish`` turns them into ``motion.npz``.

    >>> with MotionJournal.start("out/motion.npz", header) as journal:
    ...     journal.append(frame, rows)             # () FRAME, (n,) ROW and extras
    ...     journal.checkpoint(tracker.state())
    ...     journal.finish()
    """

    def __init__(
        self, output: Path, header: Header, n_frames: int, n_rows: int, row_type: np.dtype[np.void] = ROW
    ) -> None:
        self.output, self.header = output, header
        self.n_frames, self.n_rows = n_frames, n_rows
        self._row_type = row_type  # ROW and extras; of the first frame that has people
        self.folder = folder_of(output)
        self._frames = _open_at(self.folder / "frames.bin", n_frames * FRAME.itemsize)
        self._rows = _open_at(self.folder / "rows.bin", n_rows * row_type.itemsize)

    @classmethod
    def start(cls, output: str | Path, header: Header) -> MotionJournal:
        """A new journal; one that an earlier run left for the same output is discarded."""
        output = Path(output)
        folder = folder_of(output)
        if folder.exists():
            _remove(folder)
        folder.mkdir(parents=True)
        with atomic_write(folder / "header.json") as file:
            file.write(header.to_json().encode())
        return cls(output, header, 0, 0)

    @classmethod
    def resume(cls, output: str | Path, header: Header) -> tuple[MotionJournal, State] | None:
        """The journal as of its last checkpoint and the system's state then; None if there is none.

        Raises ``ChorosError``, which names the difference, if it belongs to another input, system or choice of
        options.
        """
        output = Path(output)
        folder = folder_of(output)
        if not (folder / "checkpoint").is_file():
            return None
        begun = _header_of(folder)
        if begun is None:
            raise ChorosError(
                f"{folder} was written by another version of choros; leave out --resume to start again."
            )
        _check_same_run(output, begun, header)
        counts, row_type, state = _unpack((folder / "checkpoint").read_bytes())
        return cls(output, begun, counts["n_frames"], counts["n_rows"], row_type), state

    def append(self, frame: NDArray[np.void], rows: NDArray[np.void]) -> None:
        """One frame, () FRAME, and its people, (n,) ROW, with extras if those before had some.

        Raises ``ChorosError`` if rows have other extras than those before.
        """
        if len(rows) and not self.n_rows:
            self._row_type = rows.dtype
        if len(rows) and rows.dtype != self._row_type:
            raise ChorosError(
                f"the people of frame {self.n_frames} have {told(rows.dtype)}, those before {told(self._row_type)}; a "
                "system gives the same extras, of the same types and shapes, in every frame."
            )
        self._frames.write(frame.tobytes())
        self._rows.write(rows.tobytes())
        self.n_frames += 1
        self.n_rows += len(rows)

    def checkpoint(self, state: State) -> None:
        """Make everything appended so far, and ``state``, survive a kill or a power cut."""
        for file in (self._frames, self._rows):
            file.flush()
            os.fsync(file.fileno())
        with atomic_write(self.folder / "checkpoint") as file:
            file.write(_pack({"n_frames": self.n_frames, "n_rows": self.n_rows}, self._row_type, state))

    def finish(self, *, keep: bool = False, settled_until: int = 0) -> int:
        """Write ``motion.npz`` and ``tracks.txt`` beside it, then remove the journal unless ``keep``.

        Returns how many people were seen.
        Both hold nobody after their last sight (see ``settling``, also on ``settled_until``), and ``tracks.txt`` nobody
        who is tentative.
        """
        self._frames.flush()
        self._rows.flush()
        frames = _Records(self.folder / "frames.bin", FRAME, self.n_frames)
        rows = _Records(self.folder / "rows.bin", self._row_type, self.n_rows)
        settled = self.folder / "settled.bin"
        rows = _Records(settled, self._row_type, settle(rows, frames, settled, settled_until))
        seen = seen_spans(rows)
        doubtful = tentative(seen, frames, float(self.header.fps))
        write_mot(self.output.with_name("tracks.txt"), self.header, frames, rows, without=doubtful)
        write_npz(self.output, self.header, frames, rows)
        settled.unlink()
        if not keep:
            self.close()
            _remove(self.folder)
        return len(seen)

    def close(self) -> None:
        """Close both files; what was appended stays for ``resume``."""
        self._frames.close()
        self._rows.close()

    def __enter__(self) -> MotionJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def folder_of(output: Path) -> Path:
    """The folder of the journal, beside the ``motion.npz`` that will be written from it."""
    return output.with_name(output.name + ".journal")


def check_same_clip(output: Path, source: str | Path, clip: Identity | None) -> None:
    """Raise ``ChorosError`` if what stands at ``output``, begun or finished, is of another clip than ``source``.

    ``clip`` is its identity; without one it may be any, and nothing is gone on with.
    """
    begun = folder_of(output).exists()
    if clip is None and (begun or output.exists()):
        raise ChorosError(
            f"{output} cannot be gone on with, since nothing tells whether {source} still gives the same; leave out "
            "--resume to start again, or name another output."
        )
    header = _header_of(folder_of(output)) if begun else (_finished(output) or (None,))[0]
    then = header.provenance.get(INPUT) if header else None
    changed = difference_of_clips(then, clip) if then and clip else None
    if changed:
        raise ChorosError(
            f"{source} is not the clip that {output} {'was begun with' if begun else 'is of'}: it has {changed}; "
            "leave out --resume to start again, or name another output."
        )


def frames_if_finished(output: Path, header: Header) -> int | None:
    """How many frames a run with this ``header`` wrote to ``output``; None if none came to its end there.

    Removes what is left of its journal if it was killed while it removed that. Raises ``ChorosError``, which names
    the difference, if another run did: to go on with it is not to begin again over it.
    """
    found = _finished(output)
    if found is None:
        return None
    _check_same_run(output, found[0], header)
    shutil.rmtree(_removed(folder_of(output)), ignore_errors=True)
    return found[1]


def header_if_finished(output: Path) -> Header | None:
    """What the run says of itself that came to its end at ``output``; None if none did."""
    found = _finished(output)
    return found and found[0]


def _finished(output: Path) -> tuple[Header, int] | None:
    """The header and number of frames of a run that came to its end."""
    if folder_of(output).exists() or not output.with_name("tracks.txt").is_file():
        return None
    try:
        with open_npz(output) as stored:
            return Header.from_json(str(stored["header"])), len(stored["pts"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, ChorosError):
        return None


def _header_of(folder: Path) -> Header | None:
    """What a journal was begun with; None if it did not come as far, or was written by another version."""
    try:
        text = (folder / "header.json").read_text()
        header = Header.from_json(text)
    except (OSError, ValueError, KeyError, TypeError, ChorosError):
        return None
    return header if header.to_json() == text else None


def _check_same_run(output: Path, begun: Header, now: Header) -> None:
    """Raise ``ChorosError`` if the run that ``begun`` tells of is not the one of ``now``."""
    other = difference(begun, now)
    if other:
        raise ChorosError(f"{output} {other}; give the same choice, or leave out --resume to start again.")


def _remove(folder: Path) -> None:
    """Away at once, then piece by piece: a kill in between must not leave half a journal to resume."""
    gone = _removed(folder)
    shutil.rmtree(gone, ignore_errors=True)  # of a run that was killed here; the output is claimed
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _removed(folder: Path) -> Path:
    return folder.with_name(folder.name + ".old")


def _open_at(path: Path, size: int) -> BinaryIO:
    """Open for appending after the first ``size`` bytes; what follows them was never confirmed."""
    file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115 (closed by the journal)
    file.truncate(size)
    file.seek(size)
    return file


def _pack(counts: dict[str, int], row_type: np.dtype[np.void], state: State) -> bytes:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"counts": np.array(json.dumps(counts)), "rows": np.zeros(0, row_type)}
    arrays |= {f"state.{name}": array for name, array in state.items()}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpack(blob: bytes) -> tuple[dict[str, int], np.dtype[np.void], State]:
    with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
        state = {name[6:]: stored[name] for name in stored.files if name.startswith("state.")}
        row_type = stored["rows"].dtype if "rows" in stored else ROW
        return json.loads(str(stored["counts"])), row_type, state
