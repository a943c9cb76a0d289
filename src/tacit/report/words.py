"""Fixed texts of the report, in plain language: chapters, labels, glossary."""

CHAPTERS: dict[str, tuple[str, str]] = {
    "scan": (
        "Personal data found",
        "Which columns name people, single them out in combination, or hold what must not be learned about one person.",
    ),
    "anonymize": (
        "The anonymized table",
        "Names are gone or replaced, and rare combinations are blurred until every row looks like several others. "
        "This is a property of one table, not a promise about what can be learned: it has no epsilon, "
        "and it is weaker the more an attacker already knows.",
    ),
    "train": (
        "The private model",
        "Trained on the original rows. In every step each row's influence was cut to a fixed size and noise was added, "
        "so that the promise below holds whatever else an attacker knows.",
    ),
    "twin": (
        "Its twin without privacy",
        "The same model trained in the ordinary way, as a yardstick. It carries no promise and stays with the custodian.",
    ),
    "utility": (
        "What the models are worth",
        "How often each model is right on rows it has not seen, beside always answering the most common label.",
    ),
    "evaluate": (
        "What the models are worth",
        "How often each model is right on rows it has not seen, beside always answering the most common label.",
    ),
    "attack": (
        "Attacks on both models",
        "Can someone who holds the models tell whose rows they were trained on? "
        "An attack that fails proves nothing; one that succeeds proves harm.",
    ),
    "audit": (
        "Auditing the promise",
        "The training is run many times with and without one planted record, by the plan's own sampler, clipping, noise "
        "and source of randomness. What an observer can tell apart bounds the epsilon of what ran from below; "
        "a bound above the proved epsilon would make the promise false. Not contradicted is not confirmed: "
        "at a thousand runs a side only gross faults show, such as missing noise; halved noise does not.",
    ),
}
"""Step name -> (usual title, what the chapter is about)."""

MADE_UP_ROWS = (
    "It runs on made-up rows: it tests the sampler, clipping, noise and accounting, not how the private rows were read."
)
"""Said of an audit whose findings are public, since its twins then saw no private row."""

LABELS: dict[str, str] = {
    "absent": "runs without the record",
    "anchor": "anchor of the ledger",
    "audit_canaries": "planted records of the one-run audit",
    "audit_runs": "runs of the audit, each way",
    "auc_limit": "largest AUC of any attack",
    "batch_size": "expected batch size",
    "by_level": "level by level",
    "canaries": "planted records",
    "class": "most common label",
    "correct": "guesses that were right",
    "delimiter": "separator of fields",
    "false_positive_interval": "interval of the false-positive rate",
    "false_positive_rate": "false-positive rate measured",
    "false_positives": "runs without the record above the threshold",
    "hidden": "hidden layers",
    "id": "column that names rows",
    "level": "false-positive rate aimed at",
    "levels": "level of blurring",
    "limit": "most any attack can reach",
    "loss": "loss",
    "lost": "loss",
    "minimize": "what counts as lost",
    "missing": "read as missing",
    "neighbours": "neighbouring data sets",
    "nonmembers": "people outside, measured",
    "of": "each",
    "p_value": "p-value",
    "positive": "label looked for",
    "probability": "sampling probability",
    "proved": "proved epsilon, at most",
    "recoding": "way of blurring",
    "require": "further privacy models",
    "rows_origin": "origin of the number of rows",
    "runs": "runs with the record",
    "share_correct": "share of guesses that were right, and its interval",
    "steps": "steps planned",
    "suppression_limit": "most rows suppressed, as a share",
    "threat_model": "observer",
    "time_limit": "seconds for the search, at most",
    "training_share": "share of rows for training",
    "true_positives": "runs with the record above the threshold",
    "twin": "twin without privacy",
    "unit": "who is protected",
}
"""Name of a setting or detail -> what a reader sees, where spaces for underscores do not do. Display only."""

ROLES: dict[str, str] = {"quasi": "quasi-identifier", "ignore": "ignored"}
"""Role of a column -> what a reader sees, where the word itself does not do."""


def label(name: str) -> str:
    """Return what a reader sees for the name of a setting, a detail or a planned value."""
    return LABELS.get(name, name.replace("_", " "))


GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "Epsilon (ε)",
        "How much one person's row can shift what an observer sees. "
        "0 reveals nothing; each further 0.7 doubles the possible shift in odds.",
    ),
    (
        "Delta (δ)",
        "The small share of probability for which epsilon may fail. It should lie well below one over the number of rows.",
    ),
    (
        "Differential privacy",
        "A promise about a procedure, not a table: its output is nearly as likely with any one row emptied as with it.",
    ),
    (
        "Proved and audited",
        "The proof bounds epsilon from above. The audit runs the same procedure many times and bounds its epsilon from below, "
        "with the stated confidence.",
    ),
    (
        "Exact, public, dp",
        "Where a figure comes from: from private rows without noise (exact), from settings alone or from made-up rows "
        "(public), or from a release that was charged (dp).",
    ),
    (
        "k-anonymity",
        "Every row shares its quasi-identifiers with at least k − 1 others. A rule about one table; it has no epsilon.",
    ),
    ("Quasi-identifier", "A column, such as age, that singles people out together with others."),
    ("Membership inference", "Guessing whether one person's row was among those a model was trained on."),
    ("Interval", "Where the true value lies with the stated confidence, given how many rows were looked at."),
    ("Ledger", "The signed list of every access to private data, written before anything was released."),
)

CLOSING = (
    "This report states what was proved, measured and released. "
    "Whether that is enough is a judgement for people; no sentence here is a legal verdict."
)
