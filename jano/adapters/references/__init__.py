"""References inside the host: which models have them, and how a call goes without them."""
