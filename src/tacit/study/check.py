"""What a study will promise, said before it runs."""

from dataclasses import dataclass

from tacit.study.loading import Study
from tacit.study.rows import UNPROTECTED, hierarchies_of, protection_of, undeclared_hierarchies


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """One thing a run of the study will do. epsilon -- None for a release that cannot have one; leaves_open -- what it does not protect."""

    what: str
    about: str
    epsilon: float | None
    leaves_open: tuple[str, ...] = ()


def check_study(study: Study) -> list[Promise]:
    """Return what the study releases and about whom each promise is; nothing is read but the study file and hierarchy files.

    Raises ConfigError when a hierarchy cannot be built.
    """
    settings = study.settings
    promises = []
    if settings.anonymize is not None:
        hierarchies_of(study)
        promises.append(
            Promise(
                what=_table(study),
                about="the table; no bound for the original person",
                epsilon=None,
                leaves_open=tuple(f"{name}: {how}" for name, how in protection_of(study).items() if how == UNPROTECTED),
            )
        )
    if settings.train is not None:
        unit = "one row of the original table (declared row-wise maps stand between)"
        promises.append(Promise(what="a private model", about=unit, epsilon=settings.train.epsilon))
        if settings.train.twin:
            promises.append(Promise(what="a non-private twin, kept by the custodian", about="no one", epsilon=None))
        promises.append(Promise(what="exact scores and attacks, in the custodian's report", about="no one", epsilon=None))
    return promises


def _table(study: Study) -> str:
    """Return what the table will be: its models, its quasi-identifiers, hierarchies nobody declared."""
    settings, undeclared = study.settings, undeclared_hierarchies(study)
    assert settings.anonymize is not None
    further = "".join(f", with {model}" for model in settings.anonymize.models[1:])
    built = f" (hierarchies built from the data: {', '.join(undeclared)})" if undeclared else ""
    return f"a {settings.anonymize.k}-anonymous table of {', '.join(settings.quasi)}{further}{built}"
