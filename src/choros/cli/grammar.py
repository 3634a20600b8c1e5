"""One grammar for all commands: MOTION first, then the VIDEO that it is of; more motions after --compare.

What follows -o is a folder where a command writes several files, and the file where it writes one; a flag means one
thing. Flags by what they were called once are still understood; what else breaks the grammar gets a sentence with
what to write.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from choros.cli.motions import is_motion
from choros.errors import ChorosError

#: Flags by what commands once called them; nothing for one that says what happens anyway.
RENAMED = {
    "track": {"--camera": "--camera-name"},
    "live": {"--camera": "--camera-name"},
    "train comotion": {"--resume": ""},
    "train pseudo-label": {"--pictures": "--photos"},
}
WITH_VIDEO = ("show", "view", "report", "world", "edit")


def as_spelled_today(arguments: Sequence[str]) -> list[str]:
    """The arguments with flags by their names of today."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    names = RENAMED.get(" ".join(arguments[:2])) or RENAMED.get(" ".join(arguments[:1]), {})
    flags = (word.partition("=") for word in arguments[:end])
    spelled = ["".join((names.get(flag, flag), *value)) for flag, *value in flags]
    return [word for word, old in zip(spelled, arguments, strict=False) if word or not old] + list(
        arguments[end:]
    )


def check_options(arguments: Sequence[str]) -> None:
    """Raise ``ChorosError`` where a video is given after --video, as `choros view` once had it."""
    command = arguments[0] if arguments else ""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if command not in WITH_VIDEO:
        return
    for place, word in enumerate(options):
        if word.partition("=")[0] == "--video":
            video = shlex.quote(word.partition("=")[2] or "".join(options[place + 1 : place + 2]) or "VIDEO")
            raise ChorosError(
                f"the video follows its motion, without --video: `choros {command} MOTION {video}`."
            )


def check_places(command: str, motion: Path, behind: Sequence[str]) -> str | None:
    """The video among the words ``behind`` a motion; None if there is none.

    Raises ``ChorosError`` where one of them is a motion too, by its content, or there are several videos.
    """
    motions = [word for word in behind if is_motion(Path(word)) and not _holds_pictures(Path(word))]
    if motions and motion.exists() and not is_motion(motion):
        right = shlex.join(["choros", command, motions[0], str(motion)])
        raise ChorosError(f"the motion comes first, then the video: `{right}`.")
    if motions and command == "view":
        video = [word for word in behind if word not in motions]
        right = shlex.join(["choros", "view", str(motion), *video, "--compare", *motions])
        raise ChorosError(f"{motions[0]} is a motion and no video; to compare, write `{right}`.")
    if motions:
        raise ChorosError(
            f"{motions[0]} is a motion and no video; give the video that {motion} was tracked in."
        )
    if len(behind) > 1:
        raise ChorosError(f"behind {motion} there is one video, not {len(behind)}: {', '.join(behind)}.")
    return behind[0] if behind else None


def check_compared(motion: Path, compared: Sequence[Path]) -> None:
    """Raise ``ChorosError`` where a video stands after --compare, which takes all words up to the next option."""
    for path in compared:
        if path.is_file() and path.suffix.lower() != ".npz" and not is_motion(path):
            right = shlex.join(["choros", "view", str(motion), str(path), "--compare", "..."])
            raise ChorosError(f"{path} is no motion to compare; the video follows the first one: `{right}`.")


def _holds_pictures(path: Path) -> bool:
    """A folder of a video's frames, which may have a motion beside them."""
    from choros.video.images import pictures_in

    try:
        return path.is_dir() and bool(pictures_in(path))
    except ChorosError:
        return False
