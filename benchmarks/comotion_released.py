"""The released CoMotion by the clock: a frame, a person, and the start-up before and after `choros convert`.

Weights are random and of the released names and shapes (365 million numbers), for how fast a network is does not
depend on them. The release's own program takes 3.1 s a frame (encoder and detection, single precision) and 20 ms a
person on two cores (docs/checkpoints.md). The last lines tell how far joints in bfloat16 are from those in single
precision. Run it with

    python benchmarks/comotion_released.py

on an idle machine; where it is not, the time on the CPU, printed beside the clock's, is the steadier one.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from choros.body import BodyModel, BodyParams
from choros.checkpoints import convert
from choros.comotion.released.detection import SIDE_PX, Detector, Found
from choros.comotion.released.files import DETECTION, REFERENCE, REFINEMENT, files_in, load_released
from choros.comotion.released.points import points_cam
from choros.comotion.released.system import ReleasedComotion
from choros.comotion.released.update import POINTS, WIDTH, Updater
from choros.devices import Device
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat

K = torch.tensor([[[SIDE_PX, 0, SIDE_PX / 2], [0, SIDE_PX, SIDE_PX / 2]]], dtype=torch.float32)
PEOPLE = (8, 32)


def write_files(folder: Path) -> None:
    """Files as released, with numbers that keep the size of what goes through the networks."""
    generator = torch.Generator().manual_seed(0)
    for kind, name in ((Detector, DETECTION), (Updater, REFINEMENT)):
        network = kind()
        for called, weights in network.named_parameters():
            numbers = torch.randn(weights.shape, generator=generator)
            fan_in = weights[0].numel() if weights.ndim > 1 else 100
            weights.data = numbers / fan_in**0.5 + (weights.ndim == 1 and called.endswith("weight"))
        torch.save(network.state_dict(), folder / name)
    torch.save({"mean_pose": torch.zeros(72)}, folder / REFERENCE)


def least(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Least wall and CPU seconds of each call; they take turns, so that all meet the same machine."""
    best = {name: (float("inf"), float("inf")) for name in calls}
    for turn in range(rounds + 1):  # the first only warms up
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            took = time.perf_counter() - wall, time.process_time() - cpu
            if turn:
                best[name] = min(best[name][0], took[0]), min(best[name][1], took[1])
    return best


def start_up(console: Console, theirs: Path, rounds: int) -> Path:
    """The system ready to track, with the identities of its files; returns the file in halves.

    Numbers are mapped: those of a converted file are read from the disk when the first frame needs them.
    """
    made, halves = (theirs.with_name(f"{name}.safetensors") for name in ("made", "halves"))
    convert(files_in(theirs), made)
    convert(files_in(theirs), halves, "bfloat16")

    def opened(path: Path, dtype: str) -> None:
        ReleasedComotion(path, "open", device=Device("cpu", dtype)).identity()

    def fresh(path: Path, dtype: str) -> None:
        """With files that look new, so that their hashes are taken again."""
        for file in path.iterdir() if path.is_dir() else [path]:
            os.utime(file)
        opened(path, dtype)

    calls = {
        "as released": partial(fresh, theirs, "float32"),
        "converted": partial(fresh, made, "float32"),
        "converted to bfloat16, in bfloat16": partial(fresh, halves, "bfloat16"),
    }
    times = least(calls, rounds)
    table = Table("start-up", "s", "CPU s")
    for name, took in times.items():
        table.add_row(name, *(f"{one:.2f}" for one in took))
    console.print(table)
    ratios = [times["as released"][k] / times["converted"][k] for k in (0, 1)]
    console.print(f"as released over converted: {ratios[0]:.2f}, {ratios[1]:.2f} by CPU\n")
    return halves


def speed(console: Console, folder: Path, halves: Path, rounds: int) -> None:
    released = {"float32": load_released(folder), "bfloat16": load_released(halves, torch.bfloat16)}
    picture = torch.rand(1, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1))
    calls: dict[str, Callable[[], object]] = {}
    for dtype, networks in released.items():
        calls[f"encoder and detection, {dtype}"] = partial(networks.detector, picture, K)
    updater, features = released["float32"].updater, torch.rand(1, 256, SIDE_PX // 8, SIDE_PX // 8)
    for n in PEOPLE:
        transl = torch.tensor([0.0, 0, 4]).expand(1, n, 3)
        people = [torch.zeros(1, n, 10), torch.zeros(1, n, 72), transl,
                  transl[:, :, None].expand(1, n, POINTS, 3), torch.zeros(1, n, WIDTH)]  # fmt: skip
        calls[f"update of {n}"] = partial(updater, features, K, *people)
    times = least(calls, rounds)
    table = Table("", "ms", "CPU ms")
    for name, took in times.items():
        table.add_row(name, *(f"{1e3 * one:.0f}" for one in took))
    console.print(table)
    few, many = (times[f"update of {n}"] for n in PEOPLE)
    each = [1e3 * (many[k] - few[k]) / (PEOPLE[1] - PEOPLE[0]) for k in (0, 1)]
    console.print(f"one more person: {each[0]:.1f} ms, {each[1]:.1f} ms of CPU")
    one, half = (times[f"encoder and detection, {dtype}"] for dtype in released)
    console.print(f"float32 over bfloat16: {one[0] / half[0]:.2f}, {one[1] / half[1]:.2f} by CPU\n")
    drift(console, *(networks.detector(picture, K)[0] for networks in released.values()))


def drift(console: Console, exact: Found, rounded: Found) -> None:
    body = BodyModel.load(detail="light")
    one, other = (joints(body, found) for found in (exact, rounded))
    moved = 1e3 * (other - one).norm(dim=-1)
    truth = joints(body, Found(*(torch.zeros_like(part) for part in exact)))
    mpjpe = [1e3 * (these - truth).norm(dim=-1).mean() for these in (one, other)]
    console.print(
        f"joints about the pelvis move by {moved.mean():.2f} mm, of the worst candidate {moved.mean(1).max():.1f}"
    )
    console.print(f"their MPJPE to a body at rest changes by {mpjpe[1] - mpjpe[0]:+.2f} of {mpjpe[0]:.0f} mm")


def joints(body: BodyModel, found: Found) -> Tensor:
    """(M, 27, 3) about the pelvis, metres."""
    turns = torch.cat([found.root_turn[0][:, None], found.pose_turns[0].unflatten(-1, (23, 3))], 1)
    pose = rotmat_to_rotvec(rotvec_to_rotmat(turns))
    points = points_cam(
        body,
        BodyParams(pose[:, 0], pose[:, 1:].flatten(1), found.betas[0], torch.zeros_like(found.transl[0])),
    )
    return points - points[:, :1]


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    console = Console()
    console.print(f"load of the machine before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "theirs"
        folder.mkdir()
        write_files(folder)
        halves = start_up(console, folder, args.rounds)
        speed(console, folder, halves, args.rounds)


if __name__ == "__main__":
    main()
