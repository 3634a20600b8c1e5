"""How much of this machine there is to use: cores and memory, also in a container."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores that this process may use."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        count = os.cpu_count() or 1
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        count = min(count, max(1, int(quota) // int(period)))
    return max(1, count)


def free_mb() -> float | None:
    """Memory that can still be had, MB; None where nobody knows."""
    lines = dict(line.split(":", 1) for line in _read(Path("/proc/meminfo")).splitlines() if ":" in line)
    known = [float(lines["MemAvailable"].split()[0]) / 1e3] if "MemAvailable" in lines else []
    most, used = (_read(_CGROUP / f"memory.{name}").strip() for name in ("max", "current"))
    if most.isdigit() and used.isdigit():
        known.append((int(most) - int(used)) / 1e6)
    return min(known, default=None)


def used_mb(process: int) -> float | None:
    """Memory that a process has now, MB; None where nobody knows."""
    words = _read(Path(f"/proc/{process}/statm")).split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if len(words) > 1 else None


def first_to_go() -> None:
    """Where memory runs out, Linux ends this process before others."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
