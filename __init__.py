"""Jano for ComfyUI: diffusion transformers, faster where the picture has settled."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """ComfyUI's way in. Imported late, so that tools may read this folder without ComfyUI on the path."""
    from .nodes import JanoExtension

    return JanoExtension()
