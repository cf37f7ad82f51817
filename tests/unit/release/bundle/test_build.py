"""What a bundle holds, what it must never hold, and when none is made."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import frictionless
import mlcroissant
import polars as pl
import pytest

import tabsynth as ts
from tabsynth.decision import Answer, SignOff
from tabsynth.errors import BundleError, OutputExistsError, PolicyError, UsageError
from tabsynth.io import read_provenance
from tabsynth.pipeline import fit
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.ledger import copy_from_data
from tabsynth.release.bundle.parts import ReleasedTable
from tabsynth.release.bundle.shareable import shareable_schema
from tabsynth.release.bundle.verify import verify_bundle
from tabsynth.schema import read_schema
from tabsynth.schema.draft import draft_table
from tabsynth.schema.types import Kind, Origin, PrivacyUnit, Role
from tabsynth.table import Table
from tests.unit.release.bundle.made import DAY, KEY, MODEL, bundle, decision, pipeline, released, rows

PARTS = {
    "bundle.json",
    "signature.json",
    "README.md",
    "data/stays.parquet",
    "data/stays.csv",
    "data/stays.csv.provenance.json",
    "schema.yaml",
    "dictionary.md",
    "report/stays.html",
    "report/stays.json",
    "model-card.md",
    "datasheet.md",
    "privacy.md",
    "privacy.json",
    "ledger/stays.json",
    "verdict.json",
    "policy.yaml",
    "terms.md",
    "terms.json",
    "provenance.json",
    "datapackage.json",
    "croissant.json",
}


@pytest.fixture(scope="module")
def private(tmp_path_factory) -> Path:
    """A private table's bundle, and what any zip tool unpacks."""
    folder = tmp_path_factory.mktemp("private")
    bundle(folder / "b.zip", released(private=True))
    with zipfile.ZipFile(folder / "b.zip") as file:
        assert file.testzip() is None
        assert set(file.namelist()) == PARTS
        file.extractall(folder)
    return folder


