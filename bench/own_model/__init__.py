"""A user's own model, from its files to a sheet of pictures: what `bench/run.py mine` is made of."""
