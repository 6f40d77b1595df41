"""How a latent falls into tokens and regions, how complex these are, and the map of levels that follows."""
