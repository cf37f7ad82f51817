"""Whether a release may leave: a policy, evidence, and the decision they come to."""

from tabsynth.decision import Answer, Decision, Reason, SignOff
from tabsynth.release.evaluate import evaluate
from tabsynth.release.evidence import Evidence, evidence_of, model_digest
from tabsynth.release.files import default_policy, read_policy
from tabsynth.release.policy import Policy

__all__ = [
    "Answer",
    "Decision",
    "Evidence",
    "Policy",
    "Reason",
    "SignOff",
    "default_policy",
    "evaluate",
    "evidence_of",
    "model_digest",
    "read_policy",
]
