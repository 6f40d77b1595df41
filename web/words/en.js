export default {
  "view": {
    "waiting": "The run appears here while sampling.",
    "waiting_analyzer": "Runs appear here or on the Accelerator.",
    "step": "step {step} of {count}",
    "computed": "{share} of the compute",
    "faster": "{times} faster (estimated)",
    "numbers": {
      "times": "{times}x",
      "seconds": "{seconds} s",
      "minutes": "{minutes} min {seconds} s",
      "hours": "{hours} h {minutes} min",
      "per_cent": "{share} %",
      "under": "under 0.1 %",
      "over": "over 99 %"
    },
    "headline": {
      "native": "not accelerated",
      "analysed": "analysed, nothing left out",
      "accelerated": "accelerated",
      "faster": "{times} faster",
      "faster_by": "{times} faster, saved {saved}",
      "level": "about as fast as in full",
      "slower": "slower than in full",
      "slower_by": "slower than in full, by {lost}",
      "computed": "{full} of {all} steps computed",
      "computed_in_full": "{full} of {all} steps computed in full",
      "in_part": "{count} in part",
      "without_references": "{count} without references",
      "forecast": "{count} forecast",
      "drifted": "references drifted by {share} at most",
      "not_compared": "drift of the references not measured",
      "of_the_compute": "{steps} ({share} of the compute)",
      "risks": {
        "hard_to_see": "hard to see",
        "details": "details may move",
        "composition": "composition may change"
      },
      "estimated": "estimated from this run's full steps",
      "measured": "measured: {own} with Jano, {full} in full",
      "with_basis": "{told} ({basis})",
      "partly": "Partly not accelerated, because",
      "note": "Note",
      "advice": "Advice",
      "session": "This session: {runs} runs, about {saved} saved.",
      "between_steps": ", ",
      "between": "; ",
      "sentence": "{text}.",
      "remark": "{name}: {told}."
    },
    "kinds": {
      "full": "computed",
      "store": "store",
      "moderate": "in moderate and active regions",
      "active": "in active regions only",
      "picture": "without references",
      "skipped": "forecast"
    },
    "past": "Last run with Jano; this node is {mode}",
    "past_quality": "Last run: quality {quality}",
    "modes": { "2": "muted", "4": "bypassed" },
    "map": {
      "alt": "Map over the picture",
      "picture": "Picture of the run",
      "scale": "error in the picture",
      "largest": "at most {share} of the picture's strength, {place}",
      "none": "below 1 % of the picture's strength everywhere",
      "places": {
        "0": "top left",
        "1": "top",
        "2": "top right",
        "3": "left",
        "4": "in the middle",
        "5": "right",
        "6": "bottom left",
        "7": "bottom",
        "8": "bottom right"
      },
      "levels": { "static": "static", "moderate": "moderate", "active": "active" },
      "share": "{name} {share}",
      "left_out": "dark: not computed at this step"
    },
    "clip": {
      "frame": "latent frame {frame} of {count}",
      "frames": "Latent frames of the clip",
      "play": "Play the clip",
      "pause": "Pause",
      "next": "Next frame"
    },
    "strip": {
      "steps": "Steps of the run: choose one to see what it did",
      "whole": "whole run",
      "short": "step {step}: {kind}",
      "moved": "off by {share} of the picture's strength, measured at step {step}",
      "tokens": "{share} of the tokens computed",
      "cells": {
        "full": "computed",
        "store": "computed and kept",
        "picture": "without references",
        "moderate": "in moderate and active regions",
        "active": "in active regions only",
        "skipped": "forecast"
      }
    },
    "chart": {
      "alt": "Steps of the run as a chart",
      "seconds": "seconds per step",
      "cost": "error of the forecasts before repair, of the picture's strength",
      "tolerance": "tolerance",
      "cost_was": "its forecasts were off by {share} of the picture's strength"
    },
    "compare": {
      "reference": "reference",
      "image": "image",
      "slider": "Line between the reference and the image",
      "place": "{reference} {share} %, {image} {rest} %",
      "frame": "picture {frame}",
      "worst": "picture {frame}, the worst",
      "frames": "Pictures of the batch or clip"
    },
    "table": {
      "copy": "Copy table",
      "copied": "Copied",
      "not_copied": "Not allowed here: select the rows instead",
      "waiting": "The table appears here after the next run."
    }
  },
  "sentences": {
    "run_stopped": "stopped: step {step} of {count}"
  }
};
