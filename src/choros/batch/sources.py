"""Where the clips of a batch are: files, folders, globs, lists, manifests, and addresses of fsspec (s3, gs, https)."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from choros.batch.clips import Clip, matrix_of, named, subjects_of
from choros.errors import ChorosError

#: Ends of names of videos that are looked for in folders.
VIDEOS = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".mpg",
        ".mpeg",
        ".mts",
        ".m2ts",
        ".ts",
        ".wmv",
        ".flv",
        ".3gp",
        ".ogv",
        ".gif",
        ".h264",
        ".mxf",
    ]
)
LISTS, TABLES = frozenset((".txt", ".lst")), frozenset((".csv", ".tsv", ".parquet", ".jsonl"))
GLOB = re.compile(r"[*?\[]")
ADDRESS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
LIVE = frozenset(("rtsp", "rtmp", "udp", "srt", "rtp", "tcp"))

#: What pip is told where the library for an address is not there.
EXTRAS = {
    "s3": "choros[s3]",
    "gs": "choros[gcs]",
    "gcs": "choros[gcs]",
    "http": "choros[http]",
    "https": "choros[http]",
}

#: Columns of a manifest, by the fields of `Clip` and how their text is read.
COLUMNS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "path": ("source", str), "name": ("name", str), "start": ("start_s", float), "end": ("end_s", float),
    "focal": ("focal_px", float), "fov": ("fov_deg", float),
    "K": ("K", lambda value: matrix_of(_numbers(value))), "lens": ("lens", str),
    "rotate": ("rotate", lambda value: int(float(value))),
    "subjects": ("subjects", lambda value: subjects_of(str(value))),
}  # fmt: skip


def clips_of(inputs: Sequence[str]) -> list[Clip]:
    """All clips that ``inputs`` name, in order of their names, each once.

    Raises ``ChorosError``, which names the input and the line, for what is not there, cannot be read or names no clip.
    """
    found = []
    for text in inputs:
        clips = list(_clips(text))
        if not clips:
            raise ChorosError(
                f"{text}: no video there; name a folder, a file, a glob, a list or a manifest of some."
            )
        found += clips
    return named(found)


def _clips(text: str) -> Iterator[Clip]:
    if is_address(text):
        yield from map(Clip, _remote(text))
        return
    path = Path(text)
    if path.is_dir():
        yield from map(Clip, _videos_in(path))
    elif path.suffix.lower() in LISTS and path.is_file():
        for number, line in enumerate(_text(path).splitlines(), 1):
            word = line.strip()
            if word and not word.startswith("#"):
                yield from _row({"path": word}, path, number)
    elif path.suffix.lower() in TABLES and path.is_file():
        yield from _manifest(path)
    elif GLOB.search(text) and not path.exists():
        yield from (Clip(str(one)) for one in _globbed(path) if _is_clip(one))
    elif path.exists():
        yield Clip(text)
    else:
        raise ChorosError(f"{text}: no such file or folder; check the path.")


def _globbed(path: Path) -> list[Path]:
    root = Path(path.anchor) if path.is_absolute() else Path()
    pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
    return sorted(root.glob(pattern))


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() in VIDEOS and not path.name.startswith(".") and path.is_file()


def _videos_in(folder: Path) -> list[str]:
    """Videos anywhere below; where there is none, the folder itself if it holds pictures."""
    from choros.video.images import pictures_in

    found = sorted(path for path in folder.rglob("*") if _is_clip(path))
    if found:
        return [str(path) for path in found]
    try:
        return [str(folder)] if pictures_in(folder) else []
    except ChorosError:
        return []


# Manifests ------------------------------------------------------------------------------------------------


def _manifest(path: Path) -> Iterator[Clip]:
    rows = _read_table(path)
    for number, row in enumerate(rows, 2 if path.suffix.lower() in (".csv", ".tsv") else 1):
        yield from _row(row, path, number)


def _read_table(path: Path) -> list[dict[str, Any]]:
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return _parquet(path)
        if suffix == ".jsonl":
            rows = [json.loads(line) for line in _text(path).splitlines() if line.strip()]
            if not all(isinstance(row, dict) for row in rows):
                raise ValueError("a line is no object")
            return rows
        table = csv.DictReader(
            _text(path).splitlines(), delimiter="\t" if suffix == ".tsv" else ",", strict=True
        )
        return [{str(key).strip(): value for key, value in row.items() if key is not None} for row in table]
    except (ValueError, csv.Error) as error:
        raise ChorosError(f"{path} cannot be read as a manifest ({error}); mend that line.") from error


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import read_table
    except ImportError:
        raise ChorosError(
            f"{path} needs pyarrow to be read; pip install pyarrow, or give a CSV file."
        ) from None
    try:
        rows: list[dict[str, Any]] = read_table(path).to_pylist()
        return rows
    except (ArrowException, OSError) as error:
        raise ChorosError(f"{path} is no Parquet file that can be read ({error}); write it again.") from error


def _row(row: Mapping[str, Any], path: Path, number: int) -> Iterator[Clip]:
    """The clip of a row; those of a folder or glob share what the row tells. Other columns are somebody else's."""
    told: dict[str, Any] = {}
    for column, (field, read) in COLUMNS.items():
        value = row.get(column)
        if value is None or value == "" or value != value:  # NaN stands for nothing in many a table
            continue
        try:
            told[field] = read(value)
        except ChorosError as error:
            raise ChorosError(f"{path}, row {number}: {error}") from error
        except (ValueError, TypeError):
            raise ChorosError(
                f"{path}, row {number}: {value!r} is no {column}; mend it, or leave it empty."
            ) from None
    if "source" not in told:
        raise ChorosError(f"{path}, row {number}: there is no path; give the column path.")
    near = path.parent / told["source"]
    if not is_address(told["source"]):  # from where the manifest lies
        told["source"] = str(near)
    if "lens" in told:
        told["lens"] = str(path.parent / told["lens"])
    one = Clip(**told)
    if not is_address(one.source) and (GLOB.search(one.source) or Path(one.source).is_dir()):
        for clip in _clips(one.source):
            yield Clip(**(told | {"source": clip.source}))
    else:
        yield one  # also where it is not there: that is said of this clip, and the others go on


