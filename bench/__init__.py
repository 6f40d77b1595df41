"""Speed and quality measurements: `make bench`, or `python bench/run.py [speed] [attention] [scores] [quality]`."""
