"""Keys: safe files, the library's own Ed25519, and everything that is no key."""

from __future__ import annotations

import stat

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tabsynth.errors import OutputExistsError, UsageError
from tabsynth.release.bundle import keys


@pytest.fixture
def pair(tmp_path):
    found = keys.make_keys(tmp_path / "k", tmp_path / "k.pub")
    return tmp_path / "k", tmp_path / "k.pub", found


def test_a_pair_signs_and_checks_and_nobody_else_may_read_the_private_key(pair):
    private, public, found = pair
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    key, known = keys.read_private_key(private), keys.read_public_key(public)
    assert keys.fingerprint(known) == found
    assert len(found) == 64
    signature = keys.sign(key, b"manifest")
    assert signature == keys.sign(key, b"manifest")
    assert keys.is_signed(keys.raw(known), signature, b"manifest")
    assert not keys.is_signed(keys.raw(known), signature, b"manifesu")
    assert not keys.is_signed(bytes(32), signature, b"manifest")
    assert not keys.is_signed(b"short", signature, b"manifest")


def test_a_signature_is_of_a_bundle_and_of_nothing_else(pair):
    """The same key's signature of the bare bytes is none of a bundle's."""
    private, public, _ = pair
    bare = keys.read_private_key(private).sign(b"manifest")
    assert not keys.is_signed(keys.raw(keys.read_public_key(public)), bare, b"manifest")


def test_a_key_is_never_replaced(pair):
    private, public, _ = pair
    before = private.read_bytes()
    with pytest.raises(OutputExistsError):
        keys.make_keys(private, public.with_name("other.pub"))
    with pytest.raises(OutputExistsError):
        keys.make_keys(private.with_name("other"), public)
    assert private.read_bytes() == before
    assert not private.with_name("other").exists()


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path):
    keys.make_keys(tmp_path / "k", tmp_path / "k.pub", passphrase="correct horse")
    assert keys.is_encrypted(tmp_path / "k")
    assert b"ENCRYPTED" in (tmp_path / "k").read_bytes()
    keys.read_private_key(tmp_path / "k", passphrase="correct horse")
    with pytest.raises(UsageError, match="the passphrase is wrong"):
        keys.read_private_key(tmp_path / "k", passphrase="battery staple")
    with pytest.raises(UsageError, match="is encrypted"):
        keys.read_private_key(tmp_path / "k")


def test_a_key_that_others_can_read_is_refused(pair):
    private, _, _ = pair
    private.chmod(0o640)
    with pytest.raises(UsageError, match="chmod 600"):
        keys.read_private_key(private)


def test_what_is_no_key_is_refused(tmp_path, pair):
    private, public, _ = pair
    with pytest.raises(UsageError, match="is a private key"):
        keys.read_public_key(private)
    public.chmod(0o600)
    with pytest.raises(UsageError, match="not a private key"):
        keys.read_private_key(public)
    other = tmp_path / "x"
    other.write_bytes(
        x25519.X25519PrivateKey.generate().private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )
    )
    other.chmod(0o600)
    with pytest.raises(UsageError, match="another kind than Ed25519"):
        keys.read_private_key(other)
    other.write_bytes(
        x25519.X25519PrivateKey.generate()
        .public_key()
        .public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(UsageError, match="another kind than Ed25519"):
        keys.read_public_key(other)
    other.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="not a public key"):
        keys.read_public_key(other)
    with pytest.raises(UsageError, match="no key can be read"):
        keys.read_public_key(tmp_path / "absent")
    with pytest.raises(UsageError, match="is no key"):
        keys.read_public_key(tmp_path)
    with pytest.raises(UsageError, match="no key can be written"):
        keys.make_keys(tmp_path / "absent" / "k", tmp_path / "absent" / "k.pub")


def test_the_keys_are_those_of_the_standard():
    """RFC 8032, section 7.1, test 1: the public key of a known private one."""
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = keys.raw(Ed25519PrivateKey.from_private_bytes(secret).public_key()).hex()
    assert public == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
