"""Writes the pose prior of the body room: what the lifter learned of likely poses, by itself.

    python tools/build_pose_prior.py [-o src/choros/body/data/pose_prior.npz]

Run it again whenever the lifter's weights are replaced; `tests/body/test_pose_prior.py` says when it is due.
"""

import argparse
from pathlib import Path

import numpy as np

from choros import weights
from choros.body.pose_prior import PRIOR
from choros.outputs import atomic_write


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=weights.PACKAGE / PRIOR)
    output = parser.parse_args().output
    tensors, _ = weights.load(weights.shipped("lifter"), "lifter")
    with atomic_write(output) as file:
        np.savez(file, **{name: tensors[f"prior.{name}"].numpy() for name in ("mean", "precision_root")})
    print(output, output.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
