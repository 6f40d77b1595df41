"""All templates, in the order in which they are written."""

from __future__ import annotations

from .clips import CLIPS
from .comparisons import COMPARISONS
from .edits import EDITS
from .pictures import PICTURES

TEMPLATES = (*PICTURES, *EDITS, *CLIPS, *COMPARISONS)
FOR_THE_API = ("Flux text to image", "Qwen-Image-Edit in 4 steps", "Wan 2.1 text to video")
