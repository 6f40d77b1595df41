"""The example workflows of `workflows/`, drawn: what each holds, how it is laid out, and its card in the browser."""
