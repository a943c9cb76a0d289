"""Presidio's analyzer as an optional engine for free text, kept off the network.

Presidio 2.2 asks tldextract about every e-mail address, which fetches the public-suffix list on its first use, and downloads a
spaCy model that is not installed. Here the list is the one that tldextract brings along, and the pipeline is a blank one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.anonymize.text.spans import Span, Spans, spans_of
from tacit.errors import ConfigError, MissingExtra, PrivacyError

_LANGUAGE = "en"
_KINDS = {
    "EMAIL_ADDRESS": "e-mail",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "MAC_ADDRESS": "device",
    "DATE_TIME": "date",
    "URL": "url",
    "PHONE_NUMBER": "phone",
    "US_SSN": "ssn",
    "PERSON": "name",
    "LOCATION": "place",
    "US_DRIVER_LICENSE": "licence",
    "MEDICAL_LICENSE": "licence",
    "US_PASSPORT": "passport",
    "US_BANK_NUMBER": "account",
    "US_ITIN": "national number",
    "UK_NHS": "national number",
    "UK_NINO": "national number",
}
"""tacit's kind of a Presidio entity; another entity is called by its own name, in small letters."""


def offline_analyzer(nlp_engine: Any = None) -> Any:
    """Return an AnalyzerEngine of Presidio's, for English, whose recognizers open no connection.

    nlp_engine -- an NlpEngine of Presidio's that is loaded, for people and places; None is a blank spaCy pipeline, which finds
        what patterns find. Add recognizers of your own to the result's `registry`.
    Raises MissingExtra when presidio-analyzer is not installed.
    """
    try:
        import spacy  # type: ignore[import-not-found, unused-ignore]
        import tldextract  # type: ignore[import-not-found, unused-ignore]
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry  # type: ignore[import-not-found, unused-ignore]
        from presidio_analyzer.nlp_engine import SpacyNlpEngine  # type: ignore[import-not-found, unused-ignore]
        from presidio_analyzer.predefined_recognizers import EmailRecognizer  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise MissingExtra(
            "Presidio's analyzer is not installed. engine='presidio' needs it; tacit's own recognizers need nothing. "
            "Install it with: pip install 'tacit[text]'"
        ) from None
    suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # the snapshot in the package, no fetch, no cache

    class OfflineEmailRecognizer(EmailRecognizer):  # type: ignore[misc, unused-ignore]
        """Presidio's recognizer of e-mail addresses, asking the list that came with tldextract."""

        def validate_result(self, pattern_text: str) -> bool:
            return bool(suffixes(pattern_text).fqdn)

    if nlp_engine is None:
        nlp_engine = SpacyNlpEngine(models=[{"lang_code": _LANGUAGE, "model_name": "blank"}])
        nlp_engine.nlp = {_LANGUAGE: spacy.blank(_LANGUAGE)}
    registry = RecognizerRegistry(supported_languages=[_LANGUAGE])
    registry.load_predefined_recognizers(languages=[_LANGUAGE], nlp_engine=nlp_engine)
    registry.recognizers = [one for one in registry.recognizers if not isinstance(one, EmailRecognizer)]
    registry.add_recognizer(OfflineEmailRecognizer(supported_language=_LANGUAGE))
    return AnalyzerEngine(registry=registry, nlp_engine=nlp_engine, supported_languages=[_LANGUAGE])


def presidio_spans(
    texts: pa.Array,
    *,
    engine: Any,
    kinds: Sequence[str] | None,
    on_progress: Callable[[int, int], None] | None,
) -> Spans:
    """Return what an analyzer engine finds in texts, under tacit's names of kinds; they may overlap.

    engine -- "presidio" for `offline_analyzer()`, or an AnalyzerEngine made by it.
    Raises ConfigError for another engine, PrivacyError for one that could open a connection.
    """
    analyzer = offline_analyzer() if engine == "presidio" else _checked(engine)
    found = []
    for row, text in enumerate(texts.to_pylist()):
        for one in analyzer.analyze(text, language=_LANGUAGE):
            kind = _KINDS.get(one.entity_type, one.entity_type.lower().replace("_", " "))
            if kinds is None or kind in kinds:
                found.append(Span(row=row, start=one.start, end=one.end, kind=kind, score=float(np.clip(one.score, 0, 1))))
        if on_progress:
            on_progress(row + 1, len(texts))
    return spans_of(found, tuple(sorted({one.kind for one in found})))


def _checked(engine: Any) -> Any:
    if not hasattr(engine, "analyze") or not hasattr(engine, "registry"):
        raise ConfigError(
            f"engine must be 'tacit', 'presidio' or an analyzer engine of Presidio's, got {engine!r}. It searches the texts. "
            "Make one with tacit.anonymize.text.presidio.offline_analyzer."
        )
    if any(
        type(one).__module__.startswith("presidio_analyzer.") and "Email" in type(one).__name__
        for one in engine.registry.recognizers
    ):
        raise PrivacyError(
            "the analyzer given holds Presidio's own e-mail recognizer, which fetches a list from the network when it meets the "
            "first address. Who runs that server learns that personal data is being searched here. "
            "Make the analyzer with tacit.anonymize.text.presidio.offline_analyzer and add your recognizers to it."
        )
    return engine
