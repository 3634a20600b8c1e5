"""The registry: systems by name, what each is for, what it can be told, and how it is made.

Nothing else knows a system by its name. Command line, benchmarks and headers read what stands here; ``register`` adds
to it, and so does any installed package with an entry point in the group ``choros.systems`` that names an ``Entry``.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from choros.devices import AUTO, DTYPES, Device
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.detection import Detector, KeypointEstimator
    from choros.tracking.pose_engine import PoseEngine
    from choros.tracking.stream import System

#: Best on real footage that nobody trained on, by the rule in docs/choosing.md.
DEFAULT = "lifter"
GROUP = "choros.systems"
ENGINE = "engine"  # the part and the option of that name

#: Parts that a user may bring, and what each must have.
PARTS = {
    "detector": ("detect",),
    "keypoints": ("estimate",),
    "trunk": ("channels", "strides", "state_dict"),
    ENGINE: ("body", "pose"),
}

#: Pose engines by name (`choros.tracking.pose_engine`), for systems that take any: each is made of a user's body,
#: weights and device.
ENGINES = {
    "lifter": "choros.lifter.pose_engine:make",
    "hmr2": "choros.fourdhumans.phalp.engines:make_hmr2",
    "comotion": "choros.comotion.pose_engine:make",
}


@dataclass(frozen=True)
class NoOptions:
    """Of a system of which nothing can be chosen."""


@dataclass(frozen=True)
class Entry:
    """What is known of a system before it is loaded.

    ``make(options, *, device, threads, **parts)`` returns the system: ``options`` are an instance of the frozen
    dataclass ``options``, ``device`` a ``devices.Device``, ``threads`` as of ``load``, and of ``parts`` those that a
    user brought. Both may be "module:name", imported when needed.
    """

    name: str
    make: Callable[..., System] | str
    options: type | str = NoOptions
    what: str = ""  # one line: what it does
    licence: str = ""  # of its weights
    parts: tuple[str, ...] = ()  # which of ``PARTS`` it has
    dtypes: tuple[str, ...] = DTYPES[:1]  # what its networks can compute in
    aliases: tuple[str, ...] = ()  # older names, which go on working

    def options_type(self) -> type:
        """The dataclass of what it can be told."""
        found: type = _found(self.options) if isinstance(self.options, str) else self.options
        return found

    def option_names(self) -> tuple[str, ...]:
        """What it can be told, by name."""
        return tuple(field.name for field in fields(self.options_type()))

    def made(self, options: Any, device: Device, threads: int | None, parts: Mapping[str, Any]) -> System:
        """The system itself."""
        make = _found(self.make) if isinstance(self.make, str) else self.make
        system: System = make(options, device=device, threads=threads, **parts)
        return system


_ENTRIES: dict[str, Entry] = {
    "lifter": Entry(
        "lifter",
        "choros.lifter.system:make",
        "choros.lifter.options:LifterOptions",
        what="finds people in every frame and lifts their keypoints to bodies; for any footage",
        licence="Apache-2.0",
        parts=("detector", "keypoints"),
        aliases=("baseline",),
    ),
    "comotion": Entry(
        "comotion",
        "choros.comotion.system:make",
        "choros.comotion.options:ComotionOptions",
        what="updates everyone's pose from the pixels of each frame; for people who hide each other",
        licence="Apache-2.0",
        parts=("detector", "keypoints", "trunk"),
        dtypes=DTYPES,
    ),
    "4dhumans": Entry(
        "4dhumans",
        "choros.fourdhumans.phalp.system:make",
        "choros.fourdhumans.phalp.options:PhalpOptions",
        what="joins people by their predicted 3D pose, place and looks, with any pose engine, as phalp:ENGINE",
        licence="Apache-2.0",
        parts=("detector", "keypoints", ENGINE),
        aliases=("phalp",),
    ),
    "trace": Entry(
        "trace",
        "choros.trace.system:make",
        "choros.trace.options:TraceOptions",
        what="sees everyone at once, and where the camera goes; one run of its network a frame",
        licence="Apache-2.0",
    ),
}


def register(
    name: str,
    make: Callable[..., System] | str,
    options: type | str = NoOptions,
    *,
    what: str = "",
    licence: str = "",
    parts: tuple[str, ...] = (),
    dtypes: tuple[str, ...] = DTYPES[:1],
    aliases: tuple[str, ...] = (),
) -> None:
    """Make a system known by its name: to ``choros.load``, the command line, benchmarks and whatever else asks.

    What goes in is said at ``Entry``. Raises ``ChorosError`` where the name is taken or no plain word, or there is no
    such part or type of numbers.
    """
    _installed()
    _add(Entry(name, make, options, what, licence, parts, dtypes, aliases))


def _add(entry: Entry) -> None:
    for name in (entry.name, *entry.aliases):
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise ChorosError(f"{name!r} is no name for a system; take small letters, digits, - and _.")
        if name in _ENTRIES or any(name in known.aliases for known in _ENTRIES.values()):
            raise ChorosError(f"a system called {name!r} is there already; take another name.")
    strange = [part for part in entry.parts if part not in PARTS] + [
        dtype for dtype in entry.dtypes if dtype not in DTYPES
    ]
    if strange:
        raise ChorosError(
            f"{entry.name}: {strange[0]!r} is none of {', '.join((*PARTS, *DTYPES))}; leave it out."
        )
    _ENTRIES[entry.name] = entry


@cache
def _installed() -> None:
    """Register what other packages bring; one that cannot be is told of and left out."""
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        try:
            _add(point.load())
        except Exception as error:
            warnings.warn(f"the system {point.name} of {point.value} is left out: {error}", stacklevel=2)


def names() -> tuple[str, ...]:
    """The systems that there are."""
    _installed()
    return tuple(_ENTRIES)


def entries() -> tuple[Entry, ...]:
    """What is known of each of them."""
    _installed()
    return tuple(_ENTRIES.values())


def spellings(entry: Entry) -> tuple[str, ...]:
    """How a system may be called: by its name, its aliases, and each of these with a pose engine behind a colon."""
    called = (entry.name, *entry.aliases)
    with_engine = [f"{name}:{engine}" for name in called for engine in ENGINES if ENGINE in entry.parts]
    return (*called, *with_engine)


def spelled(text: str) -> tuple[str, str | None]:
    """``phalp:hmr2`` as the name and the pose engine; no engine where nothing or something else stands behind it."""
    name, _, engine = text.partition(":")
    known = [entry for entry in entries() if name in (entry.name, *entry.aliases)]
    return (name, engine) if known and text in spellings(known[0]) and engine else (text, None)


def entry_of(name: str) -> Entry:
    """What is known of the system that has this name, or had it once. Raises ``ChorosError`` if none has."""
    name, _ = spelled(name)
    for entry in entries():
        if name == entry.name or name in entry.aliases:
            return entry
    raise ChorosError(f"there is no system called {name!r}; choose one of: {', '.join(names())}.")


def having(option: str) -> tuple[str, ...]:
    """The systems that have an option or a part of this name."""
    return tuple(entry.name for entry in entries() if option in (*entry.option_names(), *entry.parts))


def check_option(entry: Entry, option: str, called: str | None = None) -> None:
    """Raise ``ChorosError`` where a system lacks an option or a part; ``called`` is how its user knows it."""
    if option in entry.option_names() or option in entry.parts:
        return
    called, others = called or option, having(option)
    if others:
        raise ChorosError(f"{entry.name} has no {called}; leave it out, or take {' or '.join(others)}.")
    has = (*entry.option_names(), *entry.parts)
    near = get_close_matches(option, has, 1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(has) or 'no options'}."
    raise ChorosError(f"{entry.name} has no option {called}; {hint}")


def load(
    name: str = DEFAULT,
    *,
    detector: Detector | None = None,
    keypoints: KeypointEstimator | None = None,
    trunk: Any = None,
    engine: PoseEngine | str | None = None,
    device: str = AUTO,
    dtype: str = "float32",
    threads: int | None = 1,
    **options: Any,
) -> System:
    """A system ready to track. ``names()`` are those that there are; four ship.

    ``detector``, ``keypoints`` and ``trunk`` are parts of your own (docs/detector.md): the lifter and 4DHumans have the
    first two, CoMotion all three. ``engine`` is what poses people for 4DHumans: a name of ``ENGINES``, which may stand
    behind the system's (``phalp:comotion``), or one of your own (docs/fourdhumans.md).
    ``device`` is where networks run: cpu, cuda, cuda:1, mps, or auto, which is CUDA where it is there.
    ``dtype`` is what they compute in: float32 or, of CoMotion's image features, bfloat16 or float16.
    ``threads`` is how many PyTorch, NumPy's linear algebra and OpenCV have while a frame is worked on, in whichever
    thread does that; afterwards they have as many as before, and None leaves them alone. Those of the last two are the
    whole process's. With more than one, a frame takes many times as long where anything else uses the cores.

    Everything else is an option of the system, a field of its dataclass; of those that ship:

    - ``accurate``: slower and better networks.
    - ``fast``: image features of CoMotion and TRACE in eight bits, on the CPU (the lifter is fast unless accurate).
    - ``fit_keypoints``: False for CoMotion of pixels alone and TRACE of its maps, nobody put on keypoints.
    - ``detect_boxes``, ``flow``, ``gru``, ``memory``: False for TRACE without a part. ``subjects``: it follows so many.
    - ``strict``: only people whom the detector is certain of (CoMotion).
    - ``heights_m``: statures that somebody measured, metres by person (the lifter).
    - ``same_people``: whoever is dressed like one person of an earlier shot, and like no other, goes on under their
      number after a cut (the lifter).
    - ``appearance``, ``pose``, ``place``, ``pose_transformer``: False for 4DHumans without one of its parts.
    - ``body_path``: a user's SMPL file. ``weights_path``: a user's weights. None takes what ships.

    Raises ``ChorosError`` on an unknown name, an option or a part that the system does not have, a device that is not
    there, and files that do not fit.
    """
    if threads is not None and threads < 1:
        raise ChorosError(
            f"{threads} threads compute nothing; give 1 or more, or None for as many as there are."
        )
    entry = entry_of(name)
    options = _with_engine(name, engine, options)
    brought = {"detector": detector, "keypoints": keypoints, "trunk": trunk}
    parts = _parts(entry, brought | {ENGINE: None if isinstance(engine, str) else engine})
    # None, False and nothing leave an option as it is, also one that only other systems have.
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        if value or not having(option):
            check_option(entry, option)
    chosen = entry.options_type()(
        **{option: value for option, value in given.items() if option in entry.option_names()}
    )
    where = Device(device, dtype)
    _check_dtype(entry, dtype)
    if ENGINE in entry.parts and ENGINE not in parts:
        parts[ENGINE] = _engine(chosen, where)
    return entry.made(chosen, where, threads, parts)


def _check_dtype(entry: Entry, dtype: str) -> None:
    if dtype not in entry.dtypes:
        others = [other.name for other in entries() if dtype in other.dtypes]
        raise ChorosError(
            f"{entry.name} computes in {' or '.join(entry.dtypes)} alone, not in {dtype}; leave that out"
            + (f", or take {' or '.join(others)}." if others else ".")
        )


def _with_engine(name: str, engine: PoseEngine | str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the pose engine that is told by its name; what a user brought is none."""
    named = spelled(name)[1]
    if named and engine is not None:
        raise ChorosError(f"{name} names its pose engine; give none beside it.")
    told = named or (engine if isinstance(engine, str) else None)
    return {**options, ENGINE: told} if told else dict(options)


