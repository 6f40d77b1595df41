"""Turns scene codes into context tokens: a frozen table of orthonormal word vectors, one token per phrase."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from .clip_vocabulary import CLIP_CODE_LEN, THING_LEN
from .vocabulary import CODE_LEN, MAX_THINGS

NUM_TOKENS = 8
TEXT_DIM = 64
FIRST_ROWS = (0, 6, 12, 20, 26, 33, 38)
"""Where backgrounds, grounds, nouns, textures, colours, motions and cameras begin; nouns have room for three more."""
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
    rows = table[FIRST_ROWS[group] + (codes - 1).clamp(min=0)]
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


def encode_clip(codes: Tensor, table: Tensor) -> Tensor:
    """Clip codes (B, CLIP_CODE_LEN) int -> context (B, 3 + MAX_THINGS, 64): background, ground, camera, things."""
    codes = codes.long()
    tokens = [word_vectors(codes[:, place], group, table) for place, group in ((0, 0), (1, 1), (2, 6))]
    for start in range(3, CLIP_CODE_LEN, THING_LEN):
        tokens.append(sum(word_vectors(codes[:, start + k], 2 + k, table) for k in range(THING_LEN)))
    return torch.stack(tokens, dim=1) + table[-len(tokens) :]
