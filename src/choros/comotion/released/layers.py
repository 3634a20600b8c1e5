"""Layers of the released CoMotion, with the names that its files have for them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention, silu

from choros.layers.attention import merge_heads, split_heads

EPSILON = 1e-6  # of normalisations over channels of maps, and of `RmsNorm`
LLAMA_HEADS = 16


class ChannelNorm(nn.LayerNorm):
    """Normalises each pixel of a map (B, C, H, W) over its channels."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """A map to a map."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Perceptron(nn.Module):
    """Two linear layers with a normalisation and GELU between."""

    def __init__(self, n_in: int, width: int, n_out: int) -> None:
        super().__init__()
        self.l1, self.ln1, self.l2 = nn.Linear(n_in, width), nn.LayerNorm(width), nn.Linear(width, n_out)

    def forward(self, x: Tensor) -> Tensor:
        """(..., n_in) to (..., n_out)."""
        return self.l2(gelu(self.ln1(self.l1(x))))


class ResidualPerceptron(Perceptron):
    """The same of the normalised input, added to it."""

    def __init__(self, n: int, width: int) -> None:
        super().__init__(n, width, n)
        self.ln0 = nn.LayerNorm(n)

    def forward(self, x: Tensor) -> Tensor:
        """(..., n) to (..., n)."""
        return x + super().forward(self.ln0(x))


class ConvNextBlock(nn.Module):
    """ConvNeXt's block of the first version, whose answer each channel takes a part of (Liu et al. 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))
        self.conv_dw = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, C, H, W) to a map."""
        y = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))
        y = self.gamma * self.mlp["fc2"](gelu(self.mlp["fc1"](y)))
        return x + y.permute(0, 3, 1, 2)


class Halved(nn.Module):
    """Half the resolution, then a block and a normalisation."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(n_in, width, 2, stride=2), ConvNextBlock(width), ChannelNorm(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, H, W) to (B, width, H / 2, W / 2)."""
        return self.layers(x)


def pose_decoder() -> nn.Sequential:
    """From an embedding of 256 numbers to 69 of body pose."""
    return nn.Sequential(
        nn.LayerNorm(256), nn.Linear(256, 512), ResidualPerceptron(512, 1024), nn.LayerNorm(512), nn.GELU(),
        nn.Linear(512, 69),
    )  # fmt: skip


def level_decoder(width: int, n_out: int) -> nn.Sequential:
    """What each cell of a level tells."""
    return nn.Sequential(
        nn.Conv2d(width, width, 1), ChannelNorm(width), nn.ReLU(), nn.Conv2d(width, n_out, 1)
    )


class Waves(nn.Module):
    """A number as itself and as sines of it times powers of two."""

    def __init__(self) -> None:
        super().__init__()
        self.freq_bands = nn.Buffer(2.0 ** torch.arange(16))

    def forward(self, x: Tensor) -> Tensor:
        """(..., n) to (..., 17 n): the numbers, then of each its sines."""
        return torch.cat([x, torch.sin(x[..., None] * self.freq_bands).flatten(-2)], -1)


class RmsNorm(nn.Module):
    """Scales vectors to a root mean square of 1, then each number (Zhang and Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., width)."""
        return self.weight * x * (x.square().mean(-1, keepdim=True) + EPSILON).rsqrt()


class LlamaLayer(nn.Module):
    """Llama's decoder layer without an order of its tokens and without a mask: 16 heads of 128 on 512 numbers."""

    def __init__(self, width: int = 512, inner: int = 2048, mlp: int = 1024) -> None:
        super().__init__()

        def linear(n_in: int, n_out: int) -> nn.Linear:
            return nn.Linear(n_in, n_out, bias=False)

        self.self_attn = nn.ModuleDict(
            {f"{name}_proj": linear(width, inner) for name in "qkv"} | {"o_proj": linear(inner, width)}
        )
        self.mlp = nn.ModuleDict(
            {"gate_proj": linear(width, mlp), "up_proj": linear(width, mlp), "down_proj": linear(mlp, width)}
        )
        self.input_layernorm, self.post_attention_layernorm = RmsNorm(width), RmsNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Sets of tokens (B, S, width), all of which look at all."""
        y = self.input_layernorm(x)
        query, key, value = (split_heads(self.self_attn[f"{name}_proj"](y), LLAMA_HEADS) for name in "qkv")
        x = x + self.self_attn["o_proj"](merge_heads(scaled_dot_product_attention(query, key, value)))
        y = self.post_attention_layernorm(x)
        return x + self.mlp["down_proj"](silu(self.mlp["gate_proj"](y)) * self.mlp["up_proj"](y))


class Pooled(nn.Module):
    """Tokens of a person as one vector: the mean of what each says, by how much it has to say."""

    def __init__(self, width: int = 512) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(width)
        self.token_weight, self.token_to_value = nn.Linear(width, width), nn.Linear(width, width)
        self.decoder = ResidualPerceptron(width, 2 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, S, width) to (N, width)."""
        x = self.ln(tokens)
        return self.decoder((self.token_weight(x).sigmoid() * self.token_to_value(x)).mean(-2))


class Memory(nn.Module):
    """A gated recurrent unit (Cho et al. 2014) whose gates are linear layers of their own."""

    def __init__(self, width: int = 512) -> None:
        super().__init__()
        self.fz, self.fr, self.fq = (nn.Linear(2 * width, width) for _ in range(3))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """The next state (N, width) of a state and what is new."""
        both = torch.cat([hidden, x], -1)
        z, r = self.fz(both).sigmoid(), self.fr(both).sigmoid()
        return (1 - z) * hidden + z * self.fq(torch.cat([r * hidden, x], -1)).tanh()
