"""A decomposable graphical model of coarse cells, fitted to (noisy) marginals and sampled exactly."""
