"""What `--recoding` and `--memory-limit` mean."""

import pytest

from tacit.anonymize import CellSuppression, DistinctLDiversity, KAnonymity, Microaggregation, PrivacyModel
from tacit.cli.anonymize_options import memory, recoding
from tacit.errors import ConfigError


def test_microaggregation_takes_its_k_from_the_model_unless_it_is_given() -> None:
    models: list[PrivacyModel] = [DistinctLDiversity("ill", 2), KAnonymity(3)]
    assert recoding("microaggregation", models) == Microaggregation(k=3)
    assert recoding("microaggregation:k=7,block=100", models) == Microaggregation(k=7, block=100)
    assert recoding("microaggregation", models[:1]) == Microaggregation()
    assert recoding("microaggregation:k=300", models) == Microaggregation(k=300, block=1200), "a block holds four classes"


def test_cell_suppression_needs_its_share_of_cells() -> None:
    assert recoding(" cell-suppression:limit=0.05", []) == CellSuppression(limit=0.05)
    for text in ("cell-suppression", "cell-suppression:limit=true", 'cell-suppression:limit="0.05"'):
        with pytest.raises(ConfigError, match="needs the share of cells"):
            recoding(text, [])


@pytest.mark.parametrize("text", ["local:k=5", "microaggregation:size=5", "cell-suppression:limit=0.1,k=5", "name", ""])
def test_what_no_recoding_has_is_refused_and_never_ignored(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--recoding knows full-domain, local, mondrian, microaggregation\[:"):
        recoding(text, [KAnonymity(5)])


@pytest.mark.parametrize("text", ["full-domain", "local", "mondrian"])
def test_a_recoding_without_settings_is_its_name(text: str) -> None:
    assert recoding(text, [KAnonymity(5)]) == text


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4 * 10**9), ("1.5 gb", 1_500_000_000), ("512MiB", 2**29), (" 2TiB ", 2**41), ("300mb", 3 * 10**8)]
)
def test_a_size_is_a_number_and_its_unit(text: str, size: int) -> None:
    assert memory(text) == size


@pytest.mark.parametrize("text", ["", "4", "GB", "4G", "-4GB", "4 GBit", "1e3MB", "4KB", "0x4GB", "nanGB"])
def test_a_size_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--memory-limit takes a number and MB.*For example 4GB"):
        memory(text)
