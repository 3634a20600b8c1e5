"""How soon the viewer's page can be used: five people walking for a minute, and eight for ten, in headless Chromium.

The bars are 3 s and 5 s from opening to the first picture, after which everything answers, on 2 CPU cores; the browser
draws in software here, which a graphics card spares it. No files are needed. Run it with

    python benchmarks/viewer.py [minute] [long]

on an idle machine; the browser's time on the CPU tells how far it was from idle.
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from export import minute

from choros.motion import Motion
from choros.view.html_page import write_page

sys.path.append(str(Path(__file__).parents[1]))
from tests.chromium import Page

SEEK = """new Promise((done) => {{
  const slider = document.getElementById("time"), start = performance.now();
  slider.value = {0};
  slider.dispatchEvent(new Event("input"));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
}})"""


def ten_minutes() -> Motion:
    """Eight people in every frame of ten minutes."""
    short = minute()
    people = short.ids.tolist()
    more = short.rows[np.isin(short.row_person, people[:3])].copy()
    more["person"] += max(people)
    more["transl"][:, 0] += 2.0
    rows = np.concatenate([short.rows, more])
    rows = rows[np.lexsort((rows["person"], rows["frame"]))]
    frames, long = np.tile(short.frames, 10), np.tile(rows, 10)
    frames["pts"] = np.stack([np.arange(len(frames)), np.full(len(frames), short.fps.numerator)], axis=1)
    frames["number"] = np.arange(len(frames))
    long["frame"] += np.repeat(np.arange(10) * len(short), len(rows)).astype(np.int32)
    return Motion(short.header, frames, long)


def measure(name: str, motion: Motion, folder: Path) -> None:
    path = folder / f"{name}.html"
    start, cpu = time.perf_counter(), time.process_time()
    write_page([(name, motion)], path)
    took_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    print(f"{name}: {len(motion.ids)} people, {float(motion.pts_s[-1]):.0f} s")
    print(f"written in   {took_s:6.2f} s ({cpu_s:.2f} s CPU), {path.stat().st_size / 1e6:.2f} MB", flush=True)
    with Page(folder / f"profile-{name}") as page:
        page.open(path.as_uri())
        page.wait_for("performance.getEntriesByName('ready').length > 0")
        ready_s = page.ask("performance.getEntriesByName('ready')[0].startTime") / 1000
        print(
            f"ready after  {ready_s:6.2f} s ({page.cpu_s():.2f} s CPU, the browser's start included)",
            flush=True,
        )
        last_s = float(motion.pts_s[-1])
        seeks_s = [page.ask(SEEK.format(last_s * share / 12)) / 1000 for share in range(1, 12)]
        print(
            f"slider moves {sorted(seeks_s)[len(seeks_s) // 2]:6.3f} s until drawn, median of {len(seeks_s)}"
        )
        assert not page.troubles, page.troubles


def main() -> None:
    asked = sys.argv[1:] or ["minute", "long"]
    with TemporaryDirectory() as folder:
        write_page([("warm", minute()[:2])], Path(folder) / "warm.html")  # imports and loads what is needed
        for name in asked:
            measure(name, {"minute": minute, "long": ten_minutes}[name](), Path(folder))


if __name__ == "__main__":
    main()
