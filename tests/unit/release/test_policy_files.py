"""Policy files: the default one, every fault at once, and the JSON Schema."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from tabsynth.decision import Answer
from tabsynth.errors import SchemaError, UsageError
from tabsynth.release import default_policy, read_policy
from tabsynth.release.document import RULE_MODELS, AudienceModel, policy_json_schema
from tabsynth.release.files import default_text, policy_from_text


def text_of(change) -> str:
    """The default policy with its data changed in place."""
    data = yaml.safe_load(default_text())
    change(data)
    return yaml.safe_dump(data)


def faults_of(text: str) -> list[str]:
    with pytest.raises(SchemaError) as found:
        policy_from_text(text, where="p.yaml")
    return [str(fault) for fault in found.value.faults] or [found.value.summary]


def test_the_defaults_are_what_the_rules_of_privacy_say():
    outsiders = default_policy().audience("outsiders")
    assert [outsiders.epsilon.answer(value) for value in (1, 1.01, 3, 3.01, float("inf"), float("nan"))] == [
        Answer.ALLOW,
        Answer.SIGN_OFF,
        Answer.SIGN_OFF,
        Answer.DENY,
        Answer.DENY,
        Answer.DENY,
    ]
    assert outsiders.without_guarantee is Answer.DENY
    assert (outsiders.risk.below, outsiders.risk.of) == (0.09, ("membership", "attributes"))
    assert outsiders.audits.required == ("release",)
    assert outsiders.rules_otherwise is Answer.DENY
    assert outsiders.retained_rows_otherwise is Answer.DENY


def test_no_audience_is_laxer_than_those_further_inside():
    limits = [default_policy().audience(name).epsilon for name in ("outsiders", "partners", "internal")]
    assert [limit.allowed for limit in limits] == sorted(limit.allowed for limit in limits)
    assert all(
        default_policy().audience(name).audits.failed is Answer.DENY for name in default_policy().audiences
    )


def test_an_unknown_audience_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="did you mean 'outsiders'"):
        default_policy().audience("outsider")


def test_a_file_is_named_by_its_name(tmp_path):
    path = tmp_path / "bank.yaml"
    path.write_text(default_text(), encoding="utf-8")
    assert read_policy(path).name == "bank.yaml"
    assert read_policy(path).audiences == default_policy().audiences
    with pytest.raises(SchemaError, match="cannot be read"):
        read_policy(tmp_path / "none.yaml")


def test_every_fault_is_listed_with_its_path_and_line():
    def spoil(data):
        outsiders = data["audiences"]["outsiders"]
        outsiders["epsilon"] = {"allowed": "low", "sign_off": 0, "none": "allow"}
        outsiders["risk"]["belw"] = 0.1
        outsiders["audits"]["required"] = "release"
        outsiders["rules"] = []
        del outsiders["unit"]
        data["audiences"]["partners"]["epsilonn"] = {}
        data["audiences"]["internal"]["delta"]["allowed"] = 2.0
        data["extra"] = 1
        data["version"] = 2

    found = faults_of(text_of(spoil))  # written with its keys in alphabetical order
    assert [fault.replace(": line ", " ").split(" ", 2)[0] for fault in found] == [
        "audiences.internal.delta.allowed",
        "audiences.outsiders.unit",
        "audiences.outsiders.audits.required",
        "audiences.outsiders.epsilon.allowed",
        "audiences.outsiders.epsilon.none",
        "audiences.outsiders.epsilon.sign_off",
        "audiences.outsiders.risk.belw",
        "audiences.outsiders.rules",
        "audiences.partners.epsilonn",
        "extra",
        "version",
    ]
    for i, said in {
        0: "line 10: expected a number below 1, found 1 or more",
        1: "required key is missing (every rule is stated, none by default)",
        2: "expected a list, found 'release'",
        3: "expected a number, found 'low'",
        4: "expected 'sign_off' or 'deny', found 'allow'",
        5: "expected a number above 0, found 0 or less",
        6: "unknown key (did you mean 'below'?)",
        7: "expected a mapping, found a list",
        10: "expected 1, found a whole number",
    }.items():
        assert said in found[i]


@pytest.mark.parametrize("rule", sorted(RULE_MODELS))
def test_no_rule_may_be_left_out(rule):
    def drop(data):
        del data["audiences"]["partners"][rule]

    assert "required key is missing" in faults_of(text_of(drop))[0]
    assert rule in AudienceModel.model_fields


@pytest.mark.parametrize("rule", ["epsilon", "delta"])
def test_limits_in_the_wrong_order_are_refused(rule):
    def turn(data):
        data["audiences"]["outsiders"][rule] |= {"allowed": 0.5, "sign_off": 0.25}

    assert "below what is allowed" in faults_of(text_of(turn))[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: [", "not YAML"),
        ("", "expected a mapping, found nothing"),
        ("version: 1\naudiences: {}", "at least one audience"),
        ("version: 1\nversion: 1\naudiences: {}", "audience"),
        ("&a b: *a", "p.yaml"),
        ("version: 1\naudiences:\n  x: 3", "expected a mapping, found a whole number"),
        ("\x00", "not YAML"),
        (
            text_of(lambda data: data["audiences"]["internal"]["epsilon"].update(sign_off=float("inf"))),
            "finite",
        ),
    ],
)
def test_what_is_no_policy_is_refused(text, said):
    with pytest.raises(SchemaError) as found:
        policy_from_text(text, where="p.yaml")
    assert said in str(found.value)


def test_the_json_schema_takes_the_default_and_refuses_what_the_reader_refuses():
    checker = jsonschema.Draft202012Validator(policy_json_schema())
    jsonschema.Draft202012Validator.check_schema(policy_json_schema())
    data = yaml.safe_load(default_text())
    assert checker.is_valid(data)
    for spoil in (
        lambda data: data.update(version=2),
        lambda data: data["audiences"]["outsiders"].pop("risk"),
        lambda data: data["audiences"]["outsiders"]["retained_rows"].update(otherwise="allow"),
    ):
        spoilt = yaml.safe_load(default_text())
        spoil(spoilt)
        assert not checker.is_valid(spoilt)
