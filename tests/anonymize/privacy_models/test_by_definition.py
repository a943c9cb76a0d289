"""On random small tables every model says what its definition says, and a model with a planted defect does not."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from anonymize.privacy_models.by_definition import Row, classes_of, held_by_definition, lkc_holds
from anonymize.privacy_models.planted import faulty
from tacit.anonymize.privacy_models import MODELS, model_from_json

ORDER = ["a", "b", None, "d", "e", "c"]
TREE = [["a", "vowel", "*"], ["e", "vowel", "*"], ["b", "soft", "*"], ["c", "hard", "*"], ["d", "hard", "*"]]
FORMS: list[dict[str, Any]] = [
    {"model": "k-anonymity", "k": 4},
    *({"model": "no-profitable-attack", "gain": 7, "cost": cost} for cost in (3.5, 2)),
    *({"model": "distinct-l-diversity", "column": "s", "l": l} for l in (2, 3)),  # noqa: E741
    *({"model": "entropy-l-diversity", "column": "s", "l": l} for l in (1.5, 2, 3)),  # noqa: E741
    *({"model": "grassberger-l-diversity", "column": "s", "l": l} for l in (2, 2.5, 3)),  # noqa: E741
    *({"model": "recursive-l-diversity", "column": "s", "c": c, "l": l} for c, l in ((1, 2), (2, 2), (2.5, 3), (0.5, 2))),  # noqa: E741
    *({"model": "alpha-k", "column": "s", "alpha": alpha, "k": k} for alpha, k in ((0.5, 2), (0.4, 3), (0.75, 4))),
    *({"model": "basic-beta-likeness", "column": "s", "beta": beta} for beta in (0.2, 0.5, 1, 2)),
    *({"model": "enhanced-beta-likeness", "column": "s", "beta": beta} for beta in (0.5, 1, 2)),
    *({"model": "delta-disclosure", "column": "s", "delta": delta, "base": base} for delta in (0.8, 1, 2) for base in (2, "e")),
    *({"model": "t-closeness", "column": "s", "t": t, "distance": "equal"} for t in (0.1, 0.25, 0.4)),
    *({"model": "t-closeness", "column": "s", "t": t, "distance": "ordered", "order": ORDER} for t in (0.1, 0.2, 0.25)),
    *({"model": "t-closeness", "column": "s", "t": t, "distance": "hierarchical", "tree": TREE} for t in (0.2, 0.25, 0.375)),
    *({"model": "average-risk", "threshold": threshold} for threshold in (0.2, 0.25, 0.3)),
    *({"model": "sample-uniqueness", "threshold": threshold} for threshold in (0, 0.05, 0.1)),
    *({"model": "lkc", "column": "s", "l": l, "k": k, "c": c} for l, k, c in ((1, 3, 0.8), (2, 2, 0.75), (3, 2, 1))),  # noqa: E741
]


def tables(count: int) -> Iterator[list[Row]]:
    """Yield random tables of 1 to 60 rows, three quasi-identifiers and up to six sensitive values, one of them missing."""
    rng = np.random.default_rng(11)
    for _ in range(count):
        rows, kinds = int(rng.integers(1, 61)), int(rng.integers(1, 7))
        widths = rng.integers(1, 4, 3)
        weights = rng.dirichlet(np.ones(kinds))
        values = rng.choice(np.array(["a", "b", "c", "d", "e", None], dtype=object)[rng.permutation(6)[:kinds]], rows, p=weights)
        quasi = zip(*(rng.integers(0, width, rows).tolist() for width in widths), strict=True)
        yield list(zip(quasi, values.tolist(), strict=True))


def disagreements(form: Any, build: Callable[..., Any], count: int) -> tuple[int, set[bool]]:
    """Return on how many tables a model differs from its definition, and the verdicts that the definition gave."""
    differ, verdicts = 0, set()
    for rows in tables(count):
        expected = held_by_definition(form, rows)
        verdicts |= set(expected)
        _, classes = classes_of(rows)
        model = build(form)
        differ += model.holds(classes).tolist() != expected
        if not model.contextual:  # the verdict on a class stays when others are suppressed: q counts the whole input
            some = np.arange(len(classes)) % 2 == 0
            differ += model.holds(classes.select(some)).tolist() != expected[::2]
    return differ, verdicts


@pytest.mark.parametrize(
    "form", FORMS, ids=lambda form: "-".join(str(form[key])[:20] for key in form if key not in ("column", "tree"))
)
def test_a_model_says_what_its_definition_says(form: Any) -> None:
    assert disagreements(form, model_from_json, 45) == (0, {False, True})


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["model"])
def test_a_table_without_classes_is_judged_without_an_error(form: Any) -> None:
    """The search asks again with the classes that held, and there may be none."""
    _, classes = classes_of(next(tables(1)))
    nothing = classes.select(np.zeros(len(classes), dtype=bool))
    assert model_from_json(form).holds(nothing).shape == (0,)


# model (and distance), file with the defect, text that occurs once, text in its place
DEFECTS = [
    ("distinct-l-diversity", "distinct_l_diversity", ">= self.l", "> self.l"),
    (
        "distinct-l-diversity",
        "frequencies",
        "np.bincount(histogram.class_of, minlength=c",
        "np.bincount(histogram.class_of, histogram.counts, c",
    ),
    ("entropy-l-diversity", "entropy_l_diversity", "math.log(self.l)", "math.log2(self.l)"),
    ("entropy-l-diversity", "entropy_l_diversity", "- TOLERANCE", "+ TOLERANCE"),
    ("grassberger-l-diversity", "grassberger_l_diversity", "counts // 2", "counts / 2"),
    ("grassberger-l-diversity", "grassberger_l_diversity", "(values_by_class(histogram, count) >= self.l) & ", ""),
    ("recursive-l-diversity", "recursive_l_diversity", "rank >= l - 1", "rank >= l"),
    ("recursive-l-diversity", "recursive_l_diversity", "~at_least(most, self.c, rest)", "at_least(-most, self.c, -rest)"),
    ("recursive-l-diversity", "recursive_l_diversity", "(-histogram.counts, ", "(histogram.counts, "),
    ("alpha-k", "alpha_k", "classes.sizes >= self.k", "classes.sizes > self.k"),
    ("alpha-k", "alpha_k", "rows[histogram.class_of]", "rows[histogram.class_of] - 1"),
    ("basic-beta-likeness", "basic_beta_likeness", "beta, share)", "beta, histogram.counts * histogram.totals.sum())"),
    (
        "basic-beta-likeness",
        "basic_beta_likeness",
        "classes))[histogram.class_of], histogram.totals",
        "classes))[histogram.class_of], SEEN",
    ),
    ("enhanced-beta-likeness", "enhanced_beta_likeness", "-np.log(q)", "-np.log2(q)"),
    ("enhanced-beta-likeness", "enhanced_beta_likeness", "-np.log(q)", "-np.log(p)"),
    ("enhanced-beta-likeness", "enhanced_beta_likeness", "gain_at_most(self.beta, classes, self.column) & ", ""),
    ("delta-disclosure", "delta_disclosure", "if self.base == 2", "if self.base == 'e'"),
    ("delta-disclosure", "delta_disclosure", "np.abs(np.log(p / q))", "np.log(p / q)"),
    ("delta-disclosure", "delta_disclosure", "< self.delta - TOLERANCE", "<= self.delta"),
    ("t-closeness equal", "distances", "p - q[histogram.values], 0.0)", "q[histogram.values] - p, 0.0)"),
    ("t-closeness equal", "distances", "return p, histogram.totals", "return p, SEEN"),
    ("t-closeness ordered", "distances", "minlength=classes) / (m - 1)", "minlength=classes) / m"),
    ("t-closeness ordered", "distances", "run += np.where(first, prefix[rank], 0.0)", "pass"),
    ("t-closeness ordered", "distances", "ranks = _ranks(histogram.labels, order)", "ranks = np.arange(len(histogram.labels))"),
    ("t-closeness hierarchical", "distances", "height / len(parents) * ", ""),
    ("t-closeness hierarchical", "distances", "np.minimum(positive, negative)", "np.maximum(positive, negative)"),
    ("no-profitable-attack", "no_profitable_attack", "math.ceil(", "math.floor(1 + "),  # ARX's
    ("no-profitable-attack", "no_profitable_attack", "gain)) / Fraction(str(cost", "cost)) / Fraction(str(gain"),
    ("average-risk", "average_risk", "sizes >= sizes[works[0]]", "sizes > sizes[works[0]]"),
    (
        "average-risk",
        "average_risk",
        "rows = np.cumsum((sizes * counts)[::-1])[::-1]",
        "rows = np.full(len(sizes), classes.rows)",
    ),
    ("sample-uniqueness", "sample_uniqueness", "classes.sizes.sum()", "len(classes)"),
    ("sample-uniqueness", "sample_uniqueness", "classes.sizes == 1", "classes.sizes <= 2"),
    ("lkc", "lkc", "min(self.l, len(classes.codes))", "1"),
    ("lkc", "lkc", "weights=classes.sizes) >= self.k", "weights=classes.sizes) > self.k"),
    ("lkc", "lkc", "large & self._vague(histogram, group)", "large"),
]
# the frequencies q taken over the released rows alone
SEEN = "np.bincount(histogram.values, histogram.counts, len(histogram.totals)).astype(np.int64)"


@pytest.mark.parametrize(("name", "edited", "old", "new"), DEFECTS, ids=lambda text: text[:24])
def test_a_planted_defect_is_seen(name: str, edited: str, old: str, new: str) -> None:
    """Fewer tables than above: the comparison has room to spare."""
    kind, _, distance = name.partition(" ")
    model = MODELS[kind]
    file = str(model.__module__).rpartition(".")[2]
    built = getattr(faulty(file, edited, old, new.replace("SEEN", SEEN)), model.__name__)
    forms = [form for form in FORMS if form["model"] == kind and distance in ("", form.get("distance"))]
    assert forms

    def build(form: Any) -> Any:
        return built(**{key: value for key, value in form.items() if key not in ("model", "distance")})

    assert any(disagreements(form, build, 40)[0] for form in forms)


@pytest.mark.parametrize("form", [form for form in FORMS if form["model"] == "lkc"], ids=str)
def test_lkc_asked_until_nothing_changes_leaves_a_table_that_meets_its_whole_definition(form: Any) -> None:
    """The model counts only the subsets of l columns; all smaller ones follow once nothing is taken out."""
    model, whole = model_from_json(form), 0
    for rows in tables(60):
        assert model.holds(classes_of(rows)[1]).all() == lkc_holds(form, rows)
        while rows:
            names, classes = classes_of(rows)
            kept = {name for name, held in zip(names, model.holds(classes), strict=True) if held}
            if len(kept) == len(names):
                break
            rows = [row for row in rows if row[0] in kept]
        assert lkc_holds(form, rows)
        whole += bool(rows)
    assert whole > 5
