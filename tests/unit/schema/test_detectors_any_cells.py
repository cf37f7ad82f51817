"""No cell makes a detector raise: any text, number or null, beside cells of every form that is looked for."""

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tabsynth as ts
from tabsynth.fake import numbers as made
from tabsynth.schema.draft import draft_table
from tabsynth.schema.guess.personal import _is_birth_number, _is_iban, _is_luhn, _is_nhs, suspicion

NUMBERS = pl.Series(range(7, 67), dtype=pl.UInt64).to_numpy()
FORMS = {
    "ibans": made.ibans(NUMBERS, "DE").to_list(),
    "cards": made.cards(NUMBERS).to_list(),
    "nhs": made.nhs_numbers(NUMBERS).to_list(),
    "national": made.national_ids(NUMBERS, None).to_list(),
    "phones": made.phones(NUMBERS, "cs_CZ").to_list(),
    "births": [f"{at % 90:02d}{1 + at % 12:02d}{1 + at % 28:02d}/{at:04d}" for at in range(60)],
    "emails": [f"x{at}@example.com" for at in range(60)],
    "uuids": [f"{at:08x}-0000-4000-8000-{at:012x}" for at in range(60)],
    "networks": [f"10.0.{at // 9}.{at}" for at in range(60)],
    "days": [f"{1 + at % 28:02d}/{1 + at % 12:02d}/19{at % 90:02d}" for at in range(60)],
    "amounts": [f"{at},{at % 10}{at % 7}0.50" for at in range(1, 61)],
    "brackets": [f"[{at}-{at + 1})" for at in range(30)],
    "digits": [str(1000 + at) for at in range(60)],
    "none": [],
}
ODD = (
    "é",
    "n/a",
    "",
    " ",
    "٣٤٥",
    "²",
    "Ⅷ",
    "ß" * 30,
    "0" * 400,
    "1e999",
    "DE٣2",
    "-",
    "\x00",
    "１９/０１/２０２０",
)
NAMES = ("account", "birth_number", "patient_id", "email", "phone", "date", "number", "zip", "sex", "x", "é")
_texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.sampled_from(ODD)
_digits = st.text(st.characters(categories=("Nd", "Nl", "No")), min_size=1, max_size=20)


@pytest.mark.parametrize("check", [_is_iban, _is_luhn, _is_nhs, _is_birth_number])
@given(text=_texts | _digits)
@example(text="²" * 10)
@example(text="")
def test_a_check_digit_of_any_text_is_right_or_wrong(check, text):
    assert check(text) in (True, False)


@given(
    name=st.sampled_from(NAMES),
    form=st.sampled_from(sorted(FORMS)),
    others=st.lists(st.none() | _texts | _digits, max_size=12),
)
@example(name="account", form="ibans", others=["n/a"])
@example(name="account", form="ibans", others=["é"])
@example(name="x", form="digits", others=["٣٤٥"])
@settings(max_examples=150, deadline=None)
def test_any_texts_beside_a_form_can_be_looked_at_and_drafted(name, form, others):
    cells = pl.Series(name, FORMS[form] + others, dtype=pl.String)
    suspicion(cells)
    assert draft_table(cells.to_frame(), name="t").column_names == (name,)


_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt32, pl.UInt64)


@given(
    name=st.sampled_from(NAMES),
    dtype=st.sampled_from(_INTEGERS),
    cells=st.lists(st.none() | st.integers(-(2**63), 2**64 - 1), max_size=120),
)
@example(name="x", dtype=pl.Int8, cells=[-128] * 3)
@example(name="x", dtype=pl.Int64, cells=[-(2**63), *range(10**6, 10**6 + 200)])
@example(name="x", dtype=pl.UInt64, cells=[2**64 - 1, *range(10**6, 10**6 + 200)])
@settings(max_examples=150, deadline=None)
def test_any_whole_numbers_can_be_looked_at_and_drafted(name, dtype, cells):
    least, most = int(pl.select(dtype.min()).item()), pl.select(dtype.max()).item()
    column = pl.Series(
        name, [one if one is None else least + one % (most - least + 1) for one in cells], dtype=dtype
    )
    suspicion(column)
    draft_table(column.to_frame(), name="t")


@given(
    name=st.sampled_from(NAMES),
    cells=st.lists(st.none() | st.floats() | st.integers(-(2**53), 2**53).map(float), max_size=60),
    dtype=st.sampled_from([pl.Float32, pl.Float64]),
)
@settings(max_examples=150, deadline=None)
def test_any_floats_can_be_looked_at_and_drafted(name, cells, dtype):
    column = pl.Series(name, cells, dtype=pl.Float64).cast(dtype, strict=False)
    suspicion(column)
    draft_table(column.to_frame(), name="t")


@pytest.mark.parametrize("odd", ["n/a", "é", "²"])
def test_a_private_fit_of_numbers_of_accounts_does_not_depend_on_one_odd_cell(odd):
    frame = pl.DataFrame({"account": [*FORMS["ibans"], odd], "v": range(61)})
    made_anew = ts.fit(frame, engine="independent").schema["account"]
    assert made_anew.kind is ts.Kind.IDENTIFIER
