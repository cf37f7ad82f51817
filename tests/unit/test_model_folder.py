"""A model folder is read back whole or refused."""

import json
import os

import numpy as np
import pytest

from tabsynth import model_folder
from tabsynth.errors import ModelFileError, OutputExistsError
from tabsynth.model_folder import FORMAT_VERSION, read_folder, write_folder

FILES = ("model.json", "arrays.safetensors", "manifest.json")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    write_folder(path, {"engine": "e", "text": "ü🙂"}, {"a": np.arange(3), "b": np.eye(2)})
    return path


def reseal(folder, **contents):
    """New contents and new hashes, as someone who means harm would write them."""
    for name, content in contents.items():
        (folder / {"model": "model.json", "arrays": "arrays.safetensors"}[name]).write_bytes(content)
    parts = {name: (folder / name).read_bytes() for name in FILES[:2]}
    (folder / "manifest.json").write_bytes(model_folder._manifest(parts))


def document_bytes(**changes):
    return json.dumps({"format_version": FORMAT_VERSION, **changes}, indent=1).encode()


def test_what_was_written_is_read(folder):
    document, arrays = read_folder(folder)
    assert document == {"format_version": FORMAT_VERSION, "engine": "e", "text": "ü🙂"}
    assert arrays["a"].tolist() == [0, 1, 2]
    assert arrays["b"].dtype == np.float64


def test_resealed_content_is_read(folder):
    reseal(folder, model=document_bytes(engine="other"))
    assert read_folder(folder)[0]["engine"] == "other"


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    for position in (0, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[position] ^= 1
        (folder / name).write_bytes(changed)
        with pytest.raises(ModelFileError, match="altered or damaged"):
            read_folder(folder)


@pytest.mark.parametrize(
    "respelt",
    [
        lambda text: text + b"\n",
        lambda text: text.replace(b"\n", b" "),
        lambda text: text.replace(b": ", b":"),
    ],
)
def test_a_manifest_of_other_whitespace_is_refused(folder, respelt):
    path = folder / "manifest.json"
    content = path.read_bytes()
    path.write_bytes(respelt(content))
    assert json.loads(path.read_bytes()) == json.loads(content)
    with pytest.raises(ModelFileError, match=r"manifest\.json was altered"):
        read_folder(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_folder(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "replace",
    [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()],
    ids=["fifo", "link to a device", "folder"],
)
def test_what_is_no_regular_file_is_refused(folder, name, replace):
    (folder / name).unlink()
    replace(folder / name)
    with pytest.raises(ModelFileError, match="not a regular file"):
        read_folder(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_link_to_a_good_file_is_refused_too(folder, name):
    (folder / name).rename(folder / "elsewhere")
    (folder / name).symlink_to("elsewhere")
    with pytest.raises(ModelFileError, match="not a regular file"):
        read_folder(folder)


@pytest.mark.parametrize(("name", "most"), list(zip(FILES, (64 << 20, 1 << 30, 4 << 10), strict=True)))
def test_a_file_larger_than_any_model_is_refused_unread(folder, name, most):
    os.truncate(folder / name, most + 1)  # a hole: it takes no room on disk
    with pytest.raises(ModelFileError, match=f"more than {most} bytes"):
        read_folder(folder)


@pytest.mark.parametrize("name", FILES[:2])
def test_a_model_too_large_to_be_read_back_is_not_written(tmp_path, monkeypatch, name):
    monkeypatch.setitem(model_folder._MOST_BYTES, name, 50)
    with pytest.raises(ModelFileError, match=f"too large: {name} holds 50 bytes"):
        write_folder(tmp_path / "model", {"engine": "e" * 50}, {"a": np.arange(50)})
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("version", [1, 99, "2", True, 2.0, None, [2]])
def test_another_version_is_refused(folder, version):
    reseal(folder, model=json.dumps({"format_version": version}).encode())
    with pytest.raises(ModelFileError, match=r"format version .* is unknown"):
        read_folder(folder)


@pytest.mark.parametrize("content", [b"[1]", b"nonsense", b"\xff\xfe", b'{"a":' * 100_000, b"9" * 5000])
def test_what_is_no_json_object_is_refused(folder, content):
    reseal(folder, model=content)
    with pytest.raises(ModelFileError, match=r"not (JSON|a JSON object)"):
        read_folder(folder)


@pytest.mark.parametrize(
    "field",
    [
        b'"x": NaN',
        b'"x": -Infinity',
        b'"x": 1e999',
        b'"x": "\\ud800"',
        b'"x": 1,\n "x": 1',
        b'"x":  1',
        b'"x": ' + b"[" * 600 + b"]" * 600,
    ],
    ids=["nan", "infinity", "overflow", "half a surrogate", "twice", "whitespace", "deep"],
)
def test_json_that_is_not_as_it_is_written_is_refused(folder, field):
    reseal(folder, model=b'{\n "format_version": %d,\n ' % FORMAT_VERSION + field + b"\n}")
    with pytest.raises(ModelFileError, match="not in the form in which models are written"):
        read_folder(folder)


def safetensors_bytes(dtype, shape, n_bytes):
    header = json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, n_bytes]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(n_bytes)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 64,
        b"\xff" * 64,
        safetensors_bytes("F64", [3], 16),
        safetensors_bytes("BF16", [2], 4),
        safetensors_bytes("F8_E4M3", [2], 2),
        safetensors_bytes("F8_E5M2", [2], 2),
        safetensors_bytes("F64", [0, 2**62], 0),
        safetensors_bytes("F64", [0, 2**64 - 1], 0),
    ],
)
def test_what_holds_no_arrays_of_numpy_is_refused(folder, content):
    reseal(folder, arrays=content)
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["nowhere", "x" * 300])
def test_no_folder_is_refused(tmp_path, name):
    with pytest.raises(ModelFileError, match="no model folder"):
        read_folder(tmp_path / name)


def test_a_folder_that_is_there_is_kept_unless_told(folder):
    with pytest.raises(OutputExistsError):
        write_folder(folder, {}, {})
    write_folder(folder, {"engine": "other"}, {}, overwrite=True)
    assert read_folder(folder)[0]["engine"] == "other"
