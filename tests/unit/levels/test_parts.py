"""A clip of two frames by 3 x 2 cells in four channels, packed with five values of sound."""

import torch
from comfyui_jano.jano.levels.parts import Parts

CLIP, SOUND = (2, 4, 2, 3, 2), (2, 1, 5)


def test_a_packed_latent_falls_apart_into_what_was_packed() -> None:
    clip, sound = torch.randn(CLIP), torch.randn(SOUND)
    packed = torch.cat((sound.reshape(2, 1, -1), clip.reshape(2, 1, -1)), -1)
    parts = Parts((SOUND, CLIP), shown=1)
    assert all(torch.equal(part, made) for part, made in zip(parts.split(packed), (sound, clip), strict=True))
    assert torch.equal(parts.seen(packed), clip)


def test_a_latent_of_one_part_is_that_part() -> None:
    clip = torch.randn(CLIP)
    assert Parts().seen(clip) is clip
    assert Parts().split(clip) == [clip]
