"""The second engine: the paper's. Some tokens are computed, the others are seen through cached keys and values."""
