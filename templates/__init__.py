"""The workflows of `example_workflows/`, drawn: what each holds, its layout, and its card in the template browser."""
