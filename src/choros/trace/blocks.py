"""Residual and plain blocks of TRACE's heads, in one, two and three dimensions, and its perceptron for people.

All are pairs of 3-wide convolutions with batch normalisation, as the released network has them: only the flat ones may
change the number of channels and still add their input, and only these end in a rectifier after the sum.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import conv2d, relu


class PlaneBlock(nn.Module):
    """A residual block of maps (B, C, H, W); with ``projected`` its input is brought to its channels first."""

    def __init__(self, n_in: int, n_out: int, projected: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.projection = nn.Conv2d(n_in, n_out, 1) if projected else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, n_in, H, W) to (B, n_out, H, W)."""
        kept = x if self.projection is None else self.projection(x)
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))) + kept)


class ColumnBlock(nn.Module):
    """A block of columns (B, C, W), which adds nothing of its input."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(n_in, n_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm1d(n_out)
        self.conv2 = nn.Conv1d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm1d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Columns (B, n_in, W) to (B, n_out, W)."""
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))


class VolumeConv(nn.Conv3d):
    """A 3-wide convolution of volumes without bias, plane by plane.

    Each plane is looked at once for itself and its two neighbours: for one or three channels that takes a tenth of the
    time of PyTorch's own on a CPU.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Volumes (B, C, D, H, W) to the same shape."""
        depth = x.shape[2]
        kernels = self.weight.permute(2, 0, 1, 3, 4).flatten(
            0, 1
        )  # what each plane gives to the one after it first
        planes = conv2d(x.transpose(1, 2).flatten(0, 1), kernels, padding=1)
        before, here, behind = planes.unflatten(0, (-1, depth)).chunk(3, 2)  # (B, D, C, H, W) each
        told = here.clone()
        told[:, 1:] += before[:, :-1]
        told[:, :-1] += behind[:, 1:]
        return told.transpose(1, 2)


class VolumeBlock(nn.Module):
    """A residual block of volumes (B, C, D, H, W) without a rectifier at its end."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = VolumeConv(channels)
        self.bn1 = nn.BatchNorm3d(channels)
        self.conv2 = VolumeConv(channels)
        self.bn2 = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Volumes (B, C, D, H, W) to the same shape."""
        return x + self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))


def plane_blocks(n_in: int, width: int, blocks: int) -> nn.Sequential:
    """Blocks in a row, each with its input brought to ``width`` channels."""
    return nn.Sequential(*(PlaneBlock(width if i else n_in, width, projected=True) for i in range(blocks)))


def head(n_in: int, width: int, blocks: int, n_out: int) -> nn.Sequential:
    """The same and a last layer of single cells."""
    return nn.Sequential(plane_blocks(n_in, width, blocks), nn.Conv2d(width, n_out, 1))


class Regressor(nn.Module):
    """A person's feature to numbers: two layers that all share, then one for each of the answers' parts."""

    def __init__(self, n_in: int, width: int, *parts: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(n_in, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.parts = nn.ModuleList(nn.Linear(width, n_out) for n_out in parts)

    def forward(self, features: Tensor) -> list[Tensor]:
        """Features (..., n_in) to each part (..., n_out)."""
        shared = self.shared(features)
        return [part(shared) for part in self.parts]
