"""Columns whose stand-ins give themselves away, whatever the key: a stand-in hides a value, not how often it occurs."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.identify.recognizers import contact, dates, money, national, places
from tacit.anonymize.identify.recognizers.recognizer import matches
from tacit.anonymize.pseudonymize.naming import Named
from tacit.errors import PrivacyError

FEWEST_DISTINCT = 1_000
"""A column of fewer values that each occur twice or more on average is a category, not an identifier."""
MOST_EXPOSED = 0.1
"""Largest share of rows that their stand-ins' counts alone may give away."""
_SEEN = 10
_MIDNIGHT = r"([T ]00:00(:00(\.0+)?)?)?"
_KNOWN: dict[str, str] = {
    "numbers below 1,000": r"-?[0-9]{1,3}([.,][0-9]{1,2})?",
    "years": "(1[89]|20)[0-9]{2}",
    "dates": rf"([0-9]{{4}}([-/.][0-9]{{1,2}}){{2}}|([0-9]{{1,2}}[-/.]){{2}}([0-9]{{4}}|[0-9]{{2}})){_MIDNIGHT}"
    rf"|(1[89]|20)[0-9]{{2}}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])|{dates.WRITTEN_DATE.whole}",
    "times of day": r"[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?",
    "ranges of numbers": r"[\[(]?[0-9]{1,3} ?(-|–|to|,) ?[0-9]{1,3}[\])]?|[<>≤≥]=? ?[0-9]{1,3}|[0-9]{1,3}\+",
    "postcodes": f"{places.POSTCODE.whole}|{places.DIGIT_POSTCODE.whole}",
    "diagnosis codes": r"[A-Z][0-9][0-9AB](\.[0-9A-Z]{1,4})?|[EV][0-9]{2,3}\.[0-9]{1,2}",  # ICD-10, ICD-9
    "codes of two or three capitals": "[A-Z]{2,3}",
    "sexes or yes and no": "(?i)f|m|d|x|w|male|female|man|woman|other|diverse?|intersex|homme|femme|hombre|mujer|mann|frau"
    "|männlich|weiblich|true|false|yes|no|y|n|t",
}
"""Domains that are public and small, by what a whole value looks like."""
_PERSONAL = "|".join(f"(?:{one.whole})" for one in (contact.E_MAIL, money.IBAN, money.CARD, national.SSN))
_SHORT_NUMBER = "[0-9]{1,6}"


def check_entropy(named: Named, what: str, *, force: bool = False) -> str | None:
    """Return None when stand-ins of a column are safe from its counts; else why they are not, if forced, or raise PrivacyError.

    Equal values have equal stand-ins, so the key hides neither which rows are equal nor how often each occurs. Who knows how
    often the values occur elsewhere (a census, last year's table) sorts both lists and matches them: of 200 hospitals' columns
    under deterministic encryption this gave back sex, age or diagnosis of most patients (Naveed, Kamara & Wright 2015, "Inference
    Attacks on Property-Preserving Encrypted Databases", ACM CCS). A column is refused, by the first that applies, when

    1. over half of its rows hold what looks like a value of a small public domain (`_KNOWN`: years, dates, ages, postcodes,
       diagnosis codes, ...), whose frequencies are published and which a holder of the key can list whole;
    2. over half of its rows hold whole numbers of at most six digits, and values repeat (distinct < 95% of the rows): at most a
       million are possible, as with postcodes; numbers that all differ only number the rows;
    3. fewer than 1,000 distinct values occur and each twice or more on average, unless they are e-mail addresses, accounts, cards
       or social security numbers: a category, which other columns narrow further (Bindschaedler et al. 2018, PVLDB 11(11));
    4. by `exposed_share`, counts alone give away over a tenth of the rows, beyond a blind guess.

    Not seen: categories of 1,000 values or more that are about equally frequent, and counts that several tables add up.
    """
    why = _weakness(named)
    if why is None or force:
        return why
    raise PrivacyError(
        f"the column for {what!r} cannot be hidden by stand-ins that are equal for equal values: {why}. How often each stand-in "
        "occurs, or a list of what is possible, would give values away. Drop the column, or generalize it as a quasi-identifier; "
        "force=True overrides this and stands in the record."
    )


def exposed_share(counts: NDArray[np.int64]) -> float:
    """Return the expected share of rows, beyond a blind guess, whose value is known from how often its stand-in occurs; 0..1.

    counts -- shape (d,): rows of each value, >= 1.
    The attacker knows how often each value occurs among as many other people. Both counts vary as Poisson's do: the root of one
    has a standard deviation of 1/2 whatever its size, so values are told apart when their roots round to different whole numbers,
    and counts under 10 not at all. Of g values that are not told apart each fits each of the g stand-ins equally well: whatever
    the guess, the expected rows guessed right are 1/g of all of theirs. A blind guess is right for 1/d of all rows.
    """
    if not len(counts):
        return 0.0
    levels = np.where(counts < _SEEN, 0, np.rint(np.sqrt(counts))).astype(np.int64)
    right = np.bincount(levels, weights=counts)[(held := np.bincount(levels)) > 0] / held[held > 0]
    return max(0.0, float(right.sum() / counts.sum()) - 1 / len(counts))


def _weakness(named: Named) -> str | None:
    """Return the first reason against stand-ins of a column, in words; None when there is none."""
    array, texts, counts = named.array, *_counted(named)
    rows, distinct = int(counts.sum()), len(texts)
    if not rows:
        return None
    if pa.types.is_boolean(array.type) or pa.types.is_date(array.type):
        return "it holds dates" if pa.types.is_date(array.type) else "it holds truth values"

    def share(pattern: str) -> float:
        return float(counts[matches(texts, f"^(?:{pattern})$")].sum()) / rows

    if share("|".join(f"(?:{shape})" for shape in _KNOWN.values())) > 0.5:
        kind = max(_KNOWN, key=lambda name: share(_KNOWN[name]))
        return f"most of it looks like {kind}"
    if share(_SHORT_NUMBER) > 0.5 and distinct < 0.95 * rows:
        return f"at most a million values are possible, and {distinct} occur in {rows} rows"
    if distinct < min(FEWEST_DISTINCT, rows / 2) and share(_PERSONAL) < 0.9:
        return f"{distinct} distinct values in {rows} rows"
    exposed = exposed_share(counts)
    return f"counts alone give away {exposed:.0%} of {rows} rows" if exposed > MOST_EXPOSED else None


def _counted(named: Named) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the distinct texts that name a column's values, without outer spaces, and the rows of each."""
    coded = pa.array([text.strip() for text in named.texts], pa.string()).dictionary_encode()
    of_value = np.asarray(coded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    of_row = np.asarray(named.indices.drop_null().to_numpy(zero_copy_only=False), dtype=np.int64)
    return coded.dictionary, np.bincount(of_value[of_row], minlength=len(coded.dictionary)).astype(np.int64)
