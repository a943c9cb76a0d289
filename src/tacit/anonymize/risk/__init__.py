"""Re-identification risk of a table: by the sizes of its classes, by its uniques, and by attacks that are tried out.

Everything here is an exact statistic of private rows: for the custodian, not for release.
"""

from tacit.anonymize.risk.attacks import Attack, attack_release, inference, linkability, singling_out
from tacit.anonymize.risk.distinctness import distinction, separation
from tacit.anonymize.risk.individual import individual_risk
from tacit.anonymize.risk.journalist import PopulationRisk, measure_population_risk
from tacit.anonymize.risk.prosecutor import Risk, class_sizes, measure_risk
from tacit.anonymize.risk.uniqueness import Uniqueness, measure_uniqueness

__all__ = [
    "Attack",
    "PopulationRisk",
    "Risk",
    "Uniqueness",
    "attack_release",
    "class_sizes",
    "distinction",
    "individual_risk",
    "inference",
    "linkability",
    "measure_population_risk",
    "measure_risk",
    "measure_uniqueness",
    "separation",
    "singling_out",
]
