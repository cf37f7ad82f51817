"""Bundles: what a partner gets, signed, and how it is checked and opened.

Text, keys and the zip are of this package; a bundle's parts are plain files that other tools read.
"""
