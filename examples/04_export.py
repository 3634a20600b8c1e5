"""Files for Blender, game engines and spreadsheets.

    python examples/04_export.py motion.npz

`choros export --list` shows all formats with their units and axes.
"""

import sys

import choros

motion = choros.Motion.load(sys.argv[1])
for suffix in ("glb", "bvh", "csv"):  # everybody in one file, one file a person, a table of joints
    for path in choros.export(motion, f"export/people.{suffix}"):
        print(path, f"{path.stat().st_size / 1000:.0f} kB")
