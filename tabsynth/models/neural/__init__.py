"""Generators trained with torch; fitted ones need numpy alone."""
