"""A bed without training: the posterior mean of a set of real pictures, patch by patch, as a model of the host."""
