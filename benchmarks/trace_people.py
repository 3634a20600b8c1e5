"""What a frame costs the small TRACE with one and with twenty people in it, in milliseconds of a core.

    python benchmarks/trace_people.py

The look at the picture, the boxes and the run of the network are the same, whoever is there; what is told of each of
them, and the fit to keypoints, are not. Pictures are noise: nothing that costs depends on what is seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from choros.body.before import Before
from choros.body.pose_prior import shipped_pose_prior
from choros.camera import intrinsics
from choros.detection import NanoDet
from choros.threads import at_most
from choros.trace.keypoint_fit import put_on_keypoints
from choros.trace.people import seen_people
from choros.trace.system import DETECTOR_PX, LEAST_SCORE, Trace

WIDTH, HEIGHT, ROUNDS = 960, 540, 10


def milliseconds(work: Callable[[], object]) -> float:
    """The median of some times, of a core."""
    work()
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return 1000 * float(np.median(times))


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    system, rng = Trace(), np.random.default_rng(0)
    detector = NanoDet(DETECTOR_PX, LEAST_SCORE, rounded=True)
    image, K = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), intrinsics(WIDTH, HEIGHT)
    network, config, lies = system.network, system.config, system.encoder.place(WIDTH, HEIGHT)
    encoded = system.encoder.encode(image)
    maps, state = network(encoded.features, None, None)
    flow = system.encoder.flow(encoded, encoded)
    cells = rng.permutation(network.config.map_size**2)
    look = milliseconds(lambda: system.encoder.encode(image))
    boxes = milliseconds(lambda: detector.detect(image))
    run = milliseconds(
        lambda: network(encoded.features, system.encoder.flow(encoded, encoded), state) and flow
    )
    print(f"look at the picture {look:.1f} ms, boxes {boxes:.1f} ms, flow and network {run:.1f} ms")
    for count in (1, 20):
        side = network.config.map_size
        places = torch.tensor([[0, int(cell) // side, int(cell) % side] for cell in cells[:count]])
        people = seen_people(network, maps, places, K, lies, system.body, config.memory, image)
        told = milliseconds(
            lambda places=places: seen_people(
                network, maps, places, K, lies, system.body, config.memory, image
            )
        )
        keypoints = people.keypoints_px.copy()
        keypoints[..., 2] = 0.9
        ahead = people.pelvis * [0, 0, 0] + [0, 0, 5]
        before = Before(np.full(count, 0.04), people.rotations, ahead)
        fit = milliseconds(
            lambda people=people, keypoints=keypoints, ahead=ahead, before=before: put_on_keypoints(
                system.body,
                shipped_pose_prior(),
                people.rotations,
                people.betas,
                ahead,
                keypoints,
                K,
                config.fit,
                before,
            )
        )
        print(
            f"{count} people: told {told:.1f} ms, fitted {fit:.1f} ms, all {look + boxes + run + told + fit:.1f} ms"
        )


if __name__ == "__main__":
    with at_most(1):
        main()
