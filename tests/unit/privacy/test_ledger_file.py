"""The ledger file under kills, locks, copies, cuts and full disks; processes and files are real ones."""

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from tabsynth.errors import OutputExistsError, PrivacyError, UsageError
from tabsynth.privacy import Budget, Charge
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.ledger import copy_from_data, copy_to_data
from tabsynth.privacy.ledger_file import create_ledger_file, open_ledger_file, read_ledger_file
from tabsynth.privacy.mechanisms import DiscreteGaussian

NOISE = DiscreteGaussian(scale=20.0)  # three of them take about ε = .37 at δ = 1e-6
CAP = Budget(epsilon=0.37, delta=1e-6)
ENTRY = Charge(statistic="s", columns=("a",), mechanism=NOISE)


@pytest.fixture
def path(tmp_path):
    create_ledger_file(tmp_path / "ledger", source="admissions", cap=CAP)
    return tmp_path / "ledger"


def opened(path, **options):
    return open_ledger_file(path, source="admissions", **options)


def charged(path, times=1):
    with opened(path) as ledger:
        for _ in range(times):
            ledger.charge("s", ("a",), NOISE)
    return path


def entries(path):
    return [charge for _, charge in read_ledger_file(path).charges]


def python(code, *arguments, **options):
    """Run a program in another process, with the ledger's path as its first argument."""
    start = "import os, signal, sys\nfrom tabsynth.privacy.ledger_file import open_ledger_file\nfrom tabsynth.privacy.mechanisms import DiscreteGaussian\n"
    return subprocess.Popen(
        [sys.executable, "-c", start + textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def outcome(process):
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


# A series


def test_a_series_goes_on_from_fit_to_fit_up_to_its_cap(path):
    with opened(path) as ledger:
        assert (ledger.former, ledger.cap, ledger.source) == ((), CAP, "admissions")
        ledger.charge("s", ["a"], NOISE)
        assert entries(path) == [ENTRY]  # on disk before charge returns
        ledger.charge("s", ["a"], NOISE)
    with opened(path) as ledger:
        assert (ledger.former, ledger.charges) == ((ENTRY, ENTRY), ())
        ledger.charge("s", ["a"], NOISE)
        assert ledger.epsilon(1e-6) == epsilon_of([NOISE] * 3, 1e-6)
        size = path.stat().st_size
        with pytest.raises(PrivacyError, match=r"about ε = 0\.1\d* is left; nothing was released"):
            ledger.charge("s", ["a"], NOISE)
        assert path.stat().st_size == size
    record = read_ledger_file(path)
    assert [fit for fit, _ in record.charges] == [1, 1, 2]
    assert (record.source, record.cap, len(record.heads)) == ("admissions", CAP, 4)


def test_a_plan_that_does_not_fit_is_refused_with_nothing_written(path):
    before = path.read_bytes()
    with opened(path) as ledger:
        with pytest.raises(PrivacyError, match="does not allow it"):
            ledger.reserve([DiscreteGaussian(scale=20.0, count=4)])
        ledger.reserve([DiscreteGaussian(scale=20.0, count=3)])
        assert path.read_bytes() == before
        ledger.charge("s", ["a"], DiscreteGaussian(scale=20.0, count=2))
    assert [charge.mechanism.count for charge in entries(path)] == [2]  # what a fit did not use is free again


def test_a_fit_that_fails_stays_charged(path):
    with pytest.raises(ZeroDivisionError), opened(path) as ledger:
        ledger.charge("s", ["a"], NOISE), 1 / 0
    assert entries(path) == [ENTRY]


def test_a_closed_ledger_takes_no_charge(path):
    with opened(path) as ledger:
        pass
    ledger.close()
    with pytest.raises(PrivacyError, match="the ledger is closed; nothing was released"):
        ledger.charge("s", (), NOISE)
    assert entries(path) == []


def test_the_charge_is_forced_to_the_disk_before_its_count_and_both_before_charge_returns(path, monkeypatch):
    forced, to_disk = [], os.fsync

    def watched(descriptor):
        to_disk(descriptor)
        forced.append(lines_of(path))

    with opened(path) as ledger:
        monkeypatch.setattr(os, "fsync", watched)
        ledger.charge("s", ["a"], NOISE)
        first, second = forced
    assert [len(first), len(second)] == [2, 2]
    assert b'"000000000000"' in first[0]
    assert b'"000000000001"' in second[0]
    assert second == lines_of(path)


def test_a_ledger_belongs_to_its_owner(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# Processes


def test_two_fits_at_once(path):
    other = python(
        """
        with open_ledger_file(sys.argv[1], source="admissions") as ledger:
            ledger.charge("s", ["a"], DiscreteGaussian(scale=20.0))
            print("open", flush=True)
            sys.stdin.readline()
        """,
        path,
    )
    assert other.stdout.readline() == "open\n"
    with pytest.raises(PrivacyError, match=f"{path}: another fit has the ledger open"):
        opened(path)
    assert entries(path) == [ENTRY]  # reading needs no lock
    assert outcome(other)[0] == 0
    with opened(path) as ledger:
        assert ledger.former == (ENTRY,)
        with pytest.raises(PrivacyError, match="another fit"):  # nor twice in one process
            opened(path)


def test_a_kill_between_charge_and_noise_leaves_the_charge_and_no_lock(path):
    process = python(
        """
        ledger = open_ledger_file(sys.argv[1], source="admissions")
        ledger.charge("s", ["a"], DiscreteGaussian(scale=20.0))
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        path,
    )
    assert outcome(process)[0] == -signal.SIGKILL
    with opened(path) as ledger:
        assert ledger.former == (ENTRY,)


def test_kills_at_any_time_lose_no_charge_that_was_acknowledged(tmp_path):
    create_ledger_file(tmp_path / "ledger", source="admissions", cap=Budget(epsilon=100.0))
    acknowledged = 0
    for _ in range(2):
        process = python(
            """
            ledger = open_ledger_file(sys.argv[1], source="admissions")
            ledger.reserve([DiscreteGaussian(scale=2000.0, count=10_000)])
            while True:
                ledger.charge("s", ["a"], DiscreteGaussian(scale=2000.0))
                print("charged", flush=True)
            """,
            tmp_path / "ledger",
        )
        for _ in range(5):
            process.stdout.readline()
        process.kill()
        acknowledged += 5 + process.stdout.read().count("charged")
        outcome(process)
    assert acknowledged <= len(entries(tmp_path / "ledger")) <= acknowledged + 3
    opened(tmp_path / "ledger").close()


def test_a_full_disk_releases_nothing_and_leaves_the_ledger_sound(path):
    charged(path)
    before = path.read_bytes()
    process = python(
        """
        import resource
        size = os.path.getsize(sys.argv[1]) + 100
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        with open_ledger_file(sys.argv[1], source="admissions") as ledger:
            for _ in range(2):
                try:
                    ledger.charge("s", ["a"], DiscreteGaussian(scale=20.0))
                except Exception as fault:
                    print(type(fault).__name__, fault)
            print(len(ledger.charges))
        """,
        path,
    )
    _, output, errors = outcome(process)
    first, second, n_charges = output.splitlines() or [errors]
    assert first.startswith("PrivacyError")
    assert "cannot be written (File too large); nothing was released" in first
    assert second.endswith("the ledger is closed; nothing was released")
    assert n_charges == "0"
    assert path.read_bytes() == before
    with opened(path) as ledger:
        assert ledger.former == (ENTRY,)


def test_no_ledger_is_left_where_none_could_be_made(tmp_path):
    process = python(
        """
        import resource
        from tabsynth.privacy import Budget
        from tabsynth.privacy.ledger_file import create_ledger_file
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        create_ledger_file(sys.argv[1], source="admissions", cap=Budget(epsilon=1.0))
        """,
        tmp_path / "ledger",
    )
    assert "UsageError" in outcome(process)[2]
    assert list(tmp_path.iterdir()) == []


# Damage


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


def rewrite(path, content):
    """Change the content and keep the file, as an editor in place would."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


def test_a_byte_changed_anywhere_is_noticed(path):
    content = charged(path, 2).read_bytes()
    for position in {*range(0, len(content), 11), *range(21), len(content) - 1} - {
        21
    }:  # 21: an uncounted line
        changed = bytearray(content)
        changed[position] = ord("1") if changed[position] != ord("1") else ord("2")
        rewrite(path, bytes(changed))
        with pytest.raises(PrivacyError):
            opened(path)
    rewrite(path, content)
    opened(path).close()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda lines: lines[:-1], "cut short: 3 lines were written after the first, 2 are left"),
        (lambda lines: lines[:1], "cut short: 3 lines were written after the first, 0 are left"),
        (lambda lines: [*lines[:-1], lines[-1][:-20]], "cut short"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3 of the ledger was altered"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "line 2 of the ledger was altered"),
        (lambda lines: [*lines, lines[-1]], "line 5 of the ledger was altered"),
        (lambda lines: [*lines, lines[0]], "line 5 of the ledger was altered"),
        (lambda lines: [*lines, b"[" * 100_000 + b"\n"], "line 5 of the ledger was altered"),
        (lambda lines: [*lines, b"\xff\n"], "line 5 of the ledger was altered"),
        (lambda lines: [*lines, b"\n"], "line 5 of the ledger was altered"),
        (lambda lines: [lines[0].replace(b":", b": ", 2), *lines[1:]], "is no ledger"),
        (lambda lines: [lines[0].replace(b"}", b" }"), *lines[1:]], "line 1 of the ledger was altered"),
        (
            lambda lines: [lines[0].replace(b"000000000003", b"           3"), *lines[1:]],
            "line 1 of the ledger",
        ),
        (lambda _: [], "is no ledger"),
        (lambda lines: lines[1:], "is no ledger"),
        (lambda lines: [lines[0][:-5]], "is no ledger"),
    ],
)
def test_lines_that_are_gone_or_moved_are_noticed(path, change, fault):
    rewrite(path, b"".join(change(lines_of(charged(path, 3)))))
    for read in (opened, read_ledger_file):
        with pytest.raises(PrivacyError, match=fault):
            read(path)


def forged(lines):
    """The lines with hashes that fit them again, as somebody who means it would write them."""
    from tabsynth.privacy.ledger_lines import hash_of

    head, found = "", []
    for line in lines:
        content = {name: value for name, value in line.items() if name not in ("hash", "lines")}
        head = hash_of(head, content)
        found.append(json.dumps({**line, "hash": head}, separators=(",", ":")) + "\n")
    return "".join(found).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda first, _: first.update(kind="tabsynth ledger 2"),
        lambda first, _: first.update(more=1),
        lambda first, _: first.update(source=1),
        lambda first, _: first.update(cap={"epsilon": 1.0}),
        lambda first, _: first.update(cap={"epsilon": 1.0, "delta": 0.0}),
        lambda first, _: first.update(inode="1"),
        lambda first, _: first.update(born="1"),
        lambda first, _: first.update(born=-1),
        lambda first, _: first.update(lines=1),
        lambda first, _: first.update(lines="1"),
        lambda first, _: first.update(series=None),
        lambda _, second: second.update(fit=-1),
        lambda _, second: second.update(fit=1.0),
        lambda _, second: second.update(charge={}),
        lambda _, second: second.update(lines="000000000001"),
        lambda _, second: second.update(more=1),
        lambda _, second: second["charge"]["mechanism"].update(scale=0.0),
    ],
)
def test_sound_hashes_over_something_else_are_refused(path, change):
    lines = [json.loads(line) for line in lines_of(charged(path))]
    rewrite(path, forged(lines))
    opened(path).close()
    change(*lines)
    rewrite(path, forged(lines))
    with pytest.raises(PrivacyError, match=r"was altered or damaged|is no ledger"):
        opened(path)


