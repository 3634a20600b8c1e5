"""Who is there when, how far away, and a part of it: some people, some seconds.

python examples/03_who_is_where_when.py motion.npz
"""

import sys

import numpy as np

import choros

motion = choros.Motion.load(sys.argv[1])
for person in motion.people:
    hidden = 1 - person.visible.mean()
    distance_m = np.linalg.norm(person.transl, axis=1)
    print(
        f"person {person.id}: {person.pts_s[0]:.2f} to {person.pts_s[-1]:.2f} s, hidden {hidden:.0%} of it, "
        f"{distance_m.min():.1f} to {distance_m.max():.1f} m away"
    )

first = motion.people[1]
part = motion.select([first.id]).between(0.5, 1.0)  # both give a Motion again
print(f"person {first.id} between 0.5 and 1 s: {len(part.rows)} of {len(first)} frames")
