"""Templates that make pictures from text."""

from __future__ import annotations

from . import files
from .parts import (
    Template,
    jano,
    level_map,
    look,
    models,
    picture,
    prompt,
    report,
    sample,
    sampler,
    text,
    text_encoder,
)
from .sheet import Node, Sheet

HOUSE = "A small red house and a striped ball on a meadow under an evening sky"
UNWANTED = "blurred, distorted, low quality, text, watermark"


def flux_text(sheet: Sheet) -> Node:
    """The loader of Flux's text encoders."""
    return sheet.add("DualCLIPLoader", clip_name1=files.CLIP_L, clip_name2=files.T5, type="flux")


def empty(sheet: Sheet, side: int = 1024) -> Node:
    return sheet.add("EmptySD3LatentImage", width=side, height=side)


def vae(sheet: Sheet, file: files.File) -> Node:
    return sheet.add("VAELoader", vae_name=file)


def flux(sheet: Sheet) -> None:
    models(sheet)
    unet, clip, decoder = sheet.add("UNETLoader", unet_name=files.FLUX), flux_text(sheet), vae(sheet, files.FLUX_VAE)
    prompt(sheet)
    words = text(sheet, clip, HOUSE)
    latent = empty(sheet)
    sheet.column()
    positive = sheet.add("FluxGuidance", conditioning=words, guidance=3.5)
    negative = sheet.add("ConditioningZeroOut", conditioning=words)
    sample(sheet)
    model = jano(sheet, unet)
    sheet.column()
    settings = {"steps": 28, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    run = sampler(sheet, model, positive=positive, negative=negative, latent_image=latent, **settings)
    look(sheet)
    decoded = picture(sheet, decoder, run, "flux")
    sheet.column()
    report(sheet, model, run)
    sheet.column()
    level_map(sheet, model, run, decoded)
    sheet.say("""
## Flux, faster with Jano

Jano forecasts the steps that it can, computes the others, and repairs afterwards what a forecast missed. The
node shows which steps were which while the sampler runs.

- Press Run, then bypass the Jano node (select it, Ctrl+B) and run again: same seed, in full.
- **quality** is the one knob. *balanced* leaves out about half of 28 steps, *fidelity* less, *draft* about two
  thirds.
- **Jano Report** says what was computed, how long it took, and why, if something ran natively.
- **Jano Convergence Map** shows where in the picture forecasts were off, before the repair: from 1 % (violet) to
  30 % (pale yellow). It is for looking only.
""")


def flux_with_lora_and_controlnet(sheet: Sheet) -> None:
    models(sheet)
    unet = sheet.add("UNETLoader", unet_name=files.FLUX)
    lora = sheet.add("LoraLoaderModelOnly", model=unet, lora_name=files.ANY_LORA)
    clip = flux_text(sheet)
    decoder = vae(sheet, files.FLUX_VAE)
    control = sheet.add("ControlNetLoader", control_net_name=files.ANY_CONTROLNET)
    prompt(sheet)
    words = text(sheet, clip, f"{HOUSE}, watercolour")
    guided = sheet.add("FluxGuidance", conditioning=words, guidance=3.5)
    latent = empty(sheet)
    sheet.column()
    hint = sheet.add("LoadImage", size=(290, 350), image="example.png")
    sheet.column()
    edges = sheet.add("Canny", image=hint, low_threshold=0.3, high_threshold=0.6)
    negative = sheet.add("ConditioningZeroOut", conditioning=words)
    where = {"strength": 0.6, "start_percent": 0.0, "end_percent": 0.8}
    both = {"positive": guided, "negative": negative, "control_net": control, "image": edges, "vae": decoder}
    applied = sheet.add("ControlNetApplyAdvanced", **both, **where)
    sample(sheet)
    model = jano(sheet, lora)
    sheet.column()
    settings = {"steps": 28, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "latent_image": latent}
    run = sampler(sheet, model, positive=applied["positive"], negative=applied["negative"], **settings)
    look(sheet)
    picture(sheet, decoder, run, "flux_controlnet")
    sheet.column()
    report(sheet, model, run)
    sheet.say("""
## Flux with LoRA, ControlNet and Jano

The Jano node goes behind the last node that changes the MODEL: here behind the LoRA. ControlNet needs nothing
more: what it adds is a part of the prediction that is forecast. Where it ends (here at 80 % of the run)
forecasts begin anew.

Bypass the Jano node (Ctrl+B) for the picture in full, with the same seed. **Jano Report** tells whether
everything was accelerated.

Any Flux LoRA will do, and any canny ControlNet for Flux (InstantX, Shakker, XLabs).
""")


def qwen_image(sheet: Sheet) -> None:
    models(sheet)
    unet = sheet.add("UNETLoader", unet_name=files.QWEN)
    shifted = sheet.add("ModelSamplingAuraFlow", model=unet, shift=3.1)
    clip, decoder = text_encoder(sheet, files.QWEN_TEXT, "qwen_image"), vae(sheet, files.QWEN_VAE)
    prompt(sheet)
    positive, negative = text(sheet, clip, HOUSE), text(sheet, clip, "", "Negative prompt")
    sheet.column()
    latent = empty(sheet, 1328)
    _sampled(sheet, shifted, (positive, negative, latent), decoder, "qwen_image", (20, 4.0, "euler", "simple"))
    sheet.say("""
## Qwen-Image, faster with Jano

20 steps with CFG 4: each step that is forecast saves two passes through 20 billion weights. Jano stands behind
ModelSamplingAuraFlow, which changes the MODEL.

- **quality** is the one knob: *fidelity* stays closest to the picture in full, *draft* is fastest.
- Bypass the Jano node (Ctrl+B) for the picture in full, with the same seed.
- With an 8-step Lightning LoRA little is left to forecast; below 6 steps Jano computes every step, and says so.
""")


def z_image(sheet: Sheet) -> None:
    models(sheet)
    unet = sheet.add("UNETLoader", unet_name=files.Z_IMAGE)
    shifted = sheet.add("ModelSamplingAuraFlow", model=unet, shift=3.0)
    clip, decoder = text_encoder(sheet, files.QWEN3, "lumina2"), vae(sheet, files.FLUX_VAE)
    prompt(sheet)
    positive, negative = text(sheet, clip, HOUSE), text(sheet, clip, "", "Negative prompt")
    sheet.column()
    latent = empty(sheet)
    _sampled(sheet, shifted, (positive, negative, latent), decoder, "z_image", (25, 4.0, "euler", "simple"))
    sheet.say("""
## Z-Image, faster with Jano

The base model, 25 steps with CFG 4. The sampler is euler: its forecasts are repaired, and res_multistep, which
ComfyUI's own template uses, works as well.

- **quality** is the one knob.
- Bypass the Jano node (Ctrl+B) for the picture in full, with the same seed.
- Z-Image **Turbo** takes 8 or 9 steps: there Jano saves a step or two at most.
""")


def chroma(sheet: Sheet) -> None:
    models(sheet)
    unet = sheet.add("UNETLoader", unet_name=files.CHROMA)
    shifted = sheet.add("ModelSamplingAuraFlow", model=unet, shift=1.0)
    loaded, decoder = text_encoder(sheet, files.T5_FP8, "chroma"), vae(sheet, files.FLUX_VAE)
    prompt(sheet)
    clip = sheet.add("T5TokenizerOptions", clip=loaded, min_padding=1, min_length=0)
    latent = empty(sheet)
    sheet.column()
    positive, negative = text(sheet, clip, HOUSE), text(sheet, clip, UNWANTED, "Negative prompt")
    _sampled(sheet, shifted, (positive, negative, latent), decoder, "chroma", (26, 3.5, "euler", "beta"))
    sheet.say("""
## Chroma, faster with Jano

26 steps with CFG 3.5 and a negative prompt: each step that is forecast saves two passes.

- **quality** is the one knob: *fidelity* stays closest to the picture in full, *draft* is fastest.
- Bypass the Jano node (Ctrl+B) for the picture in full, with the same seed.
- **Jano Report** says which steps were computed, and how long they took.
""")


def sdxl(sheet: Sheet) -> None:
    models(sheet)
    loaded = sheet.add("CheckpointLoaderSimple", ckpt_name=files.SDXL)
    prompt(sheet)
    positive = text(sheet, loaded["CLIP"], HOUSE)
    negative = text(sheet, loaded["CLIP"], UNWANTED, "Negative prompt")
    sheet.column()
    latent = sheet.add("EmptyLatentImage", width=1024, height=1024)
    given = (positive, negative, latent)
    _sampled(sheet, loaded["MODEL"], given, loaded["VAE"], "sdxl", (30, 7.0, "euler", "normal"))
    sheet.say("""
## SDXL, faster with Jano

Jano is not for transformers alone: steps are forecast on U-Nets too, with any checkpoint of SDXL's kind.

- **quality** is the one knob: *fidelity* stays closest to the picture in full, *draft* is fastest.
- Bypass the Jano node (Ctrl+B) for the picture in full, with the same seed.
- SDE and ancestral samplers add noise that cannot be forecast: take euler, heun or uni_pc.
""")


def _sampled(sheet: Sheet, changed: object, given: tuple, decoder: object, name: str, settings: tuple) -> None:
    """The lower row with one sampler: `given` are positive, negative and latent; `settings` steps, CFG and the rest."""
    steps, cfg, sampler_name, scheduler = settings
    positive, negative, latent = given
    sample(sheet)
    model = jano(sheet, changed)
    sheet.column()
    chosen = {"steps": steps, "cfg": cfg, "sampler_name": sampler_name, "scheduler": scheduler}
    run = sampler(sheet, model, positive=positive, negative=negative, latent_image=latent, **chosen)
    look(sheet)
    picture(sheet, decoder, run, name)
    sheet.column()
    report(sheet, model, run)


PICTURES = (
    Template("Flux text to image", "28 steps, euler", flux, "flux"),
    Template(
        "Flux with LoRA and ControlNet", "behind the LoRA, 28 steps", flux_with_lora_and_controlnet, sign="control"
    ),
    Template("Qwen-Image text to image", "20 steps, CFG 4", qwen_image, colour="#c9a4f0"),
    Template("Z-Image text to image", "25 steps, CFG 4", z_image, colour="#f0c05a"),
    Template("Chroma text to image", "26 steps, CFG 3.5", chroma, colour="#f08a8a"),
    Template("SDXL text to image", "30 steps, CFG 7", sdxl, colour="#7fd0c0"),
)