def _parts(entry: Entry, brought: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that a user brought. Raises ``ChorosError`` for those that the system lacks, or that are none."""
    parts = {part: one for part, one in brought.items() if one is not None}
    for part, one in parts.items():
        check_option(entry, part, f"{part} of yours")
        _check_part(part, one)
    return parts


def _engine(chosen: Any, device: Device) -> PoseEngine:
    """The pose engine that options name, with their body and weights. Raises ``ChorosError`` if there is none."""
    if chosen.engine not in ENGINES:
        raise ChorosError(f"there is no pose engine {chosen.engine!r}; choose one of: {', '.join(ENGINES)}.")
    engine: PoseEngine = _found(ENGINES[chosen.engine])(chosen.body_path, chosen.weights_path, device)
    return engine


def _check_part(part: str, one: Any) -> None:
    lacks = [word for word in PARTS[part] if not hasattr(one, word)]
    if lacks or isinstance(one, type):
        what = "is a class; give what it makes" if isinstance(one, type) else f"has no {lacks[0]}"
        raise ChorosError(
            f"{part}: {getattr(one, '__name__', type(one).__name__)} {what}; see docs/detector.md."
        )


def _found(where: str) -> Any:
    module, _, name = where.partition(":")
    return attrgetter(name)(import_module(module))
