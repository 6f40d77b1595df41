"""What a run reports, how it is drawn, and how close pictures are."""
