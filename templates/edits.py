"""Templates that edit pictures, whose references Jano computes as often as they drift."""

from __future__ import annotations

from . import files
from .parts import (
    NARROW,
    PREVIEWED,
    SEED,
    TALL,
    WIDE,
    Template,
    jano,
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
from .pictures import flux_text, vae
from .sheet import Node, Sheet

LOADED = (290, 350)
"""Size of a node that shows an input picture."""


def load_image(sheet: Sheet, title: str | None = None) -> Node:
    return sheet.add("LoadImage", size=LOADED, title=title, image="example.png")


def kontext(sheet: Sheet) -> None:
    models(sheet)
    clip, decoder = flux_text(sheet), vae(sheet, files.FLUX_VAE)
    prompt(sheet)
    original = load_image(sheet)
    sheet.column()
    scaled = sheet.add("FluxKontextImageScale", image=original)
    latent = sheet.add("VAEEncode", pixels=scaled, vae=decoder)
    words = text(sheet, clip, "Make it winter: snow on the ground and on the roofs, keep everything else")
    sheet.column()
    referred = sheet.add("ReferenceLatent", conditioning=words, latent=latent)
    positive = sheet.add("FluxGuidance", conditioning=referred, guidance=2.5)
    negative = sheet.add("ConditioningZeroOut", conditioning=words)
    sample(sheet)
    chosen = {"unet_name": files.KONTEXT, "quality": "balanced", "references": "auto"}
    model = sheet.add("JanoModelLoader", size=(WIDE, TALL), **chosen)
    sheet.column()
    settings = {"steps": 24, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    run = sampler(sheet, model, positive=positive, negative=negative, latent_image=latent, **settings)
    look(sheet)
    picture(sheet, decoder, run, "kontext")
    sheet.column()
    report(sheet, model, run)
    sheet.say("""
## Flux Kontext edit, faster with Jano

**Load Diffusion Model (Jano)** is the stock loader and Jano in one. In an edit half of the tokens are the
reference picture, which never changes and is computed anew at every step. With **references** on *auto* Jano
computes it as often as it drifts, where that saves more than leaving whole steps out: in runs of 2 to 8 steps
(turbo LoRAs), with several references, and with quality *fast*. Here, with 24 steps and one reference, whole
steps save more.

To compare, put the stock loader in its place for the edit in full. **Jano
Report** says what was computed, of the steps and of the reference.
""")


def flux2(sheet: Sheet) -> None:
    models(sheet)
    unet = sheet.add("UNETLoader", unet_name=files.FLUX2)
    clip, decoder = text_encoder(sheet, files.MISTRAL, "flux2"), vae(sheet, files.FLUX2_VAE)
    prompt(sheet)
    subject = load_image(sheet, "Reference 1")
    sheet.column()
    style = load_image(sheet, "Reference 2")
    sheet.column()
    first, second = (_reference(sheet, image, decoder) for image in (subject, style))
    words = text(sheet, clip, "The house of image 1 in the colours of image 2, keep its shape", wide=NARROW)
    guided = sheet.add("FluxGuidance", conditioning=words, guidance=4.0)
    with_one = sheet.add("ReferenceLatent", conditioning=guided, latent=first)
    conditioning = sheet.add("ReferenceLatent", conditioning=with_one, latent=second)
    latent = sheet.add("EmptyFlux2LatentImage", width=1024, height=1024)
    sample(sheet)
    model = jano(sheet, unet)
    sheet.column()
    noise = sheet.add("RandomNoise", noise_seed=SEED)
    guider = sheet.add("BasicGuider", model=model, conditioning=conditioning)
    chosen = sheet.add("KSamplerSelect", sampler_name="euler")
    sigmas = sheet.add("Flux2Scheduler", steps=20, width=1024, height=1024)
    sheet.column()
    given = {"noise": noise, "guider": guider, "sampler": chosen, "sigmas": sigmas, "latent_image": latent}
    run = sheet.add("SamplerCustomAdvanced", size=(NARROW, PREVIEWED), **given)["output"]
    look(sheet)
    picture(sheet, decoder, run, "flux2")
    sheet.column()
    report(sheet, model, run)
    sheet.say("""
## Flux.2 with references, faster with Jano

Two references of one megapixel are two thirds of the tokens. Jano leaves out whole steps that can be forecast;
with **references** on *auto* it computes the references as often as they drift, where that saves more: with
several of them, in runs of 2 to 8 steps, and with quality *fast*. Between, attention sees them through cached
keys and values. They take memory: about 5.6 GB a reference in 16 bits, twice that with *auto*, in eight bits or
in main memory if there is too little.

- Bypass the Jano node (Ctrl+B) for the edit in full, with the same seed.
- For FLUX.2 klein **KV** set *references* to *isolated*. On other checkpoints that ruins the edit.
""")


def _reference(sheet: Sheet, image: Node, decoder: Node) -> Node:
    scaled = sheet.add("ImageScaleToTotalPixels", image=image, upscale_method="area", megapixels=1.0)
    return sheet.add("VAEEncode", pixels=scaled, vae=decoder)


def qwen_edit(sheet: Sheet) -> None:
    models(sheet)
    unet = sheet.add("UNETLoader", unet_name=files.QWEN_EDIT)
    lora = sheet.add("LoraLoaderModelOnly", model=unet, lora_name=files.QWEN_LIGHTNING)
    shifted = sheet.add("ModelSamplingAuraFlow", model=lora, shift=3.1)
    sheet.column()
    clip, decoder = text_encoder(sheet, files.QWEN_TEXT, "qwen_image"), vae(sheet, files.QWEN_VAE)
    prompt(sheet)
    original = load_image(sheet, "Picture 1")
    sheet.column()
    other = load_image(sheet, "Picture 2")
    sheet.column()
    scaled = sheet.add("FluxKontextImageScale", image=original)
    latent = sheet.add("VAEEncode", pixels=scaled, vae=decoder)
    words = "Paint the house of picture 1 with the pattern of picture 2, keep everything else"
    pictures = {"vae": decoder, "image1": scaled, "image2": other}
    asked = sheet.add("TextEncodeQwenImageEditPlus", size=(NARROW, 210), clip=clip, prompt=words, **pictures)
    method = {"reference_latents_method": "index_timestep_zero"}
    positive = sheet.add("FluxKontextMultiReferenceLatentMethod", conditioning=asked, **method)
    negative = sheet.add("ConditioningZeroOut", conditioning=positive)
    sample(sheet)
    model = jano(sheet, shifted, references="auto")
    sheet.column()
    settings = {"steps": 4, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    run = sampler(sheet, model, positive=positive, negative=negative, latent_image=latent, **settings)
    look(sheet)
    picture(sheet, decoder, run, "qwen_image_edit")
    sheet.column()
    report(sheet, model, run)
    sheet.say("""
## Qwen-Image-Edit in 4 steps, faster with Jano

Of 4 steps (Lightning LoRA, CFG 1) none can be left out. The two references can: they are two thirds of the
tokens, never change, and with **references** on *auto* are computed as often as they drift. Between, attention
sees them through cached keys and values. The report says at how many steps that was, and how far they had
drifted.

- *once* computes them at the first step alone: fastest, and differs most.
- With one reference, 3 steps without Jano cost as much and came out closer in our measurements: it pays from
  two on.
- Bypass the Jano node (Ctrl+B) for the edit in full, with the same seed.
""")


EDITS = (
    Template("Flux Kontext edit", "references, 24 steps", kontext, "edit"),
    Template("Flux.2 edit with references", "2 references, 20 steps", flux2, sign="edit"),
    Template(
        "Qwen-Image-Edit in 4 steps",
        "2 references, Lightning LoRA",
        qwen_edit,
        saved="references less often",
        sign="edit",
        colour="#c9a4f0",
    ),
)
