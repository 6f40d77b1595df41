"""Where steps that compute a part of the tokens reach into the host's transformers."""