def test_a_line_that_a_power_cut_left_incomplete_is_noted(path):
    before = charged(path).read_bytes()
    torn = b'{"fit":2,"charge":{"statistic"'
    rewrite(path, before + torn)
    assert entries(path) == [ENTRY]
    with opened(path) as ledger:
        assert ledger.former == (ENTRY,)
        ledger.charge("s", ["a"], NOISE)
    *_, note, last = [json.loads(line) for line in lines_of(path)]
    assert note["torn"] == len(torn)
    assert last["fit"] == 2
    assert path.read_bytes()[:10] == before[:10]
    assert entries(path) == [ENTRY, ENTRY]


def test_a_line_that_was_written_but_not_yet_counted_stands(path):
    earlier = lines_of(charged(path))[0]
    lines = lines_of(charged(path))
    rewrite(path, b"".join([earlier, *lines[1:]]))
    assert b'"000000000001"' in earlier
    with opened(path) as ledger:
        assert ledger.former == (ENTRY, ENTRY)
        ledger.charge("s", ["a"], NOISE)
    assert b'"000000000003"' in lines_of(path)[0]
    rewrite(path, b"".join([earlier, *lines_of(path)[1:]]))
    with pytest.raises(PrivacyError, match="more lines than were ever acknowledged"):
        opened(path)


