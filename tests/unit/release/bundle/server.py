"""A PostgreSQL server of our own for the tests that need one, where one can be started."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def _binaries() -> Path | None:
    """The folder of a server's programs: Debian's newest, or where `initdb` of the path lies."""
    if os.name != "posix" or shutil.which("psql") is None:
        return None
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = debian[-1] if debian else shutil.which("initdb")
    return None if found is None else Path(found).parent


def socket_folder() -> Path:
    """Where the server's socket lies: short, as a socket's path has 107 bytes."""
    return Path("/tmp") / f"tabsynth-postgres-{os.getpid()}"


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL of our own on a socket in a folder; gives what runs a file in it."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server (psql and initdb) on this machine")
    folder = socket_folder()
    folder.mkdir()
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if user is not None:
        shutil.chown(folder, user)

    def command(*args, **more):
        return subprocess.run(
            [str(arg) for arg in args],
            user=user,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            **more,
        )

    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    made = command(binaries / "initdb", "-D", folder / "data", "-A", "trust", "-E", "UTF8", env=environment)
    start = ("-o", f"-c listen_addresses='' -k {folder}", "-l", folder / "log", "-w", "start")
    began = (
        command(binaries / "pg_ctl", "-D", folder / "data", *start, env=environment)
        if not made.returncode
        else made
    )
    if began.returncode:
        shutil.rmtree(folder)
        pytest.skip(f"PostgreSQL does not start here: {began.stderr[-200:]}")
    try:
        yield lambda *args, cwd=None: command(
            "psql",
            "-X",
            "-h",
            folder,
            "-d",
            "postgres",
            "-v",
            "ON_ERROR_STOP=1",
            "-At",
            *args,
            cwd=cwd,
            env=environment,
        )
    finally:
        command(binaries / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop", env=environment)
        shutil.rmtree(folder, ignore_errors=True)
