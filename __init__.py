"""Jano for ComfyUI: diffusion models, faster by the steps that can be forecast."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """ComfyUI's way in. Imported late, so that tools may read this folder without ComfyUI on the path."""
    from .nodes import JanoExtension

    return JanoExtension()
