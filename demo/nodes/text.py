"""Turns scene codes into context tokens: a frozen table of orthonormal word vectors, one token per phrase."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from .vocabulary import BACKGROUNDS, CODE_LEN, COLOURS, GROUNDS, MAX_THINGS, NOUNS, TEXTURES

NUM_TOKENS = 8
TEXT_DIM = 64
SIZES = (len(BACKGROUNDS), len(GROUNDS), len(NOUNS), len(TEXTURES), len(COLOURS))
TABLE_PATH = Path(__file__).resolve().parents[1] / "models" / "jano_tiny_text.safetensors"


def new_table(seed: int = 11) -> Tensor:
    """Orthonormal rows (64, 64) of unit variance: words by group first, the last NUM_TOKENS rows mark the token."""
    square = torch.randn(TEXT_DIM, TEXT_DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (torch.linalg.qr(square)[0] * TEXT_DIM**0.5).float().contiguous()


def load_table(path: Path = TABLE_PATH) -> Tensor:
    """The saved table, written on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"words": new_table()}, str(path))
    return load_file(str(path))["words"]


def word_vectors(codes: Tensor, group: int, table: Tensor) -> Tensor:
    """Numbers (B,) of one word group, 0 = not said -> vectors (B, 64), zero where not said."""
    rows = table[sum(SIZES[:group]) + (codes - 1).clamp(min=0)]
    return rows * (codes > 0)[:, None]


def encode(codes: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Codes (B, CODE_LEN) int -> context (B, NUM_TOKENS, 64) and pooled (B, 64)."""
    codes = codes.long()
    tokens = [word_vectors(codes[:, 0], 0, table), word_vectors(codes[:, 1], 1, table)]
    for start in range(2, CODE_LEN, 3):
        tokens.append(sum(word_vectors(codes[:, start + k], 2 + k, table) for k in range(3)))
    tokens += [torch.zeros_like(tokens[0])] * (NUM_TOKENS - 2 - MAX_THINGS)
    phrases = torch.stack(tokens, dim=1)
    return phrases + table[-NUM_TOKENS:], phrases.sum(1) / 2
