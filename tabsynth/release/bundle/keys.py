"""Ed25519 keys in PEM files, and signatures over a manifest (RFC 8032, by the `cryptography` library)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tabsynth.errors import OutputExistsError, UsageError
from tabsynth.secrets_file import read_secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_CONTEXT = b"tabsynth release bundle 1\n"


def make_keys(private: Path, public: Path, *, passphrase: str | None = None) -> str:
    """Write a new pair of keys, and return the fingerprint of the public one.

    The private key is readable by its owner alone, and encrypted where a passphrase is given. Raises
    `OutputExistsError` where either file is there: a key is never replaced.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    secrecy = (
        form.BestAvailableEncryption(passphrase.encode()) if passphrase is not None else form.NoEncryption()
    )
    for path in (private, public):
        if path.exists():
            raise OutputExistsError(f"{path} exists already; a key is never replaced")
    _write_new(private, key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, secrecy), mode=0o600)
    _write_new(
        public,
        key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo),
        mode=0o644,
    )
    return fingerprint(key.public_key())


def is_encrypted(path: Path) -> bool:
    """Whether the private key in a file asks for a passphrase."""
    return b"ENCRYPTED" in read_secret(path)


def read_private_key(path: Path, *, passphrase: str | None = None) -> Ed25519PrivateKey:
    """The private key in a file. Raises `UsageError` where it is none, others can read it, or the passphrase is wrong."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = read_secret(path)
    secret = passphrase.encode() if passphrase is not None and b"ENCRYPTED" in content else None
    try:
        key = load_pem_private_key(content, secret)
    except TypeError:
        raise UsageError(f"{path} is encrypted: give its passphrase") from None
    except ValueError:
        why = "the passphrase is wrong, or it is damaged" if secret is not None else "not a private key (PEM)"
        raise UsageError(f"{path} cannot be read: {why}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(
            f"{path} is a key of another kind than Ed25519: make one with tabsynth release keygen"
        )
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a file; `UsageError` where it is none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = read_secret(path, is_private=False)
    if b"PRIVATE KEY" in content:
        raise UsageError(f"{path} is a private key: bundles are checked with the public one (.pub)")
    try:
        key = load_pem_public_key(content)
    except ValueError:
        raise UsageError(f"{path} cannot be read: not a public key (PEM)") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} is a key of another kind than Ed25519")
    return key


def raw(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes_raw()


def fingerprint(key: Ed25519PublicKey) -> str:
    """What two people compare: the SHA-256 of the raw key, in hexadecimal."""
    return hashlib.sha256(raw(key)).hexdigest()


def sign(key: Ed25519PrivateKey, manifest: bytes) -> bytes:
    """The signature of a manifest, 64 bytes; the same for the same key and bytes."""
    return key.sign(_CONTEXT + manifest)


def is_signed(raw_key: bytes, signature: bytes, manifest: bytes) -> bool:
    """Whether `signature` is that of `manifest` by the public key of those 32 bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(raw_key).verify(signature, _CONTEXT + manifest)
    except (InvalidSignature, ValueError):
        return False
    return True


def _write_new(path: Path, content: bytes, *, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as fault:
        raise UsageError(f"{path}: no key can be written there ({fault.strerror})") from None
