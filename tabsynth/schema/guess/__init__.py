"""What a column seems to be, from its name and its distinct values; see `tabsynth.schema.draft`."""
