"""The flags of every system: which one, what it can be told, and where its networks run; made from the registry.

The options of all systems stand in one list, each once. What the chosen system does not have is refused.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, make_dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from tyro.conf import arg

from choros import systems
from choros.cli.arguments import Flag, Heights, OptionalFile
from choros.cli.eyes import detector_named, eyes_named, path_named
from choros.devices import DTYPES, Device
from choros.errors import ChorosError
from choros.options import heights_of

if TYPE_CHECKING:
    from choros.tracking.stream import System

Command = TypeVar("Command", bound="Networks")


class Written(NamedTuple):
    """How an option of a system is written on the command line."""

    flag: str
    kind: Any
    default: Any
    value: Callable[[Any], Any] = lambda written: written  # what the system is told


#: Options whose flag is not just their name.
_WRITTEN = {
    "heights_m": Written("height", Heights, (), heights_of),
    "body_path": Written("body", OptionalFile, None),
    "weights_path": Written("weights", OptionalFile, None),
}


#: The word for the embedded body where a file of a body is expected.
EMBEDDED = Path("open")


class Part(NamedTuple):
    """How a part of a system is named on the command line."""

    flag: str
    what: str
    made: Callable[[str, Device], Any]


PARTS = {
    "keypoints": Part("eyes", "What reads keypoints: lightning, thunder", eyes_named),
    "detector": Part("detector", "What finds people: nanodet", detector_named),
}
PartName = Annotated[str | None, arg(metavar="NAME|FILE", constructor=str, help_behavior_hint="")]


@dataclass
class Networks:
    """What systems are told, and where their networks run."""

    if TYPE_CHECKING:  # fields of what ``with_flags`` makes of a command
        system: str = ""
        device: str = ""
        dtype: str = ""

    def given(self) -> dict[str, Any]:
        """The options of systems that are not as they come, by their names in the library."""
        found = {}
        for name, written in _flags(systems.entries()).items():
            value = getattr(self, written.flag, written.default)
            if value != written.default:
                found[name] = written.value(value)
        return found

    def parts(self) -> dict[str, str]:
        """The parts of systems that were asked for, by their names in the library, as they were written."""
        written = {part: getattr(self, called.flag, None) for part, called in PARTS.items()}
        return {part: text for part, text in written.items() if text is not None}

    def files(self) -> list[Path]:
        """The files among both."""
        parts = [path_named(text, PARTS[part].flag) for part, text in self.parts().items()]
        return [value for value in (*self.given().values(), *parts) if isinstance(value, Path)]

    @property
    def body_file(self) -> Path | None:
        """A user's SMPL file, to draw with; None of the embedded body, also where that was asked for by its name."""
        path: Path | None = self.given().get("body_path")
        return None if path == EMBEDDED else path

    def check(self) -> None:
        """Refuse before any work what needs no network to be seen: options that do not fit, files not there."""
        entry = systems.entry_of(self.system)
        flags = _flags(systems.entries())
        for name in self.given():
            systems.check_option(entry, name, "--" + flags[name].flag.replace("_", "-"))
        for part in self.parts():
            systems.check_option(entry, part, "--" + PARTS[part].flag)
        for file in self.files():
            if not file.exists() and file != EMBEDDED:
                raise ChorosError(f"{file}: no such file; check the path.")
        if "weights_path" in self.given():
            _say_terms(self.given()["weights_path"])

    def loading(self, system: str | None = None) -> Loading:
        """What loads the chosen system, or the one of that name; other processes can have it."""
        return Loading(system or self.system, self.device, self.dtype, self.given(), self.parts())

    def loaded(self, system: str | None = None, **more: Any) -> System:
        """The chosen system, or the one of that name, with all that was given and ``more``."""
        return self.loading(system)(**more)


@dataclass(frozen=True, eq=False)
class Loading:
    """Loads a system as the flags say."""

    system: str
    device: str
    dtype: str
    given: Mapping[str, Any]
    parts: Mapping[str, str]

    def __call__(self, **more: Any) -> System:
        """The system, with ``more`` options."""
        device = Device(self.device, self.dtype)
        for part in self.parts:  # refused before its network is opened
            systems.check_option(systems.entry_of(self.system), part, "--" + PARTS[part].flag)
        parts = {part: PARTS[part].made(text, device) for part, text in self.parts.items()}
        given = dict(self.given) | more
        return systems.load(self.system, device=self.device, dtype=self.dtype, **parts, **given)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loading) and self.choices() == other.choices()

    def __hash__(self) -> int:
        return hash(json.dumps(self.choices(), sort_keys=True, default=str))

    def choices(self) -> dict[str, Any]:
        """What was chosen, for JSON."""
        given = {name: str(value) if isinstance(value, Path) else value for name, value in self.given.items()}
        return {"system": self.system, "device": self.device, "dtype": self.dtype} | given | dict(self.parts)


