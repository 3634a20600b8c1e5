"""The identity of a run, for resuming it: its system with its files and options, and the input that it tracks.

It is part of the header of a motion and of its journal, where ``difference`` finds what two runs do not share. Only
options that differ from their defaults are kept; a file is identified by the SHA-256 of its bytes, not by its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from choros.motion import Header

Identity = dict[str, Any]

SHIPPED = "shipped"  # in place of the name of a file that comes with choros
#: Not part of what a run is: names of files, which may be copied, and when they were changed.
_ASIDE = (".file", ".modified")
_ABSENT = object()
_CLIP = "input.sha256_of_blocks"  # what a header tells of the content of a clip (``clip_identity``)

#: What the entries of a header are called on the command line, in the order in which a difference is told.
WORDS = {
    "system.name": "--system",
    "system.class": "a system of class",
    "system.options.accurate": "--accurate",
    "system.options.fast": "--fast",
    "system.options.strict": "--strict",
    "system.options.pixels_alone": "--no-fit-keypoints",
    "system.options.same_people": "--same-people",
    "system.options.heights_m": "--height",
    "system.device": "--device",
    "system.dtype": "--dtype",
    "system.finder.keypoints.class": "eyes of class",
    "system.finder.keypoints.weights": "--eyes",
    "system.finder.detector.class": "a detector of class",
    "system.finder.detector.weights": "--detector",
    "system.detector.class": "a detector of class",
    "system.detector.weights": "--detector",
    "system.trunk": "a trunk",
    "system.weights": "--weights",
    "system.body": "--body",
    "options.start_s": "--start",
    "options.end_s": "--end",
    "options.image_fps": "--fps",
    "options.photos": "--photos",
    "rotate": "--rotate",
    "options.focal_px": "--focal",
    "options.fov_deg": "--fov",
    "options.K": "--K",
    "calibration": "--calibration",
    "T_world_camera": "--camera-pose",
    "live_world": "--live-world",
    "smoothed": "--smooth",
    "live": "a live source",
    "input": "a clip of",
    "choros": "choros",
    "header.source": "input",
    "system.options": "the system's option",
    "options": "the option",
    "system": "the system's",
    "K": "intrinsics",
    "header": "",
}


def identity_of(system: Any) -> Identity:
    """What a header tells of a ``stream.System``: name, class, and what its ``identity`` says if it has one.

    Of one without, it is what is not as it comes in ``options``, where it keeps a dataclass of that name.
    """
    about = {"name": system.name} | part_identity(system)
    options = getattr(system, "options", None)
    if is_dataclass(options) and not isinstance(options, type) and not hasattr(system, "identity"):
        about["options"] = changed(options, type(options)())
    return about


def part_identity(part: Any) -> Identity:
    """Of a system or a part of one, such as a detector: its class, and what its ``identity`` says if it has one."""
    return class_identity(part) | (dict(part.identity()) if hasattr(part, "identity") else {})


def class_identity(part: Any) -> Identity:
    """Of anything: its class."""
    return {"class": f"{type(part).__module__}.{type(part).__qualname__}"}


def file_identity(path: str | Path | None, shipped: Path) -> Identity:
    """Of a file that a user gave, or None for the one that ships."""
    return {
        "file": SHIPPED if path is None else str(path),
        "sha256": sha256_of(shipped if path is None else path),
    }


def sha256_of(path: str | Path) -> str:
    """Of all bytes of a file, in hex; read once as long as its size and the time of its change stay."""
    stat = Path(path).stat()
    return _sha256_of(Path(path).resolve(), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, size: int, modified_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def changed(config: DataclassInstance, default: DataclassInstance) -> Identity:
    """The values of ``config`` that are not the default's, by their names from the outermost in: "life.lost_s"."""
    plain = _flat(asdict(default))
    return {name: value for name, value in _flat(asdict(config)).items() if plain.get(name, _ABSENT) != value}


def difference(begun: Header, now: Header) -> str | None:
    """How the run that ``begun`` tells of is not the one of ``now``, as the middle of a sentence; None if it is.

    Names of files and the times of their changes do not count, for a copy is the same, and neither does the name of a
    clip that is known by its content. The version of choros does: another one may go on otherwise than it was begun.
    """
    then, this = _told(begun), _told(now)
    if _CLIP in then and _CLIP in this:
        del then["header.source"], this["header.source"]
    if "system.name" in this and "system.name" not in then:
        return "does not tell how it was tracked"
    for name in sorted(then.keys() | this.keys(), key=_place):
        was, is_ = then.get(name, _ABSENT), this.get(name, _ABSENT)
        if was == is_ or name.endswith(_ASIDE):
            continue
        if was is _ABSENT:
            return f"was begun without {_words(name)}, this run is with {_phrase(name, this)}"
        is_with = "without it" if is_ is _ABSENT else f"with {_phrase(name, this)}"
        return f"was begun with {_phrase(name, then)}, this run is {is_with}"
    return None


def _told(header: Header) -> dict[str, Any]:
    """Everything in a header by name, "options.start_s"; a flag that was not given is as what is not told."""
    record = json.loads(header.to_json())
    about = record.pop("provenance")
    told = _flat({"header": record} | about)
    return {name: value for name, value in told.items() if value is not False or name not in WORDS}


def _flat(record: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _known(name: str) -> str:
    """The longest beginning of a name that ``WORDS`` has; the name itself if there is none."""
    parts = name.split(".")
    beginnings = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((known for known in beginnings if known in WORDS), name)


def _place(name: str) -> tuple[int, str]:
    order = list(WORDS)
    known = _known(name)
    return order.index(known) if known in WORDS else len(order), name


def _words(name: str) -> str:
    """What an entry is called: by the command line, or by itself."""
    known = _known(name)
    rest = name[len(known) + 1 :]
    if known == "system.options.heights_m" or rest == "sha256":
        rest = ""
    return f"{WORDS.get(known, known)} {rest}".strip()


def _phrase(name: str, told: Mapping[str, Any]) -> str:
    """An entry with its value."""
    value, words = told[name], _words(name)
    if name.endswith(".sha256"):
        file = told.get(name.removesuffix("sha256") + "file", "")
        called = f"the shipped {words.removeprefix('--')}" if file == SHIPPED else f"{words} {file}".strip()
        return f"{called} (SHA-256 {value[:8]})"
    if name.startswith("system.options.heights_m."):
        return f"{words} {name.rsplit('.', 1)[1]}={value:g}"
    return words if value is True else f"{words} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_value(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