@pytest.mark.parametrize("change", ["replaced", "removed", "written to"])
def test_a_file_that_changes_under_a_fit_is_noticed(path, tmp_path, change):
    content = path.read_bytes()
    with opened(path) as ledger:
        ledger.charge("s", ["a"], NOISE)
        if change == "written to":
            rewrite(path, path.read_bytes() + b"x")
        else:
            path.unlink()
        if change == "replaced":
            (tmp_path / "other").write_bytes(content)
            (tmp_path / "other").rename(path)
        match = "written to while" if change == "written to" else "removed or replaced while"
        with pytest.raises(PrivacyError, match=f"{match} it was open; nothing was released"):
            ledger.charge("s", ["a"], NOISE)
        with pytest.raises(PrivacyError, match="closed"):
            ledger.charge("s", ["a"], NOISE)
        assert len(ledger.charges) == 1


# Copies


def test_a_copied_file_is_refused_and_a_moved_one_says_so(path, tmp_path):
    charged(path)
    (tmp_path / "copy").write_bytes(path.read_bytes())
    with pytest.raises(PrivacyError, match="is a copy of a ledger: continue the original"):
        opened(tmp_path / "copy")
    with opened(tmp_path / "copy", moved=True) as ledger:
        ledger.charge("s", ["a"], NOISE)
    opened(tmp_path / "copy").close()  # it is the original now
    assert json.loads(lines_of(tmp_path / "copy")[2])["inode"] == (tmp_path / "copy").stat().st_ino
    path.rename(tmp_path / "renamed")  # the same file under another name is no copy
    opened(tmp_path / "renamed").close()
    opened(tmp_path / "renamed", moved=True).close()
    assert len(lines_of(tmp_path / "renamed")) == 2


