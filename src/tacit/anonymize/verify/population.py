"""Models of a class against the people it may come from."""

from tacit.anonymize.verify.evidence import Evidence
from tacit.anonymize.verify.sizes import exactly, failing


def k_map(evidence: Evidence, k: int) -> list[str]:
    """Each released class relates to at least k rows of the population (Sweeney 2001; El Emam & Dankar 2008)."""
    if evidence.population_rows is None:
        return ["the population table is not at hand, so k-map cannot be confirmed"]
    few = sum(rows < k for rows in evidence.population_rows)
    return failing(few, len(evidence.own), f"have fewer than {k} rows in the population")


def delta_presence(evidence: Evidence, d_min: float, d_max: float) -> list[str]:
    """d_min <= rows of the subset / rows of the population <= d_max in each class (Nergiz, Atzori & Clifton 2007).

    A class with nobody of the subset has the share 0, and fails when d_min > 0: that nobody of it is released is plain to see.
    One whose rows of the subset were all left out is outside the promise.
    """
    crowds = evidence.crowds
    if crowds is None:
        return ["the population of the research subset is not at hand, so delta-presence cannot be confirmed"]
    low, high = exactly(d_min), exactly(d_max)
    outside = sum(
        not (low * people <= released and inside <= high * people)
        for people, inside, released in zip(crowds.population, crowds.subset, crowds.released, strict=True)
        if released or not inside
    )
    return failing(outside, len(crowds.population), f"have a share of the subset outside {d_min} to {d_max}")
