"""Everyone in one world, z up and the floor at 0: how far they went, how fast.

python examples/05_world.py motion.npz
"""

import sys

import numpy as np

import choros
from choros.glamr.pipeline import world_of

world = world_of(choros.Motion.load(sys.argv[1]))
world.save("world.npz")
for person in world.people:
    way_m = np.linalg.norm(np.diff(person.transl[:, :2], axis=0), axis=1).sum()
    time_s = person.pts_s[-1] - person.pts_s[0]
    print(
        f"person {person.id}: {way_m:.1f} m in {time_s:.1f} s, hips {person.transl[:, 2].mean():.2f} m above rest"
    )
