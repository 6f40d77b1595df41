export default {
  "view": {
    "waiting": "The level map appears here while sampling.",
    "step": "step {step} of {count}",
    "computed": "{share:.0%} computed",
    "faster": "{times:.2f}× faster",
    "levels": { "1": "static", "2": "moderate", "3": "active" },
    "kinds": {
      "full": "full",
      "store": "store",
      "moderate": "moderate",
      "active": "active",
      "picture": "without references",
      "skipped": "skipped"
    },
    "share": "{name} {share:.0%}",
    "left_out": "dark: not computed at this step",
    "frame": "frame {frame} of {count}",
    "steps": "Steps of the run: choose one to see what it computed",
    "frames": "Frames of the clip",
    "past": "Last run with Jano; this node is {mode}",
    "modes": { "2": "muted", "4": "bypassed" }
  },
  "sentences": {
    "run_stopped": "stopped: step {step} of {count}"
  }
};
