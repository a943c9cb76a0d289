"""Fixed texts of the report, in plain language: chapters, glossary."""

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
        "The training is run many times with and without one planted record. What an observer can tell apart bounds "
        "the true epsilon from below; if that bound passed the proved epsilon, the promise would be false.",
    ),
}
"""Step name -> (usual title, what the chapter is about)."""

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
    ("Proved and audited", "The proof bounds epsilon from above, the audit from below. The truth lies between."),
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
