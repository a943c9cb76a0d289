"""The demo's study: the 1974 Redbook survey, with clearly labelled synthetic identifiers added.

Source of the rows: statsmodels.datasets.fair (Fair 1978, A theory of extramarital affairs, J. of Political Economy 86).
"""

from importlib import resources
from pathlib import Path

from tacit.errors import ConfigError, MissingExtra
from tacit.privacy.ledger import durable
from tacit.study.loading import Study, load_study

NAME = "demo"
EPSILON, DELTA = 3.0, 1e-5
BREAKS = ("no-noise",)
"""Faults that `tacit demo --break` can plant."""

_FIRST = ("Ada", "Bea", "Cleo", "Dora", "Edith", "Fay", "Gina", "Hope", "Ines", "June", "Kay", "Lena", "Mona", "Nell", "Olive")
_LAST = ("Abbot", "Baker", "Cole", "Drake", "Ellis", "Frost", "Gray", "Hale", "Irwin", "Jones", "Kemp", "Lowe", "Marsh", "Nash")
_NOTES = (
    "called back on {day}, asked for {name}",
    "returned the form late; reach her at {mail}",
    "no remarks",
    "prefers post, phone {phone}",
)


def study_text() -> str:
    """Return the study file that the package ships."""
    return resources.files("tacit.study").joinpath("demo.toml").read_text(encoding="utf-8")


def script_text() -> str:
    """Return the script that walks the same way through the library."""
    return resources.files("tacit.study").joinpath("demo_script.py.txt").read_text(encoding="utf-8")


def write_people(path: Path) -> None:
    """Write the survey with synthetic names, e-mails, phones and notes as a CSV file; the same bytes every time.

    Raises MissingExtra when statsmodels is not installed.
    """
    try:
        from statsmodels.datasets import fair
    except ImportError:
        raise MissingExtra(
            "the demo's data come with statsmodels, which is not installed. Type: pip install 'tacit[demo]'"
        ) from None
    rows = fair.load_pandas().data
    columns = list(rows.columns)
    header = ["person_id", "name_synthetic", "email_synthetic", "phone_synthetic", "note_synthetic", *columns]
    lines = [",".join(header)]
    for number, values in enumerate(rows.itertuples(index=False, name=None)):
        lines.append(",".join([*_synthetic(number), *(f"{value:g}" for value in values)]))
    durable.replace(path, ("\n".join(lines) + "\n").encode())


def _synthetic(number: int) -> list[str]:
    """Return made-up identifiers of row `number`: reserved domains and the phone numbers set aside for fiction."""
    name = f"{_FIRST[number % len(_FIRST)]} {_LAST[number // len(_FIRST) % len(_LAST)]}"
    mail = f"{name.lower().replace(' ', '.')}.{number}@example.org"
    phone = f"+1-{201 + number // 100}-555-01{number % 100:02d}"
    note = _NOTES[number % len(_NOTES)].format(day=f"1974-05-{1 + number % 28:02d}", name=name, mail=mail, phone=phone)
    return [f"P{number:05d}", name, mail, phone, f'"{note}"']


def prepare(folder: Path, *, name: str = NAME) -> Study:
    """Write the demo's data and study file into a folder, where they are not there yet, and return the study.

    A study file that differs from the one shipped is kept: a user's change counts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, study = folder / "people.csv", folder / "study.toml"
    if not data.exists():
        write_people(data)
    if not study.exists():
        durable.replace(study, (study_text().replace(f'name = "{NAME}"', f'name = "{name}"')).encode())
    return load_study(study)


def eject(folder: Path) -> list[Path]:
    """Write the data, the study file and a script of a page into a folder; refuse to overwrite. Returns the paths."""
    paths = [folder / name for name in ("people.csv", "study.toml", "demo.py")]
    existing = [path for path in paths if path.exists()]
    if existing:
        raise ConfigError(
            f"{existing[0]} exists already and may hold your changes, so nothing was written. Give another folder: --out FOLDER."
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_people(paths[0])
    durable.replace(paths[1], (study_text()).encode())
    durable.replace(paths[2], (script_text()).encode())
    return paths
