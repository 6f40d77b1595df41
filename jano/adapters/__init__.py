"""Where Jano meets ComfyUI: sampling, attention, and one file per model family."""
