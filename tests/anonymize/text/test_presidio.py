"""Presidio as an engine: absent, imitated, and (where its environment is at hand) the real one without network. T15."""

import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from tacit.anonymize.text import find_spans, redact
from tacit.anonymize.text.presidio import offline_analyzer
from tacit.errors import ConfigError, MissingExtra, PrivacyError

ROOT = Path(__file__).parents[3]


def test_without_the_extra_the_engine_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(MissingExtra, match=r"tacit\[text\]"):
        find_spans(["x"], engine="presidio")


class FakeEmail:
    """Stands for Presidio's own recognizer of e-mail addresses."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings


class FakeRegistry:
    def __init__(self, supported_languages: list[str]) -> None:
        self.recognizers: list[Any] = []

    def load_predefined_recognizers(self, languages: list[str], nlp_engine: Any) -> None:
        self.recognizers += ["phone", FakeEmail(), "card"]

    def add_recognizer(self, one: Any) -> None:
        self.recognizers.append(one)


class FakeEngine:
    def __init__(self, registry: FakeRegistry, nlp_engine: Any, supported_languages: list[str]) -> None:
        self.registry, self.nlp_engine = registry, nlp_engine

    def analyze(self, text: str, language: str) -> list[Any]:
        kinds = {"EMAIL_ADDRESS": (0, 7, 1.0), "URL": (2, 7, 0.5), "AU_TFN": (8, 10, 0.6)}
        return [types.SimpleNamespace(entity_type=kind, start=a, end=b, score=score) for kind, (a, b, score) in kinds.items()]


@pytest.fixture
def imitated(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put an imitation of Presidio in its place; return the settings that tldextract was asked for."""
    asked: list[dict[str, Any]] = []

    def extract(**settings: Any) -> Any:
        asked.append(settings)
        return lambda text: types.SimpleNamespace(fqdn="b.org" if text.endswith(".org") else "")

    FakeEmail.__module__ = "presidio_analyzer.predefined_recognizers.generic.email_recognizer"
    FakeEmail.__name__ = "EmailRecognizer"
    nlp = types.SimpleNamespace(SpacyNlpEngine=lambda models: types.SimpleNamespace(nlp=None))
    modules = {
        "presidio_analyzer": types.SimpleNamespace(AnalyzerEngine=FakeEngine, RecognizerRegistry=FakeRegistry),
        "presidio_analyzer.nlp_engine": nlp,
        "presidio_analyzer.predefined_recognizers": types.SimpleNamespace(EmailRecognizer=FakeEmail),
        "spacy": types.SimpleNamespace(blank=lambda language: f"blank {language}"),
        "tldextract": types.SimpleNamespace(TLDExtract=extract),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return asked


def test_t15_the_list_of_suffixes_is_never_fetched_and_the_pipeline_never_downloaded(imitated: list[dict[str, Any]]) -> None:
    analyzer = offline_analyzer()
    assert imitated == [{"suffix_list_urls": (), "cache_dir": None}]
    own: list[Any] = [one for one in analyzer.registry.recognizers if isinstance(one, FakeEmail)]
    assert len(own) == 1
    assert type(own[0]) is not FakeEmail
    assert [own[0].validate_result(text) for text in ("a@b.org", "a@b")] == [True, False]
    assert analyzer.nlp_engine.nlp == {"en": "blank en"}


@pytest.mark.usefixtures("imitated")
def test_spans_of_presidio_carry_tacit_s_kinds_and_overlaps_are_resolved() -> None:
    spans = [(one.start, one.end, one.kind, one.score) for one in find_spans(["a@b.org 12"], engine="presidio")]
    assert spans == [(0, 7, "e-mail", 1.0), (8, 10, "au tfn", 0.6)]
    assert [one.kind for one in find_spans(["a@b.org 12"], engine="presidio", kinds=["au tfn"])] == ["au tfn"]
    assert redact(["a@b.org 12"], engine="presidio").texts.to_pylist() == ["[E-MAIL] [AU TFN]"]
    assert [one.row for one in find_spans(["a@b.org 12", None, "a@b.org 12"], engine="presidio")] == [0, 0, 2, 2]


@pytest.mark.usefixtures("imitated")
def test_an_analyzer_that_could_reach_for_the_network_is_refused() -> None:
    unsafe = FakeEngine(FakeRegistry(["en"]), None, ["en"])
    unsafe.registry.load_predefined_recognizers(["en"], None)
    with pytest.raises(PrivacyError, match="offline_analyzer"):
        find_spans(["a@b.org 12"], engine=unsafe)
    assert len(find_spans(["a@b.org 12"], engine=offline_analyzer())) == 2


@pytest.mark.usefixtures("imitated")
def test_settings_that_presidio_would_not_hear_are_refused() -> None:
    for settings in ({"names": ["Ann"]}, {"protective": False}):
        with pytest.raises(ConfigError, match="ignored"):
            find_spans(["x"], engine="presidio", **settings)
    with pytest.raises(ConfigError, match="engine must be"):
        find_spans(["x"], engine=3)


_REAL = """\
import sys
sys.path.insert(0, {source!r})
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise RuntimeError(event)
sys.addaudithook(refuse)
from tacit.anonymize.text import find_spans
text = "write to ann@example.org, card 4111111111111111"
print([(one.kind, text[one.start:one.end]) for one in find_spans([text], engine="presidio")])
from presidio_analyzer.predefined_recognizers import EmailRecognizer
import tldextract
try:
    EmailRecognizer().validate_result("ann@example.org")
except RuntimeError as error:
    print("its own recognizer asks for", error)
except Exception as error:
    print("its own recognizer asks for", type(error).__name__)
"""


@pytest.mark.slow
def test_t15_the_real_analyzer_runs_with_sockets_refused(tmp_path: Path) -> None:
    python = Path(os.environ.get("TACIT_PEERS", "")) / "presidio" / "bin" / "python"
    if not ("TACIT_PEERS" in os.environ and python.exists()):
        pytest.skip("not run: presidio in $TACIT_PEERS")
    environment = {**os.environ, "TLDEXTRACT_CACHE": str(tmp_path)}
    script = _REAL.format(source=str(ROOT / "src"))
    done = subprocess.run([str(python), "-c", script], capture_output=True, text=True, env=environment, check=True)
    first = done.stdout.splitlines()[0]
    assert first == "[('e-mail', 'ann@example.org'), ('card', '4111111111111111')]"