def _numbers(value: Any) -> list[float]:
    if isinstance(value, str):
        return [float(word) for word in re.split(r"[\s,;\[\]()]+", value) if word]
    flat: list[float] = []
    for one in value:
        flat += _numbers(one) if isinstance(one, list | tuple) else [float(one)]
    return flat


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ChorosError(f"{path} is no text in UTF-8 ({error}); save it again as that.") from error


# Addresses ------------------------------------------------------------------------------------------------


def is_address(source: str) -> bool:
    """Whether fsspec is asked for it."""
    return ADDRESS.match(source) is not None


def _file_system(address: str) -> tuple[Any, str]:
    protocol = address.partition("://")[0].lower()
    if protocol in LIVE:
        raise ChorosError(
            f"{address} is a live stream, which has no end; `choros live` or `choros track` follow it."
        )
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        mend = f"pip install '{extra}'" if extra else "install what fsspec needs for it"
        raise ChorosError(f"{address} needs a library that is not here ({error}); {mend}.") from error
    except ValueError as error:
        raise ChorosError(f"{address}: {error}; check the address.") from error
    return system, path


def _remote(address: str) -> list[str]:
    system, path = _file_system(address)
    try:
        if GLOB.search(path):
            paths = system.glob(path)
        elif system.isdir(path) and not _is_video(path):
            paths = system.find(path)
        else:
            return [address]
    except (OSError, ValueError) as error:
        raise ChorosError(
            f"{address} cannot be listed ({error}); check the address and your rights."
        ) from error
    return [str(system.unstrip_protocol(one)) for one in sorted(paths) if _is_video(one)]


def _is_video(path: str) -> bool:
    return any(path.lower().endswith(end) for end in VIDEOS)


@contextmanager
def at_hand(source: str, folder: Path) -> Iterator[Path]:
    """The clip as a local file: itself, or a copy in ``folder`` that goes when it is done with.

    The copy has the time at which its original was changed, so that what is told of it is the same everywhere. Raises
    ``ChorosError`` where it cannot be fetched.
    """
    if not is_address(source):
        yield Path(source)
        return
    system, path = _file_system(source)
    copy = folder / f".fetched{Path(path).suffix}"
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            system.get_file(path, str(copy))
            os.utime(copy, (_changed(system, path),) * 2)
        except Exception as error:  # every library has its own
            why = (
                "nothing is there"
                if isinstance(error, FileNotFoundError)
                else str(error) or type(error).__name__
            )
            raise ChorosError(f"{source} cannot be fetched ({why}); check the address.") from error
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _changed(system: Any, path: str) -> float:
    try:
        return float(system.modified(path).timestamp())
    except Exception:  # not every file system knows
        return 0.0
