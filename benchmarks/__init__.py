"""Commands that measure the product on real data."""
