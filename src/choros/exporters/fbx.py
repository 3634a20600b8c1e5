"""FBX, by Blender's own exporter: the GLB is read and written again in a Python of its own that has ``bpy``.

FBX has no public specification; Blender's exporter is what animation programs are known to read. It is a program of
some 400 MB under the GPL, so that it runs beside choros and not in it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from choros.errors import ChorosError
from choros.exporters.formats import ExportOptions
from choros.exporters.glb import write_glb
from choros.motion import Motion
from choros.outputs import atomic_path

SCRIPT = Path(__file__).with_name("in_blender.py")
LONGEST_S = 3600  # that Blender may take for a file


def write_fbx(
    motion: Motion, path: Path, options: ExportOptions | None = None, python: str | None = None
) -> list[Path]:
    """Everybody and the camera as one ``.fbx``, or one each with ``apart``; returns the files.

    Metres as Blender writes them, y up, a take of all frames at the motion's rate, counted from 0. ``python`` is one
    that has ``bpy``, this one if it is not said. Raises ``ChorosError`` where there is none or Blender fails, and as
    ``write_glb`` does.
    """
    if python is None and importlib.util.find_spec("bpy") is None:
        raise ChorosError(
            f"{path} is written by Blender's exporter, which is not here: run `pip install choros[fbx]` in a Python "
            "that Blender's package bpy has wheels for, or take --to glb, import it in Blender and choose FBX in File, "
            "Export."
        )
    options = replace(options or ExportOptions(), quantised=False)
    even = motion.evenly()
    files = []
    with TemporaryDirectory() as folder:
        for glb in write_glb(even, Path(folder) / path.with_suffix(".glb").name, options):
            files.append(path.with_name(f"{glb.stem}.fbx"))
            with atomic_path(files[-1]) as part:
                _convert(python or sys.executable, glb, part, even, files[-1])
    return files


def _convert(python: str, glb: Path, part: Path, motion: Motion, path: Path) -> None:
    rate = motion.fps
    numbers = (str(rate.numerator), str(rate.denominator), str(len(motion)))
    command = [python, "-P", str(SCRIPT), str(glb), str(part), *numbers]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S)  # noqa: S603 (our own)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ChorosError(f"{path} could not be written: Blender's Python did not run ({error}).") from None
    if done.returncode or not part.stat().st_size:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ChorosError(f"{path} could not be written by Blender ({last.rstrip('.')}); take --to glb.")
