"""Files for Blender, game engines and spreadsheets.

    python examples/04_export.py motion.npz

`choros export --list` shows all formats with their units and axes.
"""

import sys
from pathlib import Path

import choros
from choros.exporters import FORMATS

motion = choros.Motion.load(sys.argv[1])
for name in ("glb", "bvh", "csv"):  # everybody in one file, one file a person, a table of joints
    for path in FORMATS[name].write(motion, Path("export") / f"people{FORMATS[name].suffix}"):
        print(path, f"{path.stat().st_size / 1000:.0f} kB")
