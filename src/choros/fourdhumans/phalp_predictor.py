"""PHALP's released pose predictor (brjathu/PHALP, pose_transformer_v2): a user's own file, in place of our transformer.

Poses over time through a transformer that skips what was not seen, squeezed along time by a strided convolution and
stretched again, and one more layer. Differs from the paper (S.4), which has plain layers: the released shapes are
built. Of its authors' tracker it lacks two faults: everyone is read at their own time, and all weights are loaded.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from choros.checkpoints import LoadReport, companion, load_into, read_state_dict
from choros.errors import ChorosError
from choros.fourdhumans.released_layers import (
    POSE_SHAPE,
    PREFIX,
    Block,
    PoseHead,
    normalised,
    ours,
    three_layers,
    two_layers,
)
from choros.restricted_pickle import load_open_pickle

#: What its authors put beside it: the settings, by one of these names, and the deviation of poses.
BESIDE, MEAN_STD = ("{stem}.yaml", "config.yaml"), "mean_std.npy"
MEND = "give PHALP's own file, of ~/.cache/phalp"
#: In the released file, and of no use to a prediction.
LEFT_ASIDE = re.compile(r"^(transformer\.|pe$|pos_embedding$|class_token$|action_head_ava\.)")


@dataclass(frozen=True)
class PredictorConfig:
    """Sizes: most tell themselves by the shapes of the weights, the last three stand in the yaml beside them alone."""

    width: int = 256
    frames: int = 125
    depth: int = 6
    feedforward: int = 256
    hidden: int = 229
    kernel: int = 7
    head_width: int = 64
    heads: int = 8
    stride: int = 5
    margin: int = 1  # of the convolutions, at either end

    @classmethod
    def told_by(cls, shapes: Mapping[str, tuple[int, ...]], heads: int, stride: int) -> PredictorConfig:
        """The sizes of weights of these shapes, by their released names without the prefix."""
        depth = sum(
            bool(re.fullmatch(r"transformer1\.layers\.\d+\.0\.norm\.weight", name)) for name in shapes
        )
        kernel = shapes["conv_en.weight"][2]
        return cls(
            width=shapes["mask_token"][0],
            frames=shapes["pos_embedding_learned1"][1],
            depth=depth,
            feedforward=shapes["transformer1.layers.0.1.fn.net.0.weight"][0],
            hidden=shapes["pose_shape_encoder.0.weight"][0],
            kernel=kernel,
            head_width=shapes["transformer1.layers.0.0.fn.to_qkv.weight"][0] // (3 * heads),
            heads=heads,
            stride=stride,
            margin=(kernel - stride) // 2,
        )


class Prediction(NamedTuple):
    """People at the instants of a window."""

    rotations: Tensor  # (..., 24, 3, 3) local, the root's first
    betas: Tensor  # (..., 10)
    camera: Tensor  # (..., 3) place in the form of the input's: x, y, z / 200 in the released files


class PhalpPredictor(nn.Module):
    """The released network. Get one with `PhalpPredictor.load`."""

    def __init__(self, config: PredictorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PredictorConfig()
        width, frames = config.width, config.frames

        def block() -> Block:
            return Block(width, config.heads, config.head_width, config.feedforward, 0.0, 0.0)

        self.pose_in = two_layers(POSE_SHAPE, config.hidden, width)
        self.mask_token = nn.Parameter(torch.randn(width))
        self.first_positions = nn.Parameter(torch.randn(1, frames, width) * 0.02)
        self.second_positions = nn.Parameter(torch.randn(1, frames, width) * 0.02)
        self.first = nn.ModuleList(block() for _ in range(config.depth))
        self.shorten = nn.Conv1d(width, width, config.kernel, config.stride, config.margin)
        self.lengthen = nn.ConvTranspose1d(width, width, config.kernel, config.stride, config.margin)
        self.second = nn.ModuleList([block()])
        self.pose_head = PoseHead(width)
        self.place_head = three_layers(width, width, 3)
        self.mean = nn.Buffer(torch.zeros(POSE_SHAPE), persistent=False)
        self.std = nn.Buffer(torch.ones(POSE_SHAPE), persistent=False)

    @classmethod
    def load(
        cls, checkpoint: Path, settings: Path | None = None, mean_std: Path | None = None
    ) -> tuple[PhalpPredictor, LoadReport]:
        """The network of a released file, with the yaml and the mean_std.npy that its authors put beside it.

        What is not given is taken from a file that `choros convert` wrote, which keeps both; without any ``mean_std``
        poses are taken as they are. Raises `ChorosError` if a file is missing or of another kind,
        or a weight is missing.
        """
        names = read_state_dict(checkpoint)
        shapes = {name.removeprefix(PREFIX): tuple(tensor.shape) for name, tensor in names.items()}
        told = _settings(checkpoint, settings)
        heads, stride = (_whole_number(settings or checkpoint, told, name) for name in ("heads", "stride"))
        try:
            network = cls(PredictorConfig.told_by(shapes, heads, stride))
        except KeyError as error:
            raise ChorosError(
                f"{checkpoint} is no pose predictor of PHALP: it lacks {error}; {MEND}."
            ) from error
        report = load_into(network, checkpoint, rename=_renamed)
        kept = companion(checkpoint, MEAN_STD) if mean_std is None else None
        if mean_std is not None or kept is not None:
            mean, std = read_mean_std(mean_std or checkpoint, kept)
            network.mean[: len(mean)], network.std[: len(std)] = mean, std
        return network.eval(), report

    def forward(self, pose_shape: Tensor, seen: Tensor) -> Prediction:
        """Everyone in all frames: poses (B, frames, 229), arbitrary where not ``seen`` (B, frames) bool."""
        shown = torch.where(seen[..., None], pose_shape, 0)
        x = self.pose_in(normalised(shown, self.mean, self.std))
        x = torch.where(seen[..., None], x, self.mask_token) + self.first_positions
        for layer in self.first:
            x = layer(x, seen)
        x = self.lengthen(self.shorten(x.mT)).mT + self.second_positions
        for layer in self.second:
            x = layer(x, torch.ones_like(seen))
        body = self.pose_head(x)
        return Prediction(body.rotations, body.betas, self.place_head(x))

    @torch.no_grad()
    def predict(self, pose_shape: Tensor, frames: Tensor, ahead: Tensor) -> Prediction:
        """B people ``ahead`` (B,) frames of their last observation, each read at their own time.

        ``pose_shape`` (B, n, 229) was observed in ``frames`` (B, n), rising integers. Frames beyond the window count as
        its last one.
        """
        last = self.config.frames - 1
        slots = (frames - frames[:, :1]).clamp_max(last)
        row = torch.arange(len(slots))
        window = pose_shape.new_zeros(len(slots), self.config.frames, POSE_SHAPE)
        seen = torch.zeros(len(slots), self.config.frames, dtype=torch.bool)
        for k in range(slots.shape[1]):  # in order: of several in the last slot the latest stays
            window[row, slots[:, k]] = pose_shape[:, k]
            seen[row, slots[:, k]] = True
        said = self(window, seen)
        read = (slots[:, -1] + ahead).clamp_max(last)
        return Prediction(*(part[row, read] for part in said))


def _renamed(theirs: str) -> str | None:
    return None if LEFT_ASIDE.match(theirs.removeprefix(PREFIX)) else ours(theirs)


def _settings(checkpoint: Path, settings: Path | None) -> str:
    """The yaml as text: the one that is given, or what lies beside the checkpoint or is kept in it."""
    try:
        content = companion(checkpoint, *BESIDE) if settings is None else settings.read_bytes()
        if content is not None:
            return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ChorosError(f"{settings or checkpoint} cannot be read ({error}); {MEND}.") from error
    raise ChorosError(f"{checkpoint} has no yaml of settings beside it; {MEND}, with the yaml.")


def setting(path: Path, name: str) -> int:
    """A whole number of a yaml of settings, by its last name.

    Raises `ChorosError` unless all that have this name say the same.
    """
    return _whole_number(path, _settings(path, path), name)


def _whole_number(path: Path, text: str, name: str) -> int:
    found = set(re.findall(rf"^\s*{re.escape(name)}:\s*(\d+)\s*(?:#.*)?$", text, re.MULTILINE))
    if len(found) != 1:
        raise ChorosError(f"{path} says {len(found)} numbers for {name} and not one; {MEND}.")
    return int(found.pop())


def read_mean_std(path: Path, content: bytes | None = None) -> tuple[Tensor, Tensor]:
    """Mean and deviation (n,) of mean_std.npy, which is a pickle of arrays in NumPy's form; nothing in it runs.

    ``content`` is what it holds, where it is kept in another file at ``path``. Raises `ChorosError` if it is something
    else.
    """
    try:
        with path.open("rb") if content is None else io.BytesIO(content) as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(file)
            rows: Any = (
                load_open_pickle(file, path, MEND)
                if dtype.hasobject
                else np.frombuffer(file.read(), dtype).reshape(shape)
            )
        mean, std = (torch.from_numpy(np.array(row, np.float32).reshape(-1)) for row in rows)
    except (OSError, ValueError, TypeError) as error:
        raise ChorosError(f"{path} holds no mean and deviation ({error}); {MEND}.") from error
    if len(mean) != len(std) or len(mean) > POSE_SHAPE:
        raise ChorosError(f"{path} holds {len(mean)} and {len(std)} numbers of poses; {MEND}.")
    return mean, std
