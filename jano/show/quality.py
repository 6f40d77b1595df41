"""How close two pictures are. Pictures are (frames, height, width, channels) in 0..1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ..sentences import Sentence, say
from .lpips import SMALLEST, Weights, lpips
from .numbers import percent
from .table import Table

WINDOW = 11
STRIP = 256  # rows
# From which PSNR on how a difference is said, in dB; the ends are those of the words that are said of a run before
# anybody compares it (risk.py: hard to see from 35 on, another composition below 22). 35 is a root mean square of 1.8 %
# of the range, 4.5 of 255 levels: lossy video is usually between 30 and 50. Two seeds of one prompt lie at 13 to 20
# (tiny Flux, 256 pixels, 12 steps, 12 pairs).
VERDICTS = (
    (math.inf, say("same_picture")),
    (35.0, say("hard_to_see")),
    (28.0, say("small_details_moved")),
    (22.0, say("details_moved")),
    (-math.inf, say("composition_changed")),
)


@dataclass(frozen=True)
class Comparison:
    """How close every frame of a picture or clip is to its reference: PSNR in dB, SSIM (None where too small for it),
    largest difference of a channel (0..1), LPIPS; each (frames,). Where LPIPS is None, `no_lpips` says why, if anybody
    asked for it."""

    psnr: Tensor
    ssim: Tensor | None
    largest: Tensor
    lpips: Tensor | None = None
    no_lpips: str = ""

    @property
    def worst_frame(self) -> int:
        """Index of the frame with the lowest PSNR."""
        return int(self.psnr.argmin())

    @property
    def mean_psnr(self) -> float:
        """In dB, over the frames that differ; infinite where none does."""
        return _mean_of_finite(self.psnr)

    @property
    def mean_ssim(self) -> float | None:
        """Over all frames; None where it was not computed."""
        return None if self.ssim is None else float(self.ssim.mean())

    def told(self) -> str:
        """In words how far the pictures are from each other, and the worst frame where that is another class."""
        usual, worst = verdict(self.mean_psnr), verdict(float(self.psnr.min()))
        if worst == usual:
            return usual
        return say("verdict_at_worst", usual=usual, worst=worst, frame=self.worst_frame + 1)

    def as_dict(self) -> dict:
        """Means over the frames; None for what is infinite or was not computed."""
        finite = math.isfinite(self.mean_psnr)
        return {
            "verdict": self.told(),
            "psnr_db": round(self.mean_psnr, 2) if finite else None,
            "psnr_db_worst": round(float(self.psnr.min()), 2) if finite else None,
            "worst_frame": self.worst_frame + 1,
            "ssim": None if self.mean_ssim is None else round(self.mean_ssim, 4),
            "lpips": None if self.lpips is None else round(float(self.lpips.mean()), 4),
        }

    def markdown(self) -> str:
        """The comparison as a short markdown table; LPIPS has no row where nobody asked for it."""
        return self.table().markdown()

    def table(self) -> Table:
        ssim = say("too_small", pixels=WINDOW) if self.ssim is None else self._spread(self.ssim, _four_digits)
        lpips = self.no_lpips
        if self.lpips is not None:
            lpips = self._spread(self.lpips, _four_digits, worst=Tensor.argmax)
        rows = (
            (say("row_verdict"), self.told()),
            (say("row_psnr"), self._spread(self.psnr, _decibels)),
            (say("row_ssim"), ssim),
            (say("row_largest"), say("of_full_range", share=percent(float(self.largest.max())))),
            (say("row_lpips"), lpips),
        )
        return Table("Jano compare", rows)

    def _spread(
        self,
        values: Tensor,
        form: Callable[[float], Sentence],
        worst: Callable[[Tensor], Tensor] = Tensor.argmin,
    ) -> Sentence:
        """The mean over the frames, and the worst one of several."""
        frame, differing = int(worst(values)), values[values.isfinite()]
        if differing.numel() == 0:
            return say("equal_pictures")
        mean, least = form(_mean_of_finite(values)), form(float(values[frame]))
        if values.numel() == 1:
            return mean
        equal = values.numel() - differing.numel()
        rest = say("equal_frames", count=equal) if equal else ""
        counts = {"frames": differing.numel(), "frame": frame + 1}
        return say("over_frames", mean=mean, worst=least, equal=rest, **counts)


def _decibels(value: float) -> Sentence:
    return say("decibels", value=value)


def _four_digits(value: float) -> Sentence:
    return say("four_digits", value=value)


def verdict(psnr: float) -> str:
    """What a PSNR in dB means to the eye, in words."""
    return next(words for least, words in VERDICTS if psnr >= least)


def _mean_of_finite(values: Tensor) -> float:
    finite = values[values.isfinite()]
    return float(finite.mean()) if finite.numel() else math.inf


def compare(reference: Tensor, image: Tensor, weights: Weights | None = None, no_weights: str = "") -> Comparison:
    """Compare two pictures or clips of the same shape; `weights` are LPIPS', `no_weights` says why there are none.

    ValueError with a sentence for the user where the shapes differ, or a value is not finite.
    """
    a, b = reference[..., :3].cpu(), image[..., :3].cpu()
    for name, pictures in (("reference", a), ("image", b)):
        if not bool(pictures.isfinite().all()):
            raise ValueError(
                f"Jano Compare: the {name} holds values that are not finite numbers, so it was not sampled or decoded "
                "right and cannot be compared."
            )
    if a.shape != b.shape:
        raise ValueError(
            f"Jano Compare needs two pictures of one size, but the reference has {_size(a)} and the image {_size(b)}; "
            "decode both from latents of the same size and length."
        )
    smallest = min(a.shape[1:3])
    if weights is not None and smallest < SMALLEST:
        weights, no_weights = None, say("too_small", pixels=SMALLEST)
    frames = list(zip(a.split(1), b.split(1), strict=True))  # frame by frame: a clip in double takes gigabytes
    return Comparison(
        torch.cat([psnr(*pair) for pair in frames]),
        None if smallest < WINDOW else torch.cat([ssim(*pair) for pair in frames]),
        torch.stack([(one - other).abs().max() for one, other in frames]),
        None if weights is None else lpips(a, b, weights),
        no_weights,
    )


def _size(picture: Tensor) -> str:
    frames, height, width = picture.shape[:3]
    return f"{width} x {height} pixels in {frames} frame{'s' if frames > 1 else ''}"


def psnr(reference: Tensor, image: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of every frame in dB: (frames,); infinite where they are equal."""
    return -10.0 * torch.log10((reference - image).double().square().mean((1, 2, 3)))


