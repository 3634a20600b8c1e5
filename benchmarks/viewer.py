"""How soon the viewer's page can be used: five people walking for a minute, in headless Chromium.

The bar is 3 s from opening to the first picture, after which everything answers, on 2 CPU cores; the browser draws in
software here, which a graphics card spares it. No files are needed. Run it with

    python benchmarks/viewer.py

on an idle machine; the browser's time on the CPU tells how far it was from idle.
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from export import minute

from choros.view.html_page import write_page

sys.path.append(str(Path(__file__).parents[1]))
from tests.chromium import Page

SEEK = """new Promise((done) => {{
  const slider = document.getElementById("time"), start = performance.now();
  slider.value = {0};
  slider.dispatchEvent(new Event("input"));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
}})"""


def main() -> None:
    motion = minute()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "minute.html"
        write_page([("warm", motion[:2])], path)  # imports and loads what is needed
        start, cpu = time.perf_counter(), time.process_time()
        write_page([("a minute", motion)], path)
        took_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
        print(f"written in   {took_s:6.2f} s ({cpu_s:.2f} s CPU), {path.stat().st_size / 1e6:.2f} MB")
        with Page(Path(folder) / "profile") as page:
            page.open(path.as_uri())
            page.wait_for("performance.getEntriesByName('ready').length > 0")
            ready_s = page.ask("performance.getEntriesByName('ready')[0].startTime") / 1000
            print(f"ready after  {ready_s:6.2f} s ({page.cpu_s():.2f} s CPU, the browser's start included)")
            seeks_s = [page.ask(SEEK.format(second)) / 1000 for second in range(5, 55, 5)]
            print(
                f"slider moves {sorted(seeks_s)[len(seeks_s) // 2]:6.3f} s until drawn, median of {len(seeks_s)}"
            )
            assert not page.troubles, page.troubles


if __name__ == "__main__":
    main()
