"""How far knees and elbows of one person disagree between views of several cameras, as filtered.

    python benchmarks/angles_between_views.py CAM1/motion.npz CAM2/motion.npz ... --lowpass 6 3

Motions are of the same frames, by their numbers; of each the person is taken who is there longest. Prints the root mean
square of differences of flexion (ISB) over all pairs of views and both sides, degrees, without a filter and with each.
"""

import argparse
import itertools

import numpy as np

from choros.exporters import ExportOptions
from choros.exporters.angles import angle_table
from choros.exporters.part import part_of
from choros.motion import Motion


def flexion_deg(motion, joint, hz):
    """(n, 2) of left and right, by frame number."""
    motion = part_of(motion, lowpass_hz=hz)
    longest = max(motion.ids, key=lambda person: (motion.row_person == person).sum())
    table = angle_table(motion, ExportOptions(people=(int(longest),)))
    sides = (table[f"{side}_{joint}_flexion_deg"] for side in ("left", "right"))
    return dict(zip(table["frame"].tolist(), np.stack(list(sides), 1), strict=True))


def disagreement_deg(motions, joint, hz):
    views = [flexion_deg(motion, joint, hz) for motion in motions]
    apart = [
        a[frame] - b[frame] for a, b in itertools.combinations(views, 2) for frame in a.keys() & b.keys()
    ]
    return float(np.sqrt(np.nanmean(np.square(apart))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("motions", nargs="+")
    parser.add_argument("--lowpass", type=float, nargs="*", default=[6.0, 3.0], metavar="HZ")
    options = parser.parse_args()
    motions = [Motion.load(path).settled() for path in options.motions]
    for hz in (None, *options.lowpass):
        figures = ", ".join(
            f"{joint} {disagreement_deg(motions, joint, hz):.1f}" for joint in ("knee", "elbow")
        )
        print(f"{'as it is' if hz is None else f'{hz:g} Hz'}: {figures}")


if __name__ == "__main__":
    main()
