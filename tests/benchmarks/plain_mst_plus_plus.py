"""MST++ transcribed plainly from its formulas: what the library's forward is compared with.

One formula, one line: tokens are rows of a matrix, and every change between tokens and images is
a permutation. Takes the same weights under the same keys.

Source: Cai, Lin, Lin, Wang, Zhang, Pfister, Timofte, Van Gool 2022, "MST++: Multi-stage
Spectral-wise Transformer for Efficient Spectral Reconstruction" (arXiv:2204.07908).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainMSTPlusPlus(nn.Module):
    def __init__(self, bands: int = 31, stages: int = 3) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, bands, 3, padding=1, bias=False)
        self.body = nn.Sequential(*[Stage(bands) for _ in range(stages)])
        self.conv_out = nn.Conv2d(bands, bands, 3, padding=1, bias=False)

    def forward(self, rgb: Tensor) -> Tensor:
        rows, columns = rgb.shape[2:]
        rgb = F.pad(rgb, [0, -columns % 8, 0, -rows % 8], mode="reflect")
        x = self.conv_in(rgb)
        return (self.conv_out(self.body(x)) + x)[:, :, :rows, :columns]


class Stage(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.encoder_layers = nn.ModuleList(
            [
                nn.ModuleList([Blocks(w, w // width), nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False)])
                for w in (width, 2 * width)
            ]
        )
        self.bottleneck = Blocks(4 * width, 4)
        self.decoder_layers = nn.ModuleList(
            [
                nn.ModuleList(
                    [
                        nn.ConvTranspose2d(2 * w, w, 2, stride=2),
                        nn.Conv2d(2 * w, w, 1, bias=False),
                        Blocks(w, w // width),
                    ]
                )
                for w in (2 * width, width)
            ]
        )
        self.mapping = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h, kept = self.embedding(x), []
        for blocks, down in self.encoder_layers:
            kept.append(blocks(h))
            h = down(kept[-1])
        h = self.bottleneck(h)
        for up, fuse, blocks in self.decoder_layers:
            h = blocks(fuse(torch.cat([up(h), kept.pop()], dim=1)))
        return self.mapping(h) + x


class Blocks(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.ModuleList([Attention(width, heads), PreNorm(width)])])

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        for attend, feed in self.blocks:
            x = attend(x) + x
            x = feed(x) + x
        return x.permute(0, 3, 1, 2)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.rescale = nn.Parameter(torch.ones(heads, 1, 1))
        self.proj = nn.Linear(width, width)
        self.pos_emb = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, rows, columns, width = x.shape
        tokens = x.reshape(batch, rows * columns, width)
        value = self.to_v(tokens)
        q, k, v = (
            each.reshape(batch, rows * columns, self.heads, -1).permute(0, 2, 3, 1)
            for each in (self.to_q(tokens), self.to_k(tokens), value)
        )
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        matrix = ((k @ q.transpose(-2, -1)) * self.rescale).softmax(dim=-1)
        mixed = (matrix @ v).permute(0, 3, 1, 2).reshape(batch, rows * columns, width)
        local = self.pos_emb(value.reshape(x.shape).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.proj(mixed).reshape(x.shape) + local


class PreNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fn, self.norm = FeedForward(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fn(self.norm(x))


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(width, 4 * width, 1, bias=False),
            nn.GELU(),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width, bias=False),
            nn.GELU(),
            nn.Conv2d(4 * width, width, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