def ssim(reference: Tensor, image: Tensor) -> Tensor:
    """Structural similarity of every frame: (frames,). Wang et al. 2004: Gaussian window of 11, sigma 1.5, per channel
    on the valid area, K1 = 0.01, K2 = 0.03. Taken in strips of rows: a picture of 64 megapixels would take 12 GB."""
    a, b = (picture.movedim(-1, 1).flatten(0, 1).unsqueeze(1) for picture in (reference, image))
    height, edge = a.shape[-2], WINDOW - 1
    strips = [slice(top, top + STRIP + edge) for top in range(0, height - edge, STRIP)]
    total = sum(_similarity(a[..., rows, :].double(), b[..., rows, :].double()).sum((1, 2, 3)) for rows in strips)
    per_channel = total / ((height - edge) * (a.shape[-1] - edge))
    return per_channel.reshape(reference.shape[0], -1).mean(1)


def _similarity(a: Tensor, b: Tensor) -> Tensor:
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    var_a, var_b = _window_mean(a * a) - mean_a**2, _window_mean(b * b) - mean_b**2
    covariance = _window_mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    index = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return index / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))


def _window_mean(x: Tensor, size: int = WINDOW, sigma: float = 1.5) -> Tensor:
    line = torch.exp(-((torch.arange(size, device=x.device, dtype=x.dtype) - size // 2) ** 2) / (2 * sigma**2))
    line = line / line.sum()
    return conv2d(conv2d(x, line.view(1, 1, -1, 1)), line.view(1, 1, 1, -1))
