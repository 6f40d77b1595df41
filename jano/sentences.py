"""Every sentence that a user can meet in a run, in English, by its key.

A sentence is text to everyone but the page, which is told its key and values too and speaks it in the reader's language
(web/words/). A value is text, a number, another sentence, or a list of them, whose format is what stands between two.
Keys are never used for another sense: runs that were saved long ago have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from string import Formatter

CATALOGUE = {
    # why a run is native, as what follows "because"
    "unknown_sampling": "{model} is sampled in a way that Jano does not know (supported: flow, eps, v and EDM models)",
    "no_pictures": "the latent is neither pictures nor video",
    "too_few_steps": "{steps} steps are too few to gain by with {sampler} (qualities begin at {fewest} steps)",
    "this_sampler": "this sampler",
    "no_steps": "the run has no steps",
    "own_steps": "the sampler {sampler} chooses its own steps (any sampler with fixed steps works)",
    "rising_sigmas": "the sigmas do not only fall (unsampling or restarts)",
    "high_sigmas": "the sigmas start at {sigma:.1f}, above the 1 of pure noise in a flow model",
    "close_steps": "two steps lie so close together that they cannot be told apart (use fewer steps, or another "
    "scheduler)",
    "other_cache": "{cache} is on the same model (remove one of the two)",
    "nunchaku_cache": "nunchaku's cache (cache_threshold above 0)",
    "no_room": "{steps} steps leave nothing between {warmup} steps of warm-up and {cooldown} of cool-down; use more "
    "steps",
    "map_of_another_size": "the level map is for {theirs} latent cells (frames, height, width) in tokens of "
    "{their_patch}, but this latent has {ours} in tokens of {our_patch}; use a map made at this size with this model",
    "no_map": "the sampler evaluated too few of the first steps to draw a level map",
    "not_finite": "the model predicted values that are not finite numbers",
    "nothing_saved": "no step could be forecast within this quality's tolerance",
    "nothing_saved_of_noise": "the sampler adds noise of its own at every step, so that no step could be forecast "
    "within this quality's tolerance",
    "nothing_asked": "a target_speedup this close to 1 leaves no step out",
    "nothing_frozen": "no token was to be left out (every level in this picture is computed at every step)",
    "always_new": "another node asks the model something new at every step, so that nothing could be forecast",
    "went_back": "the sampler goes back to earlier noise levels, and nothing can be forecast across such a jump",
    "sampler_in_parts": "the sampler evaluates parts of the latent",
    "node_in_parts": "another node evaluates parts of the latent",
    "no_jano_node": "no Jano node stands before this MODEL, or it is bypassed",
    "no_such_run": "none of the last runs on this MODEL produced this latent; connect the sampler's own LATENT output",
    # the same of calls and intervals by level
    "compiled": "the model is compiled",
    "in_windows": "context windows are on",
    "over_devices": "the model is split over several GPUs",
    "not_by_level": "{split}, which intervals by level do not allow (quality presets do)",
    "unknown_class_by_level": "intervals by level need a model class that Jano knows ({known}), not {model}; a quality "
    "preset, or a target_speedup, works on every model",
    "patched_blocks": "another node patches attention inside the blocks",
    "part_of_the_latent": "a conditioning covers only part of the latent (area or window)",
    "own_batches": "another node calls the model with batches of its own",
    "no_sides": "another node calls the model without telling the sides of the guidance (cond_or_uncond)",
    "another_latent": "another node asks about a latent of its own",
    "asked_twice": "another node asks the same thing twice",
    "calls_by_itself": "another node calls the transformer by itself",
    "answered_instead": "another node answered in place of the transformer",
    "odd_length": "a block got {got} image tokens where {expected} or more were expected",
    "odd_ranges": "the model modulates token ranges {ranges} that are not known here",
    "odd_attentions": "a block called the host's attention {got} times and not {expected} (another node replaces it, "
    "or cuts it into parts)",
    "odd_arguments": "{block} is called with something else than Jano knows ({error})",
    "odd_output": "{block} returns something else than Jano knows ({error})",
    "odd_cache": "a block's keys and values do not fit those that were kept (it may have been left out)",
    # what else the user should know of a run
    "little_saved_of_noise": "the sampler adds noise of its own at every step, so that few steps could be forecast",
    "target_out_of_reach": "target_speedup {speedup:g} would leave {budget} of {steps} steps, but {always} are always "
    "computed",
    "no_step_forecast": "no step is forecast: {reason}",
    # what to try, behind any of these
    "with_hints": "{told} ({hints:; })",
    "hint_other_sampler": "try euler or uni_pc",
    "hint_fast_and_draft": "fast and draft tolerate more",
    "hint_draft": "draft tolerates more",
    # references of an edit
    "references_every_step": "references are computed at every step: {reason}",
    "references_every_step_where": "references are computed at every step where {reason}",
    "references_every_computed_step": "references are computed at every computed step: at this quality a run of this "
    "length comes closer by leaving out whole steps (fast and draft do both)",
    "references_not_by_level": "intervals by level leave out tokens of the picture alone (quality presets can leave "
    "out references)",
    "unknown_class_of_references": "leaving them out needs a model class that Jano knows ({known}), not {model}",
    "no_time_zero": "{model} cannot be told to have them at time zero, which isolated references need",
    "kept_by_flux_kv_cache": "FluxKVCache is on the same model and keeps them in its own way (remove one of the two)",
    "kept_by_the_host": "ComfyUI itself keeps what never changes in {model}, and Jano leaves that alone",
    "frames_of_an_earlier_clip": "frames of an earlier clip stand behind them",
    "times_of_frames": "each frame has a time of its own, and the model shares those out over the references too",
    "patches_see_references": "another node's patch inside the model is told of the references among its tokens",
    "references_of_another_size": "they are not as large as the clip's frames",
    "no_memory_by_level": "there is not enough memory to keep the keys and values of all tokens",
    "no_memory_for_references": "there is not enough memory to keep their keys and values",
    "odd_blocks": "the model's blocks do not call the host's attention as Jano knows it",
    "odd_length_of_references": "a block got {got} tokens where {expected} are references",
    "odd_positions": "the model places its tokens in another way than with its references",
    "odd_mask": "an attention mask has {columns} columns for {tokens} tokens",
    "references_left_out": "{tokens} reference tokens computed in {computed} of {steps} steps ({policy}), else seen "
    "through {mib:.0f} MiB of keys and values{drifted}",
    "references_drift_too_far": "at this quality references drift too far to be left out of a step of this run",
    "references_drifted": ", which had drifted by {drift} at most",
    "references_not_compared": ", whose drift was not measured",
    # numbers as people write them
    "times_rounded": "{times}x",
    "seconds": "{seconds} s",
    "minutes": "{minutes} min {seconds} s",
    "hours": "{hours} h {minutes} min",
    "per_cent": "{share} %",
    "under_a_thousandth": "under 0.1 %",
    "over_99_per_cent": "over 99 %",
    "several": "{parts:; }",
    "listed": "{parts:, }",
    # a run in a few words
    "accelerated": "accelerated",
    "not_accelerated": "not accelerated",
    "only_analysed": "analysed, nothing left out",
    "no_run": "no run to report",
    "faster": "{times} faster",
    "faster_by": "{times} faster, saved {saved}",
    "as_fast": "about as fast as in full",
    "slower": "slower than in full",
    "slower_by": "slower than in full, by {lost}",
    "estimated": "estimated from this run's full steps",
    "with_basis": "{told} ({basis})",
    "steps_computed": "{full} of {all} steps computed",
    "steps_in_full": "{full} of {all} steps computed in full",
    "steps_without_references": "{count} without references",
    "steps_in_part": "{count} in part",
    "steps_forecast": "{count} forecast",
    "of_the_compute": "{told} ({share} of the compute)",
    "risk_hard_to_see": "hard to see",
    "risk_details": "details may move",
    "risk_composition": "composition may change",
    # the run in one line
    "run": "Jano: {told}.{remarks:}",
    "run_with_reason": "Jano: {told}: {reason}.",
    "run_because": "Jano: {told} because {reason}.",
    "remark": " {name}: {told}.",
    # the table of a run
    "row_result": "Result",
    "row_because": "Because",
    "row_steps": "Steps",
    "row_risk": "Risk",
    "row_time": "Time",
    "row_model": "Model",
    "row_tokens": "Image tokens",
    "row_references": "References",
    "row_kept": "Kept in memory",
    "row_partly": "Partly not accelerated, because",
    "row_note": "Note",
    "row_advice": "Advice",
    "row_saved": "Saved",
    "row_not_saved": "Not saved",
    "saved_as": "{file} and a line in {table}, in the output folder",
    "saved_without_line": "{file}, in the output folder; no line in {table} ({reason})",
    "time_taken": "{seconds} of sampling",
    "time_against_full": "{seconds} of sampling, in full about {full}",
    "mebibytes": "{mib:.1f} MiB",
    # what would help
    "advise_balanced": "quality balanced would most likely look the same, and compute less",
    "advise_fast": "quality fast is much closer to the run in full",
    "advise_references": "references on auto would leave the reference pictures out of many steps",
    "advise_sampler": "euler or uni_pc would leave out more steps: {sampler} adds noise of its own at every step",
    "advise_closer_sampler": "euler or uni_pc would come closer to the run in full at this speed: {sampler} adds noise "
    "of its own at every step",
    "advise_longer": "{more} steps would cost little more: about {fewest} to {most} of them would be computed",
    # the table of a comparison
    "row_verdict": "Verdict",
    "same_picture": "the same picture",
    "hard_to_see": "hard to see",
    "small_details_moved": "small details moved",
    "details_moved": "details moved",
    "composition_changed": "composition changed",
    "verdict_at_worst": "{usual}; {worst} at worst (picture {frame})",
    "row_psnr": "PSNR",
    "row_ssim": "SSIM",
    "row_largest": "Largest difference",
    "row_lpips": "LPIPS (AlexNet)",
    "decibels": "{value:.2f} dB",
    "four_digits": "{value:.4f}",
    "of_full_range": "{share} of the range",
    "equal_pictures": "infinite: the pictures are equal",
    "over_frames": "{mean} on average over {frames} pictures{equal}, {worst} at worst (picture {frame})",
    "equal_frames": " ({count} more are equal)",
    "too_small": "not computed: smaller than {pixels} pixels",
    "unusable_lpips": "not computed: {complaint}",
    "unreadable_lpips": "not computed: models/{file} cannot be read ({error}); make it anew",
    "lacking_lpips": "models/{file} lacks {name}; save lpips.LPIPS(net='alex') into it as safetensors",
    "odd_lpips": "{name} in models/{file} has the shape {shape}, not {expected}; save lpips.LPIPS(net='alex') into it "
    "as safetensors",
    "infinite_lpips": "{name} in models/{file} holds values that are not finite; save lpips.LPIPS(net='alex') into it "
    "as safetensors",
    # the table of a sweep
    "heading_seconds": "Seconds",
    "heading_factor": "Factor",
    "heading_computed": "Computed",
    "tenths_of_seconds": "{seconds:.1f} s",
    "times": "{times:.2f}x",
    "tenths_of_decibels": "{value:.1f} dB",
    "equal": "equal",
    "no_picture": "no picture: {reason}",
    "not_accelerated_because": "not accelerated because {reason}",
    "out_of_memory": "out of memory",
    "not_finite_picture": "it holds values that are not finite numbers",
    "stacked": "the Jano node before this one is left out: full is sampled without it, and each quality in its place",
    # the table of two decoders
    "row_speed": "Speed",
    "row_weights": "Weights",
    "row_memory": "Memory while decoding",
    "times_as_fast": "{times:.1f} times as fast: {fast:.2f} s instead of {reference:.2f} s, each timed once after a "
    "warm-up",
    "megabytes_instead": "{fast:.1f} MB instead of {reference:.1f} MB",
    "memory_instead": "{fast:.0f} MB instead of {reference:.0f} MB of the GPU",
    "memory_unknown": "not measured: on a CPU",
}


class Sentence(str):
    """English text that knows its `key` in the catalogue, and the values that were put into it."""

    def __new__(cls, text: str, key: str = "", values: Mapping[str, object] | None = None) -> Sentence:
        made = super().__new__(cls, text)
        made.key, made.values = key, values or {}
        return made


class Template(Formatter):
    """Formats as `str.format` does, and lists with their format between two."""

    def format_field(self, value: object, spec: str) -> str:
        return spec.join(map(str, value)) if isinstance(value, list) else super().format_field(value, spec)


def say(key: str, **values: object) -> Sentence:
    """The sentence of the catalogue with these values in it."""
    return Sentence(Template().vformat(CATALOGUE[key], (), values), key, values)


def with_hints(told: Sentence, *hints: str) -> Sentence:
    """A sentence and, behind it, what to try; empty hints are none."""
    given = [hint for hint in hints if hint]
    return say("with_hints", told=told, hints=given) if given else told


def spoken(told: object) -> object:
    """A sentence as JSON for the page: its text with its key and values, for another language; other values as they
    are."""
    if isinstance(told, Sentence) and told.key:
        return {"text": str(told), "key": told.key, "values": {name: spoken(of) for name, of in told.values.items()}}
    if isinstance(told, list):
        return [spoken(of) for of in told]
    return str(told) if isinstance(told, float) and not isfinite(told) else told