def test_a_copy_that_is_given_the_number_of_a_deleted_ledger_is_refused(path):
    """Numbers of deleted files are given anew, so a copy in a ledger's place may have its number: it was made later."""
    lines = [json.loads(line) for line in lines_of(charged(path))]
    if lines[0]["born"] is None:
        pytest.skip("the file system does not say when a file was made")
    lines[0]["born"] -= 1  # as in a file that was made before this one
    rewrite(path, forged(lines))
    with pytest.raises(PrivacyError, match="is a copy of a ledger"):
        opened(path)
    opened(path, moved=True).close()
    opened(path).close()


@pytest.mark.parametrize("born", [{}, {"born": None}])
def test_a_ledger_that_tells_no_time_is_known_by_its_number(path, tmp_path, born):
    """One of an earlier release, or on a file system that tells none."""
    lines = [json.loads(line) for line in lines_of(charged(path))]
    del lines[0]["born"]
    hashed = lines[0].pop("hash")
    lines[0].update(born, hash=hashed)
    rewrite(path, forged(lines))
    opened(path).close()
    (tmp_path / "copy").write_bytes(path.read_bytes())
    with pytest.raises(PrivacyError, match="is a copy of a ledger"):
        opened(tmp_path / "copy")


def test_where_no_time_is_told_a_ledger_is_kept_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("tabsynth.privacy.ledger_disk.ctypes.CDLL", lambda _name: None)
    create_ledger_file(tmp_path / "ledger", source="admissions", cap=CAP)
    assert json.loads(lines_of(tmp_path / "ledger")[0])["born"] is None
    opened(charged(tmp_path / "ledger")).close()