def read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_two_bundles_of_one_run_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        bundle(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


_BUILD = """
import os, sys
os.umask(int(sys.argv[1], 8))
from pathlib import Path
from tests.unit.release.bundle.made import bundle
bundle(Path("b.zip"))
"""


def test_the_same_bytes_in_another_folder_zone_language_and_order_of_hashes(tmp_path):
    """What a machine differs in from one run to the next, and a bundle must not."""
    root = Path(__file__).parents[4]
    made = []
    for umask, zone, language, seed in (("077", "UTC", "C.UTF-8", "1"), ("000", "Asia/Tokyo", "C", "2")):
        folder = tmp_path / f"{seed} of two"
        folder.mkdir()
        changed = {"TZ": zone, "LC_ALL": language, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        ran = subprocess.run(
            [sys.executable, "-c", _BUILD, umask],
            cwd=folder,
            env={**os.environ, **changed},
            check=False,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        made.append((folder / "b.zip").read_bytes())
    assert made[0] == made[1]


def test_parquet_and_csv_hold_the_rows(private):
    table = rows(private=True)
    for name in ("data/stays.parquet", "data/stays.csv"):
        assert read_provenance(private / name).engine == "independent"
    assert pl.read_parquet(private / "data/stays.parquet").equals(table.frame)
    text = pl.read_csv(private / "data/stays.csv", infer_schema=False)
    assert text["age"].cast(pl.Int64).equals(table.frame["age"])
    assert text["ward"].equals(table.frame["ward"])
    assert text["pressure"].is_null().equals(table.frame["pressure"].is_null())


def test_frictionless_s_own_library_takes_package_and_rows(private, monkeypatch):
    monkeypatch.chdir(private)
    report = frictionless.validate("datapackage.json")
    assert report.valid, report.flatten(["type", "note"])
    fields = {
        f["name"]: f["type"]
        for f in read_json(private / "datapackage.json")["resources"][0]["schema"]["fields"]
    }
    assert fields["came"] == "date"
    assert fields["code"] == "integer"
    assert fields["waited"] == "duration"
    assert fields["pay"] == "string"
    text = (private / "data/stays.csv").read_text(encoding="utf-8")
    (private / "data/stays.csv").write_text(text.replace("true", "maybe", 1), encoding="utf-8")
    try:
        assert not frictionless.validate("datapackage.json").valid
    finally:
        (private / "data/stays.csv").write_text(text, encoding="utf-8")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, which mlcroissant reads JSON-LD by
def test_croissant_s_own_library_takes_metadata_and_reads_the_rows(private, monkeypatch):
    monkeypatch.chdir(private)
    dataset = mlcroissant.Dataset(jsonld="croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    first = next(iter(dataset.records("stays")))
    assert first["stays/age"] == rows(private=True).frame["age"][0]


def test_the_ledger_s_copy_is_the_model_s_without_the_file_s_state(private):
    copy = copy_from_data(read_json(private / "ledger/stays.json"))
    mine = pipeline(private=True).ledger
    assert (copy.charges, copy.cap, copy.source, copy.head) == (mine.charges, mine.cap, "hospital 7", None)


def test_the_privacy_statement_says_what_the_charges_come_to(private):
    (stated,) = read_json(private / "privacy.json")["tables"]
    model = pipeline(private=True)
    assert (stated["epsilon"], stated["delta"], stated["unit"]) == (1.0, 1e-6, "row")
    assert stated["neighbouring_relation"] == "add or remove one row"
    composed = epsilon_of((charge.mechanism for charge in model.charges), 1e-6)
    assert stated["series"]["epsilon"] == pytest.approx(composed)
    assert sum(each["releases"] for each in stated["mechanisms"]) >= len(model.charges)
    assert stated["trust_assumptions"]
    assert stated["limitations"]
    assert "opendp" in stated["versions"]
    words = (private / "privacy.md").read_text()
    assert "ε = 1, δ = 1e-06" in words
    assert "add or remove one row" in words


def test_a_release_without_privacy_says_so_on_every_page(tmp_path):
    bundle(tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "b") as file:
        for page in ("README.md", "privacy.md", "model-card.md", "datasheet.md"):
            assert "Not anonymous by construction" in file.read(page).decode()
        stated = json.loads(file.read("privacy.json"))["tables"][0]
        assert "model_sha256" not in json.loads(file.read("provenance.json"))["tables"][0]
        assert MODEL not in file.read("provenance.json").decode()
        assert "as many rows as the source has" in file.read("model-card.md").decode()
        assert (stated["epsilon"], stated["series"]["epsilon"]) == (None, None)


def test_nothing_drafted_and_nobody_s_name_is_in_the_schema():
    draft = shareable_schema(rows())
    for column in draft.columns:
        assert column.bounds is None
        assert column.domain.origin is Origin.DRAFT
    assert draft["ward"].categories == ('eye, "ear"', "it's", "surgery")
    few = replace(rows(), frame=rows().frame.filter(pl.col("ward") == "surgery", pl.col("pay") != "N"))
    assert shareable_schema(few)["ward"].categories == ("surgery",)
    assert shareable_schema(few)["pay"].special_values == ()
    assert rows().schema["charge"].decimals == 2
    assert draft["charge"].decimals is None
    assert draft["stay id"].unique  # the key is declared
    twice = replace(rows(), schema=replace(rows().schema, primary_key=()))
    assert twice.schema["stay id"].unique
    assert not shareable_schema(twice)["stay id"].unique
    assert [rule.note for rule in draft.constraints] == [None]
    assert draft["charge"].description == "What was billed"
    noticed = (
        rows().schema["charge"],
        draft_table(pl.DataFrame({"charge": ["1,000.00"] * 9}), name="t")["charge"],
    )
    assert noticed[1].description is not None
    noted = rows().schema.with_column(replace(noticed[0], description=noticed[1].description))
    assert shareable_schema(replace(rows(), schema=noted))["charge"].description is None
    stated = shareable_schema(rows(private=True))
    assert stated["age"].bounds == rows(private=True).schema["age"].bounds
    assert "Steward" not in repr(stated)


def test_what_is_inside_a_decision_stays_inside(tmp_path):
    signed = SignOff(name="A. Officer", reason="contract 12", on=dt.date(2026, 10, 30))
    bundle(tmp_path / "b", released(sign_off=signed))
    with zipfile.ZipFile(tmp_path / "b") as file:
        whole = b"".join(file.read(name) for name in file.namelist())
        verdict = json.loads(file.read("verdict.json"))
        signed_parts = {part["path"] for part in json.loads(file.read("bundle.json"))["parts"]}
    for secret in (
        b"a figure from inside",
        b"/home/inside",
        b"a note from inside",
        b"drafted inside",
        b"noticed inside",
        b"written inside",
        b"Steward",
    ):
        assert secret not in whole
    assert verdict["sign_off"] == {"name": "A. Officer", "reason": "contract 12", "on": "2026-10-30"}
    assert verdict["outcome"] == "allow"
    assert "verdict.json" in signed_parts


def test_the_schema_reads_back_and_pages_quote_what_others_wrote(private):
    schema = read_schema(private / "schema.yaml").only_table
    assert schema.primary_key == ("stay id",)
    dictionary = (private / "dictionary.md").read_text()
    assert '“eye, "ear"”, it\'s, surgery' in dictionary  # a comma within a level
    assert "public: codebook 3" in dictionary
    assert "| charge | What was billed | number (float64) | EUR \\| \u20ac | " in dictionary
    assert schema["charge"].measured_in == "EUR | \u20ac"
    package, dataset = read_json(private / "datapackage.json"), read_json(private / "croissant.json")
    fields = {field["name"]: field for field in package["resources"][0]["schema"]["fields"]}
    assert [name for name, field in fields.items() if "unit" in field] == ["charge"]
    assert fields["charge"]["unit"] == "EUR | \u20ac"
    described = {field["name"]: field["description"] for field in dataset["recordSet"][0]["field"]}
    assert described["charge"] == "What was billed, in EUR | \u20ac"
    assert "doctor's note: free text of persons" in dictionary
    assert "# Stays \\| sandbox" in (private / "README.md").read_text()


def test_provenance_names_the_source_by_its_id_alone(private):
    found = read_json(private / "provenance.json")
    assert found["source"] == "hospital 7"
    (table,) = found["tables"]
    assert (table["sampling_seed"], table["drawn_again"], table["model_sha256"]) == (1, True, MODEL)
    assert table["rows_sha256"] == rows(private=True).digest()


@pytest.mark.parametrize("answer", [Answer.DENY, Answer.SIGN_OFF])
def test_what_the_policy_does_not_allow_makes_no_bundle(tmp_path, answer):
    table = replace(released(), decision=decision(rows(), answer=answer))
    with pytest.raises(PolicyError, match=f"stays: {answer.value}"):
        bundle(tmp_path / "b", table)
    assert list(tmp_path.iterdir()) == []


def test_a_decision_of_other_rows_or_another_model_makes_no_bundle(tmp_path):
    for table in (replace(released(), model="cd" * 32), replace(released(seed=None), rows=rows(199))):
        with pytest.raises(PolicyError, match="another model or other rows"):
            bundle(tmp_path / "b", table)


def test_rows_that_the_seed_does_not_give_make_no_bundle(tmp_path):
    with pytest.raises(UsageError, match="does not give these rows with seed 2"):
        bundle(tmp_path / "b", released(seed=2))


def _renamed(table, name):
    made = replace(table.pipeline, schema=replace(table.pipeline.schema, name=name))
    return replace(table, pipeline=made, rows=replace(table.rows, schema=made.schema), seed=None)


def test_tables_of_one_bundle_are_decided_together(tmp_path):
    other = _renamed(released(), "other")
    other = replace(other, decision=replace(other.decision, on=DAY + dt.timedelta(days=1)))
    with pytest.raises(UsageError, match="for one audience, on one day"):
        bundle(tmp_path / "b", released(), other)


def test_rows_of_which_a_person_has_more_than_a_fit_keeps_are_handed_out(tmp_path):
    """Who stands in a synthetic row is made anew, so often one comes more often than `max_rows`; it is no fault of the rows."""
    frame = pl.DataFrame(
        {"patient": [f"P{i // 3:04d}" for i in range(600)], "age": [20 + i % 50 for i in range(600)]}
    )
    draft = ts.draft_schema(frame, name="stays").only_table
    named = draft.with_column(
        replace(draft["patient"], kind=Kind.IDENTIFIER, role=Role.IDENTIFIER, categories=None)
    )
    schema = replace(named, unit=PrivacyUnit(column="patient", max_rows=3))
    fitted = fit(frame, schema=schema, engine="independent", privacy=ts.NO_PRIVACY)
    made = Table.conform(pl.concat(fitted.sample_batches(600, seed=1)), fitted.schema)
    assert (
        made.frame["patient"].value_counts()["count"].max() > 3
    )  # 600 of 200 at random: all thrice 1 in 1e100
    table = ReleasedTable(pipeline=fitted, rows=made, decision=decision(made), model=MODEL, seed=1)
    bundle(tmp_path / "b.zip", table)
    verified = verify_bundle(tmp_path / "b.zip", key=KEY.public_key())
    assert verified.schema["stays"].unit == PrivacyUnit(column="patient", max_rows=3)


def test_several_tables_have_files_of_names_that_any_system_takes(tmp_path):
    tables = [_renamed(released(), name) for name in ("../Up", "con", "日本", "up")]
    manifest = bundle(tmp_path / "b", *tables)
    assert [table.stem for table in manifest.tables] == ["Up", "table_con", "table", "up_2"]


def test_a_bundle_is_not_written_over_unless_told(tmp_path):
    (tmp_path / "b").write_text("mine")
    with pytest.raises(OutputExistsError):
        bundle(tmp_path / "b")
    assert (tmp_path / "b").read_text() == "mine"


def test_nothing_to_release_and_no_source_are_refused(tmp_path):
    from tabsynth.release.bundle.build import build_bundle
    from tests.unit.release.bundle.made import KEY, POLICY, TERMS

    with pytest.raises(UsageError, match="at least one table"):
        build_bundle([], tmp_path / "b", terms=TERMS, policy=POLICY, source="s", key=KEY)
    for source in ("", "\n", "x" * 201):
        with pytest.raises(UsageError, match="a source id is a name"):
            build_bundle([released()], tmp_path / "b", terms=TERMS, policy=POLICY, source=source, key=KEY)


def test_the_statement_says_whether_the_rows_were_drawn_again(tmp_path):
    for seed, said in ((1, "the same were drawn from it again"), (None, "Not verified: that these rows are")):
        bundle(tmp_path / f"{seed}.zip", released(seed=seed))
        with zipfile.ZipFile(tmp_path / f"{seed}.zip") as file:
            words, data = file.read("privacy.md").decode(), json.loads(file.read("privacy.json"))
        assert said in words
        assert said in data["tables"][0]["rows"]


def test_more_than_a_bundle_holds_is_not_built(tmp_path, monkeypatch):
    for limit, most, said in (
        ("build.MOST_CELLS", 2399, "2,399 cells at most"),
        ("parts.MOST_TEXT", 100, "larger than the 100"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"tabsynth.release.bundle.{limit}", most)
            with pytest.raises(BundleError, match=said):
                bundle(tmp_path / "b")
    assert not (tmp_path / "b").exists()
