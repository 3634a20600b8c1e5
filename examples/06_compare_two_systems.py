"""Two systems on a made-up scene, measured against its perfect truth.

choros scenes make --seed 1 --count 1 -o scenes
python examples/06_compare_two_systems.py scenes/SCENE
"""

import sys
from pathlib import Path

import choros

scene = Path(sys.argv[1])
truth = choros.Motion.load(scene / "motion.npz")
systems = {
    "comotion": choros.load("comotion"),
    "lifter": choros.load("lifter"),
}
print("system    HOTA   IDF1   MPJPE mm")
for name, system in systems.items():
    scores = choros.evaluate_motion(truth, choros.track(scene / "video.mp4", system))
    print(f"{name:8} {scores['HOTA']:5.1%}  {scores['IDF1']:5.1%}  {scores['mpjpe_mm']:8.1f}")
