"""Attacks that are tried out: what a release gives away about its people, beyond what it tells about anyone."""

from tacit.anonymize.risk.attacks.battery import attack_release, attacks_for
from tacit.anonymize.risk.attacks.inference import inference
from tacit.anonymize.risk.attacks.linkability import linkability
from tacit.anonymize.risk.attacks.rates import Attack
from tacit.anonymize.risk.attacks.singling_out import singling_out

__all__ = ["Attack", "attack_release", "attacks_for", "inference", "linkability", "singling_out"]