def _say_terms(path: Path) -> None:
    """Under which terms weights are that somebody else gives out."""
    from choros.checkpoints import what_is

    for file in (path, *sorted(path.glob("*.pt"))) if path.is_dir() else (path,):
        found = what_is(file)
        if found.terms is not None:
            print(f"{file} is {found.what}; {found.terms}")


def with_flags(command: type[Command], without: tuple[str, ...] = ()) -> type[Command]:
    """``command`` with the flags of all systems before its own, but those ``without`` which it does."""
    plain: Any = command  # to be hashed
    made: type[Command] = _with_flags(plain, without, systems.entries())
    return made


@cache
def _with_flags(command: Any, without: tuple[str, ...], entries: tuple[systems.Entry, ...]) -> Any:
    names = tuple(name for entry in entries for name in systems.spellings(entry))
    called = {
        entry.name: f" (once {' or '.join(entry.aliases)})" if entry.aliases else "" for entry in entries
    }
    which = ". ".join(f"{entry.name}{called[entry.name]}: {entry.what or 'a system'}" for entry in entries)
    made: list[tuple[str, Any, Any]] = [
        ("system", Annotated[Literal[names], arg(help=f"{which}.")], systems.DEFAULT)
    ]
    for name, written in _flags(entries).items():
        made.append((written.flag, Annotated[written.kind, arg(help=_help(name, entries))], written.default))
    for part, flag in PARTS.items():
        if having := [entry.name for entry in entries if part in entry.parts]:
            what = f"{flag.what}, one of `choros eyes list`, or a file of yours ({', '.join(having)})."
            made.append((flag.flag, Annotated[PartName, arg(help=what)], None))
    where = "Where networks run: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps."
    numbers = "What networks compute in; less than float32 for image features alone, of systems that can."
    made.append(("device", Annotated[str, arg(help=where, metavar="DEVICE")], systems.AUTO))
    made.append(("dtype", Annotated[Literal[DTYPES], arg(help=numbers)], DTYPES[0]))
    flags = make_dataclass(
        "Flags", [(name, kind, field(default=default)) for name, kind, default in made if name not in without]
    )
    return make_dataclass(
        command.__name__, (), bases=(command, flags), namespace={"__doc__": command.__doc__}
    )


def check_names(*commands: type) -> None:
    """Raise ``ChorosError`` where an option of a system has the name of one that a command has by itself."""
    own = {field.name for command in commands for field in fields(command)}
    own |= {"system", "device", "dtype", *(called.flag for called in PARTS.values())}
    for option, written in _flags(systems.entries()).items():
        if written.flag in own:
            raise ChorosError(
                f"{systems.having(option)[0]} calls an option {option}, as the command line calls one of its own; "
                "it needs another name."
            )


@lru_cache(maxsize=4)
def _flags(entries: tuple[systems.Entry, ...]) -> dict[str, Written]:
    """How every option of any system is written. Raises ``ChorosError`` where two of one name are not alike."""
    found: dict[str, Written] = {}
    for entry in entries:
        hints = get_type_hints(entry.options_type())
        for option in fields(entry.options_type()):
            default = option.default if option.default is not MISSING else None
            if option.default_factory is not MISSING:
                default = option.default_factory()
            written = _WRITTEN.get(option.name) or Written(option.name, _kind(hints[option.name]), default)
            if found.setdefault(option.name, written) != written:
                raise ChorosError(
                    f"the option {option.name} of {entry.name} has another type or default than that of "
                    f"{systems.having(option.name)[0]}; one of them needs another name."
                )
    return found


def _kind(hint: Any) -> Any:
    """What tyro is to make of an option's type."""
    if hint is bool:
        return Flag
    if isinstance(hint, UnionType) and NoneType in get_args(hint):
        one = next(kind for kind in get_args(hint) if kind is not NoneType)
        if get_origin(one) is None:
            return Annotated[hint, arg(constructor=one, metavar=one.__name__.upper(), help_behavior_hint="")]
    return hint


def _help(option: str, entries: tuple[systems.Entry, ...]) -> str:
    """One line: what the systems say of an option, and which have it if not all do."""
    texts = {
        entry.name: _docs(entry.options_type()).get(option, "")
        for entry in entries
        if option in entry.option_names()
    }
    if len(set(texts.values())) > 1:
        return " ".join(f"{name}: {text}" for name, text in texts.items())
    (text,) = set(texts.values())
    return text if len(texts) == len(entries) else f"{text.removesuffix('.')} ({', '.join(texts)})."


@cache
def _docs(kind: type) -> dict[str, str]:
    """The strings behind the fields of a dataclass, by name; none where its source is not to be had."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for before, after in pairwise(body):
            if (
                isinstance(before, ast.AnnAssign)
                and isinstance(before.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[before.target.id] = " ".join(str(after.value.value).split())
    return found
