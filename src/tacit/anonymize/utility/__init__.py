"""What a release costs in usefulness: one file a family of metrics, each a value with `score(recoded)`, smaller is better.

`Loss`, `PrecisionLoss`, `NonUniformEntropy` and `Height` also say it per column (`columns(recoded)`).
"""

from tacit.anonymize.utility.class_sizes import AverageClassSize, Discernibility
from tacit.anonymize.utility.distribution import Ambiguity, KullbackLeibler
from tacit.anonymize.utility.downstream import DownstreamAccuracy, downstream_accuracy
from tacit.anonymize.utility.entropy import EntropyLoss, NonUniformEntropy
from tacit.anonymize.utility.loss import Aggregate, Loss, Score
from tacit.anonymize.utility.measured import Utility, measure_utility, unchanged
from tacit.anonymize.utility.pairing import Pairing, pair_tables
from tacit.anonymize.utility.precision import Height, PrecisionLoss
from tacit.anonymize.utility.query_error import QueryError

__all__ = [
    "Aggregate",
    "Ambiguity",
    "AverageClassSize",
    "Discernibility",
    "DownstreamAccuracy",
    "EntropyLoss",
    "Height",
    "KullbackLeibler",
    "Loss",
    "NonUniformEntropy",
    "Pairing",
    "PrecisionLoss",
    "QueryError",
    "Score",
    "Utility",
    "downstream_accuracy",
    "measure_utility",
    "pair_tables",
    "unchanged",
]
