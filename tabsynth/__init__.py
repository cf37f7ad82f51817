"""Privacy-first synthetic tables."""
