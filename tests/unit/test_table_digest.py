"""The digest of a table: the same for the same cells wherever they were read, another for any other."""

from __future__ import annotations

import datetime as dt
import hashlib

import polars as pl
import pytest

from tabsynth.io import read_table
from tabsynth.schema.draft import draft_table
from tabsynth.table import Table

ROWS = pl.DataFrame(
    {
        "a": ["x", None, "", "é"],
        "b": [1, 0, None, -(2**63)],
        "c": [0.1, None, 0.0, 1e300],
        "d": [True, False, None, True],
        "e": [dt.date(2020, 1, 2), None, dt.date(1970, 1, 1), dt.date(1969, 1, 1)],
        "f": pl.Series([2**64 - 1, 0, None, 1], dtype=pl.UInt64),
        "g": pl.Series([1_577_934_000_000_000, None, 0, -(10**15)]).cast(pl.Datetime("us")),
        "h": [dt.timedelta(seconds=3), None, dt.timedelta(0), dt.timedelta(days=-1)],
    }
)


def digest(frame: pl.DataFrame) -> str:
    return Table(draft_table(ROWS, name="t"), frame).digest()


def test_the_file_they_come_from_and_the_order_of_columns_do_not_matter(tmp_path):
    plain = ROWS.select("a", "b", "c", "d", "e").filter(pl.col("b").is_not_null() & (pl.col("a") != ""))
    schema = draft_table(plain, name="t")
    plain.write_csv(tmp_path / "t.csv")
    plain.write_parquet(tmp_path / "t.parquet")
    found = {
        Table.conform(read_table(tmp_path / name, schema=schema)[0], schema).digest()
        for name in ("t.csv", "t.parquet")
    }
    assert found == {Table.conform(plain, schema).digest()}
    assert digest(ROWS) == digest(ROWS.select(reversed(ROWS.columns)))


@pytest.mark.parametrize("name", ROWS.columns)
def test_every_cell_counts_and_a_null_is_not_what_it_is_filled_with(name):
    seen = {digest(ROWS)}
    for row in range(4):
        mask = pl.int_range(pl.len()) == row
        other = ROWS.with_columns(pl.when(mask).then(None).otherwise(pl.col(name)).alias(name))
        seen.add(digest(other))
    assert len(seen) == 4  # itself, once where the cell was null before, and three others
    assert digest(ROWS.rename({name: "z"})) not in seen
    assert digest(ROWS[::-1]) not in seen


def test_text_is_cut_where_it_was_cut():
    one, other = (pl.DataFrame({"a": cells}) for cells in (["ab", "c"], ["a", "bc"]))
    assert digest(one) != digest(other)
    assert digest(pl.DataFrame({"a": []}, schema={"a": pl.String})) == digest(
        pl.DataFrame({"a": []}, schema={"a": pl.String})
    )


@pytest.mark.parametrize("most", [1 << 30, 3])
def test_the_digest_by_hand(monkeypatch, most):
    """Names, sizes, a bit for each null, lengths of 8 bytes, and the text; however much of it is joined at once."""
    monkeypatch.setattr("tabsynth.table._MOST_JOINED", most)
    whole = hashlib.sha256(b"a\x004\x00" + bytes([0b01000000]))
    whole.update(b"".join(n.to_bytes(8, "little") for n in (1, 0, 0, 2)) + "xé".encode())
    assert digest(ROWS.select("a")) == whole.hexdigest()
    empty = hashlib.sha256(b"a\x000\x00")
    assert digest(ROWS.select("a").clear()) == empty.hexdigest()
