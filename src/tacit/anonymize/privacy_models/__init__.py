"""Privacy models: what every class of equal quasi-identifiers must satisfy before it may be released.

These are syntactic models: properties of one released table. None of them is differential privacy, and none has an epsilon.
Missing values are a category of their own. A class that meets a model with equality passes, unless the model is strict.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tacit.anonymize.privacy_models.alpha_k import AlphaKAnonymity
from tacit.anonymize.privacy_models.average_risk import AverageRisk
from tacit.anonymize.privacy_models.basic_beta_likeness import BasicBetaLikeness
from tacit.anonymize.privacy_models.delta_disclosure import DeltaDisclosure
from tacit.anonymize.privacy_models.delta_presence import DeltaPresence
from tacit.anonymize.privacy_models.distinct_l_diversity import DistinctLDiversity
from tacit.anonymize.privacy_models.enhanced_beta_likeness import EnhancedBetaLikeness
from tacit.anonymize.privacy_models.entropy_l_diversity import EntropyLDiversity
from tacit.anonymize.privacy_models.estimated_k_map import EstimatedKMap
from tacit.anonymize.privacy_models.grassberger_l_diversity import GrassbergerLDiversity
from tacit.anonymize.privacy_models.k_anonymity import KAnonymity
from tacit.anonymize.privacy_models.k_map import KMap
from tacit.anonymize.privacy_models.lkc import LKCPrivacy
from tacit.anonymize.privacy_models.model import PrivacyModel
from tacit.anonymize.privacy_models.no_profitable_attack import NoProfitableAttack
from tacit.anonymize.privacy_models.population_uniqueness import PopulationUniqueness
from tacit.anonymize.privacy_models.profitability import Profitability
from tacit.anonymize.privacy_models.recursive_l_diversity import RecursiveLDiversity
from tacit.anonymize.privacy_models.sample_uniqueness import SampleUniqueness
from tacit.anonymize.privacy_models.t_closeness import TCloseness
from tacit.errors import ConfigError

__all__ = [
    "AlphaKAnonymity",
    "AverageRisk",
    "BasicBetaLikeness",
    "DeltaDisclosure",
    "DeltaPresence",
    "DistinctLDiversity",
    "EnhancedBetaLikeness",
    "EntropyLDiversity",
    "EstimatedKMap",
    "GrassbergerLDiversity",
    "KAnonymity",
    "KMap",
    "LKCPrivacy",
    "NoProfitableAttack",
    "PopulationUniqueness",
    "PrivacyModel",
    "Profitability",
    "RecursiveLDiversity",
    "SampleUniqueness",
    "TCloseness",
    "model_from_json",
]

MODELS: dict[str, Callable[..., PrivacyModel]] = {
    "alpha-k": AlphaKAnonymity,
    "average-risk": AverageRisk,
    "basic-beta-likeness": BasicBetaLikeness,
    "delta-disclosure": DeltaDisclosure,
    "delta-presence": DeltaPresence,
    "distinct-l-diversity": DistinctLDiversity,
    "enhanced-beta-likeness": EnhancedBetaLikeness,
    "entropy-l-diversity": EntropyLDiversity,
    "estimated-k-map": EstimatedKMap,
    "grassberger-l-diversity": GrassbergerLDiversity,
    "k-anonymity": KAnonymity,
    "k-map": KMap,
    "lkc": LKCPrivacy,
    "no-profitable-attack": NoProfitableAttack,
    "population-uniqueness": PopulationUniqueness,
    "profitability": Profitability,
    "recursive-l-diversity": RecursiveLDiversity,
    "sample-uniqueness": SampleUniqueness,
    "t-closeness": TCloseness,
}
"""Each model by the name that its JSON form has."""


def model_from_json(form: Mapping[str, Any]) -> PrivacyModel:
    """Return the model that a JSON form describes: what `to_json` returned, or what a study file says.

    Raises ConfigError when the name or a parameter is not known, is missing or out of range.
    """
    name, given = form.get("model"), {key: value for key, value in form.items() if key != "model"}
    if name not in MODELS:
        raise ConfigError(
            f"{name!r} is no privacy model that is known here: a requirement nobody checks is none. Choose one of "
            f"{', '.join(MODELS)}."
        )
    distance = given.pop("distance", None) if name == "t-closeness" else None
    try:
        model = MODELS[name](**given)
    except TypeError:
        raise ConfigError(
            f"the privacy model {name!r} does not take the parameters {sorted(given)}: one is missing or too many. See "
            f"help(tacit.anonymize.privacy_models.{getattr(MODELS[name], '__name__', name)})."
        ) from None
    if isinstance(model, TCloseness) and distance not in (None, model.distance):
        raise ConfigError(
            f"t-closeness says distance {distance!r}, but with the order or tree it has it is {model.distance!r}: an ordered "
            "distance needs an explicit order, a hierarchical one a tree. Add it, or leave the distance out."
        )
    return model
