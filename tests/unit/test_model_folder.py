"""A model folder is read back whole or refused."""

import json

import numpy as np
import pytest

from tabsynth.errors import ModelFileError, OutputExistsError
from tabsynth.model_folder import FORMAT_VERSION, _digest, _json_bytes, _manifest, read_folder, write_folder


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    write_folder(path, {"engine": "e", "text": "ü🙂"}, {"a": np.arange(3), "b": np.eye(2)})
    return path


def reseal(folder):
    """New hashes, as someone who means harm would write them."""
    digests = {name: _digest((folder / name).read_bytes()) for name in ("model.json", "arrays.safetensors")}
    (folder / "manifest.json").write_bytes(_json_bytes(_manifest(digests)))


def test_what_was_written_is_read(folder):
    document, arrays = read_folder(folder)
    assert document == {"format_version": FORMAT_VERSION, "engine": "e", "text": "ü🙂"}
    assert arrays["a"].tolist() == [0, 1, 2]
    assert arrays["b"].dtype == np.float64


@pytest.mark.parametrize("name", ["model.json", "arrays.safetensors", "manifest.json"])
def test_one_changed_byte_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    for position in (0, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[position] ^= 1
        (folder / name).write_bytes(changed)
        with pytest.raises(ModelFileError):
            read_folder(folder)


@pytest.mark.parametrize("name", ["model.json", "arrays.safetensors", "manifest.json"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_folder(folder)


def test_another_version_is_refused(folder):
    document = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**document, "format_version": 99}))
    reseal(folder)
    with pytest.raises(ModelFileError, match="format version 99 is unknown"):
        read_folder(folder)


@pytest.mark.parametrize("content", [b"[1]", b"nonsense", b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(folder, content):
    (folder / "model.json").write_bytes(content)
    reseal(folder)
    with pytest.raises(ModelFileError, match="not "):
        read_folder(folder)


def test_what_is_no_safetensors_file_is_refused(folder):
    (folder / "arrays.safetensors").write_bytes(b"\x00" * 64)
    reseal(folder)
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        read_folder(folder)


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="no model folder"):
        read_folder(tmp_path / "nowhere")


def test_a_folder_that_is_there_is_kept_unless_told(folder):
    with pytest.raises(OutputExistsError):
        write_folder(folder, {}, {})
    write_folder(folder, {"engine": "other"}, {}, overwrite=True)
    assert read_folder(folder)[0]["engine"] == "other"