def test_the_copy_in_a_model_cannot_be_continued(path, tmp_path):
    with opened(path) as ledger:
        ledger.charge("s", ["a"], NOISE)
        copy = copy_to_data(ledger.copy())
    for text in (json.dumps(copy), json.dumps(copy, indent=2)):
        (tmp_path / "copy").write_text(text + "\n")
        for read in (opened, read_ledger_file):
            with pytest.raises(PrivacyError, match="is the copy of a ledger that a model carries"):
                read(tmp_path / "copy")


def test_a_copy_tells_a_ledger_that_was_set_back(path, tmp_path):
    early = path.read_bytes()
    with opened(path) as ledger:
        ledger.charge("s", ["a"], NOISE)
        copy = ledger.copy()
        assert (copy.source, copy.cap, copy.charges) == ("admissions", CAP, (ENTRY,))
        assert copy_from_data(json.loads(json.dumps(copy_to_data(copy)))) == copy
    charged(path)
    assert read_ledger_file(path).holds(copy)
    create_ledger_file(tmp_path / "other", source="admissions", cap=CAP)
    assert not read_ledger_file(tmp_path / "other").holds(copy)
    rewrite(path, early)
    opened(path).close()  # the file alone cannot tell
    assert not read_ledger_file(path).holds(copy)


# Paths


def test_another_source_is_refused(path):
    with pytest.raises(PrivacyError, match="ledger of another source, 'admissions'"):
        open_ledger_file(path, source="labs")


def test_a_link_is_followed_and_locked_as_what_it_points_to(path, tmp_path):
    (tmp_path / "link").symlink_to(path)
    with opened(tmp_path / "link") as ledger:
        ledger.charge("s", ["a"], NOISE)
        with pytest.raises(PrivacyError, match="another fit"):
            opened(path)
    assert entries(path) == [ENTRY]


def test_a_ledger_is_never_overwritten(path, tmp_path):
    before = path.read_bytes()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for taken in (path, tmp_path, tmp_path / "dangling"):
        with pytest.raises(OutputExistsError, match="never overwritten"):
            create_ledger_file(taken, source="admissions", cap=CAP)
    assert path.read_bytes() == before
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("source", ["", " ", "a\nb", "x" * 201])
def test_a_source_is_a_name(tmp_path, source):
    with pytest.raises(UsageError, match="source is a name"):
        create_ledger_file(tmp_path / "ledger", source=source, cap=CAP)
    assert not (tmp_path / "ledger").exists()


def test_paths_where_no_ledger_can_be(tmp_path):
    with pytest.raises(UsageError, match="no ledger can be made there"):
        create_ledger_file(tmp_path / "missing" / "ledger", source="s", cap=CAP)
    for missing in (tmp_path / "missing", tmp_path):
        with pytest.raises(UsageError, match="no ledger can be opened there"):
            opened(missing)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="a regular file"):
        read_ledger_file(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(PrivacyError, match="268435456 bytes at most"):
        opened(tmp_path / "huge")


def test_without_locks_no_ledger_is_kept(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on systems that have none
    with pytest.raises(PrivacyError, match="cannot be locked here"):
        opened(path)
