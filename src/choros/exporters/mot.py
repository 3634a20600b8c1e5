"""MOT Challenge text: everybody's boxes in the image, as ``Motion.write_mot`` writes them."""

from pathlib import Path

from choros.exporters.formats import ExportOptions
from choros.motion import Motion


def write_mot(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """One line a person and frame. Raises ``ChorosError`` for a person who is not in the motion."""
    people = (options or ExportOptions()).people or motion.ids.tolist()
    for person in people:
        motion.person(person)
    motion.select(people).write_mot(path)
    return [path]
