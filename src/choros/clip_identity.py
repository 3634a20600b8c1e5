"""The identity of a clip, for resuming a run: by content, since another file may by then have its name.

A file is identified by its size and a hash of blocks spread over it, the first and the last among them; a folder by
the names, sizes and such blocks of its files. The time of its last change is kept too, but a copy is the same clip.
What cannot be read twice (pipes, cameras, streams) has no identity.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# How many blocks are looked at, and of how many bytes: of a file (all of up to 2 MiB), and of each one in a folder.
OF_FILE = 32, 65536
OF_MANY = 3, 4096

Identity = dict[str, Any]


def identity_of(source: str | Path) -> Identity | None:
    """What a header tells of a file or folder, for JSON; None of anything else."""
    path = Path(source)
    if "://" in str(source):
        return None
    if path.is_file():
        digest = hashlib.sha256()
        _add_blocks(digest, path, *OF_FILE)
        stat = path.stat()
        return {"bytes": stat.st_size, "modified": _when(stat), "sha256_of_blocks": digest.hexdigest()}
    return _identity_of_folder(path) if path.is_dir() else None


def difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """How the clip of one identity is not that of the other, in words; None if it is."""
    for name in ("files", "bytes"):
        if then.get(name) != now.get(name):
            return f"{_count(now, name)} where there were {_count(then, name)}"
    if then.get("sha256_of_blocks") != now.get("sha256_of_blocks"):
        return f"other content, of {now['modified']} where it was of {then['modified']}"
    return None


def _identity_of_folder(folder: Path) -> Identity:
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    digest, size, stats = hashlib.sha256(), 0, [folder.stat()]
    for path in files:
        stat = path.stat()
        digest.update(f"{path.name}\0{stat.st_size}\0".encode(errors="surrogateescape"))
        _add_blocks(digest, path, *OF_MANY)
        size += stat.st_size
        stats.append(stat)
    last = max(stats[1:] or stats, key=lambda stat: stat.st_mtime)
    return {
        "files": len(files),
        "bytes": size,
        "modified": _when(last),
        "sha256_of_blocks": digest.hexdigest(),
    }


def _add_blocks(digest: Any, path: Path, n: int, size: int) -> None:
    try:
        with open(path, "rb", buffering=0) as file:
            end = os.fstat(file.fileno()).st_size
            if end <= n * size:
                digest.update(file.readall())
                return
            for block in range(n):
                file.seek((end - size) * block // (n - 1))
                digest.update(file.read(size))
    except OSError:  # whoever reads the clip says what is wrong with it
        digest.update(b"unreadable")


def _when(stat: os.stat_result) -> str:
    return datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")


def _count(identity: Mapping[str, Any], name: str) -> str:
    return f"{identity[name]:,} {name}" if name in identity else f"no count of {name}"
