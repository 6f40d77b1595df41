"""Jano: spend compute where the picture is still changing (arXiv 2603.00519). Torch only, no ComfyUI."""
