"""Synthetic scenes on a graphics card beside the CPU: how alike the pictures are, and how fast they come.

    python benchmarks/scenes_gpu.py [gpu | software]

``software`` takes any OpenGL, Mesa's on the CPU too: its speed says nothing about cards. Needs choros[gpu].
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from choros.scenes import KINDS, SceneConfig, make_scene


def likeness(device: str) -> None:
    """Light, depth and masks of two frames of each kind."""
    for kind in KINDS:
        cpu, card = (make_scene(kind, 7, SceneConfig(seconds=2, device=d)) for d in ("cpu", device))
        masks, light, depth, motion = [], [], [], []
        for frame in (0, cpu.n_frames - 1):
            a, b = cpu._picture(frame), card._picture(frame)
            same = a.mesh == b.mesh
            masks.append(same.mean())
            light.append(np.abs(a.light - b.light))
            depth.append(np.abs(a.depth - b.depth)[same])
            motion.append(np.abs(a.motion - b.motion)[same])
        off = np.stack(light)
        print(
            f"{kind:9} masks agree on {100 * np.mean(masks):.4f} % of pixels; light differs by {off.mean():.6f} "
            f"(mean), by more than 0.05 in {100 * np.mean(off.max(axis=-1) > 0.05):.4f} % of them; "
            f"depth by {1000 * np.quantile(np.concatenate(depth), 0.999):.4f} mm (99.9th percentile), "
            f"motion by {np.mean(np.concatenate(motion)):.6f} px (mean)"
        )


def speed(device: str, width: int, height: int, camera: str) -> None:
    """Frames a second: whole pictures on both, and light alone on the card."""
    config = SceneConfig(width, height, seconds=2, people=5, camera=camera)

    def rate(frames: Iterable[object], count: int) -> float:
        start = time.perf_counter()
        for _ in frames:
            pass
        return count / (time.perf_counter() - start)

    rates = {}
    for name in ("cpu", device):
        scene = make_scene("crossing", 1, replace(config, device=name))
        scene.frame(0)  # compiles, and traces what stands still
        rates[name] = rate(scene.frames(), scene.n_frames)
    light = rate(
        (scene.rendered(frame) for frame in range(scene.n_frames)),
        scene.n_frames,
    )
    print(
        f"{width}x{height}, 5 people, camera {camera}: {rates['cpu']:.1f} frames/s on the CPU, "
        f"{rates[device]:.1f} with {device} ({light:.1f} before lens and sensor)"
    )


def main() -> None:
    device = sys.argv[1] if len(sys.argv) > 1 else "gpu"
    card = make_scene("easy", 1, SceneConfig(64, 64, seconds=1, device=device))._card
    assert card is not None
    print(f"renderer: {card.context.info['GL_RENDERER']}")
    likeness(device)
    for camera in ("static", "handheld"):
        speed(device, 512, 512, camera)
        speed(device, 960, 540, camera)


if __name__ == "__main__":
    main()
