"""Stored models taken apart, for tests that change a part and expect a refusal."""

from tabsynth.model_folder import read_folder


def parts_of(pipeline, folder):
    """The document, without its version, and the arrays of a model saved in this new folder."""
    pipeline.save(folder)
    document, arrays = read_folder(folder)
    document.pop("format_version")
    return document, arrays


def put(index, value):
    """A change of an array: this value at this index."""

    def change(array):
        changed = array.copy()
        changed[index] = value
        return changed

    return change
