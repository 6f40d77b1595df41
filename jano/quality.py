"""How close two pictures are. Pictures are (frames, height, width, channels) in 0..1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

WINDOW = 11
NO_LPIPS = (
    "not computed: its network is not part of ComfyUI, this pack downloads nothing, and the published weights are "
    "pickles, which it does not open"
)


@dataclass(frozen=True)
class Comparison:
    """How close every frame of a picture or clip is to its reference: PSNR in dB, SSIM (None where too small for it),
    largest difference of a channel (0..1); each (frames,)."""

    psnr: Tensor
    ssim: Tensor | None
    largest: Tensor

    @property
    def worst_frame(self) -> int:
        """Index of the frame with the lowest PSNR."""
        return int(self.psnr.argmin())

    def markdown(self) -> str:
        """The comparison as a short markdown table."""
        rows = [
            ("PSNR", self._spread(self.psnr, "{:.2f} dB")),
            (
                "SSIM",
                "not computed: smaller than 11 pixels" if self.ssim is None else self._spread(self.ssim, "{:.4f}"),
            ),
            ("Largest difference", f"{float(self.largest.max()):.1%} of the range"),
            ("LPIPS", NO_LPIPS),
        ]
        return "\n".join(["| Jano compare | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])

    def _spread(self, values: Tensor, form: str) -> str:
        """The mean over the frames, and the worst one of several."""
        mean, worst = form.format(float(values.mean())), form.format(float(values.min()))
        if values.isinf().all():
            return "infinite: the pictures are equal"
        if values.numel() == 1:
            return mean
        return f"{mean} on average over {values.numel()} frames, {worst} at worst (frame {int(values.argmin()) + 1})"


def compare(reference: Tensor, image: Tensor) -> Comparison:
    """Compare two pictures or clips of the same shape. ValueError with a sentence for the user where they differ."""
    a, b = reference[..., :3].cpu(), image[..., :3].cpu()
    if a.shape != b.shape:
        raise ValueError(
            f"Jano Compare needs two pictures of one size, but the reference has {_size(a)} and the image {_size(b)}; "
            "decode both from latents of the same size and length."
        )
    too_small = min(a.shape[1:3]) < WINDOW
    frames = list(zip(a.split(1), b.split(1), strict=True))  # frame by frame: a clip in double takes gigabytes
    return Comparison(
        torch.cat([psnr(*pair) for pair in frames]),
        None if too_small else torch.cat([ssim(*pair) for pair in frames]),
        torch.stack([(one - other).abs().max() for one, other in frames]),
    )


def _size(picture: Tensor) -> str:
    frames, height, width = picture.shape[:3]
    return f"{width} x {height} pixels in {frames} frame{'s' if frames > 1 else ''}"


def psnr(reference: Tensor, image: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of every frame in dB: (frames,); infinite where they are equal."""
    return -10.0 * torch.log10((reference - image).double().square().mean((1, 2, 3)))


def ssim(reference: Tensor, image: Tensor) -> Tensor:
    """Structural similarity of every frame: (frames,). Wang et al. 2004: Gaussian window of 11, sigma 1.5, per channel
    on the valid area, K1 = 0.01, K2 = 0.03."""
    a, b = (picture.double().movedim(-1, 1).flatten(0, 1).unsqueeze(1) for picture in (reference, image))
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    var_a, var_b = _window_mean(a * a) - mean_a**2, _window_mean(b * b) - mean_b**2
    covariance = _window_mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    index = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    index = index / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return index.mean((1, 2, 3)).reshape(reference.shape[0], -1).mean(1)


def _window_mean(x: Tensor, size: int = WINDOW, sigma: float = 1.5) -> Tensor:
    line = torch.exp(-((torch.arange(size, device=x.device, dtype=x.dtype) - size // 2) ** 2) / (2 * sigma**2))
    line = line / line.sum()
    return conv2d(conv2d(x, line.view(1, 1, -1, 1)), line.view(1, 1, 1, -1))
