"""A file released equals the table that `anonymize` releases; what would break its promise leaves nothing behind."""

import gzip
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from anonymize.scale.people import AGE, QUASI, TOWN, as_rows, people, request
from tacit.anonymize import outcome
from tacit.anonymize.hierarchies import TreeHierarchy
from tacit.anonymize.privacy_models import DistinctLDiversity, KAnonymity
from tacit.anonymize.release import anonymize
from tacit.errors import ConfigError, DataError, PrivacyError
from tacit.tables import read_table

pytest.importorskip("ibis", reason="not run: ibis and duckdb")

from tacit.anonymize.scale import anonymize_file, check, count_columns, expressions, profile, recoded, release, writing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A Parquet file of people, alone in its folder."""
    pq.write_table(people(), tmp_path / "people.parquet")
    return tmp_path / "people.parquet"


def released(source: Any, **changed: Any) -> Any:
    """Release a file beside its source, in the place of the release before."""
    target = changed.pop("target", Path(source).parent / "released.parquet")
    return anonymize_file(source, target, overwrite=True, **request(**changed))


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 12))])
def test_a_file_is_released_as_the_table_in_it_would_be(tmp_path: Path, seed: int) -> None:
    table = people(rows=150 + 30 * seed, seed=seed)
    pq.write_table(table, tmp_path / "people.parquet", row_group_size=50)
    of_table = anonymize(table, **request())
    of_file = released(tmp_path / "people.parquet")
    assert of_file.score == pytest.approx(of_table.score, abs=2e-10)  # floor10 may fall either way
    assert (of_file.rows, of_file.optimal) == (of_table.rows, True)
    written = pq.read_table(of_file.file)
    assert written.num_rows == of_file.rows - of_file.suppressed
    if of_file.levels == of_table.levels:  # two nodes may share the optimum
        assert written.schema.equals(of_table.table.schema)
        assert as_rows(written) == as_rows(of_table.table)
        figures = ("suppressed", "classes", "smallest_class", "median_class", "largest_class", "settings", "nodes")
        assert [getattr(of_file, name) for name in figures] == [getattr(of_table, name) for name in figures]


def test_the_two_ways_agree_on_levels_for_most_seeds_so_the_comparison_of_rows_is_made(tmp_path: Path) -> None:
    pq.write_table(people(), tmp_path / "people.parquet")
    assert released(tmp_path / "people.parquet").levels == anonymize(people(), **request()).levels


def test_the_order_of_rows_says_nothing_about_the_original_order(tmp_path: Path) -> None:
    table, digests = people(), []
    for seed in range(3):
        shuffled = table.take(np.random.default_rng(seed).permutation(table.num_rows))
        pq.write_table(shuffled, tmp_path / "people.parquet", row_group_size=37 + seed)
        digests.append(released(tmp_path / "people.parquet", threads=1 + seed % 2).sha256)
    assert len(set(digests)) == 1


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv"])
def test_a_text_file_is_read_as_read_table_reads_it(tmp_path: Path, ending: str) -> None:
    source = tmp_path / f"people{ending}"
    options = pyarrow.csv.WriteOptions(delimiter="\t" if "tsv" in ending else ";")
    with gzip.open(source, "wb") if ending.endswith("gz") else source.open("wb") as stream:
        pyarrow.csv.write_csv(people(), stream, options)
    result, of_table = released(source), anonymize(read_table(source), **request())
    assert result.levels == of_table.levels
    texts = of_table.table.cast(pa.schema([(name, pa.string()) for name in of_table.table.column_names]))
    assert as_rows(pq.read_table(result.file)) == as_rows(texts)


def test_two_texts_of_one_number_are_one_released_value(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("income,ill\n1.5,flu\n1.50,cold\n2,flu\n2.0,cold\n,none\n NA ,flu\n")
    result = released(tmp_path / "a.csv", quasi={"income": QUASI["income"]}, require=[KAnonymity(2)], keep=(), sensitive=["ill"])
    assert result.levels == {"income": 0}
    assert pq.read_table(result.file).column("income").to_pylist() == ["1.5", "1.5", "2", "2", None, None]


def test_names_alone_get_the_automatic_hierarchies_that_anonymize_gives_them(file: Path) -> None:
    names = ["age", "income", "home [town]", "note"]
    changed: Any = {"quasi": names, "require": [KAnonymity(3)], "keep": ()}
    assert released(file, **changed).settings == anonymize(people(), **request(**changed)).settings


def test_a_column_without_a_hierarchy_gets_the_automatic_one_beside_those_given(file: Path) -> None:
    mixed = released(file, quasi={**QUASI, "income": None})
    built = anonymize(people(), **request(quasi=["income"])).settings["hierarchies"]["income"]
    assert mixed.settings["hierarchies"] == {**released(file).settings["hierarchies"], "income": built}
    assert list(mixed.automatic) == ["income"]
    assert list(released(file, quasi=list(QUASI)).automatic) == list(QUASI)
    assert released(file).automatic == {}


def test_a_release_within_a_time_limit_says_so_and_not_whether_its_search_ended(file: Path) -> None:
    result = released(file, time_limit=60)
    assert (result.settings["time_limit"], released(file).settings["time_limit"]) == (60, None)
    assert result.optimal
    assert result.manifest()["search"] == "full-domain search, best found"


def test_the_first_rows_are_those_that_read_table_gives(tmp_path: Path) -> None:
    pyarrow.csv.write_csv(people(), tmp_path / "people.csv")
    pq.write_table(people(), tmp_path / "people.parquet")
    assert profile.first_rows(tmp_path / "people.csv", 7).equals(read_table(tmp_path / "people.csv").slice(0, 7).combine_chunks())
    assert as_rows(profile.first_rows(tmp_path / "people.parquet", 400).drop_columns(["income"])) == as_rows(
        people().drop_columns(["income"])
    )


def test_a_folder_of_parts_is_one_table(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for i in range(4):
        pq.write_table(people().slice(100 * i, 100), tmp_path / "parts" / f"{i}.parquet")
    pq.write_table(people(), tmp_path / "whole.parquet")
    with pytest.raises(ConfigError, match="a part of the table"):
        released(tmp_path / "parts", target=tmp_path / "parts" / "a.parquet")
    assert nothing_left(tmp_path / "parts", *(f"{i}.parquet" for i in range(4)))
    of_parts = released(tmp_path / "parts", target=tmp_path / "a.parquet")
    assert of_parts.sha256 == released(tmp_path / "whole.parquet", target=tmp_path / "b.parquet").sha256


def test_a_missing_value_is_told_from_every_other(tmp_path: Path) -> None:
    table = pa.table({"town": ["Zet", "Zet", None, None], "ill": ["flu", "cold", "flu", "cold"]})
    pq.write_table(table, tmp_path / "a.parquet")
    result = released(tmp_path / "a.parquet", quasi={"town": TOWN}, require=[KAnonymity(2)], sensitive=["ill"], keep=())
    assert pq.read_table(result.file).column("town").to_pylist() == ["Zet", "Zet", None, None]


def test_the_manifest_has_what_that_of_a_table_has(file: Path) -> None:
    result = released(file)
    of_table = anonymize(people(), **request())
    mine, theirs = result.manifest(), of_table.manifest()
    assert mine.keys() == theirs.keys()
    differ = {"sha256", "checked", "verified"}
    assert {key: mine[key] for key in mine.keys() - differ} == {key: theirs[key] for key in theirs.keys() - differ}
    assert [finding.name for finding in result.findings] == [finding.name for finding in of_table.findings]
    assert "differential privacy" in mine["claim"]


def test_columns_are_counted_where_they_lie(file: Path) -> None:
    table = people()
    for counted in count_columns(file):
        column = table.column(counted.name).to_pylist()
        there = [value for value in column if value is not None and value == value]
        assert (counted.rows, counted.missing, counted.distinct) == (400, 400 - len(there), len(set(there)))


# What must leave nothing behind. Each test plants one fault.


def nothing_left(folder: Path, *files: str) -> bool:
    return sorted(path.name for path in folder.iterdir()) == sorted(files)


def test_a_suppression_that_is_forgotten_is_noticed_in_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = recoded.kept_ranks
    monkeypatch.setattr(release, "kept_ranks", lambda columns, codes, kept: honest(columns, codes, np.ones_like(kept)))
    with pytest.raises(PrivacyError, match=r"other numbers of rows.*fewer than 3 rows"):
        released(file)
    assert nothing_left(file.parent, "people.parquet")


def test_a_model_that_the_search_forgets_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = outcome.recode
    monkeypatch.setattr(
        release, "recode", lambda coded, tuples, models, *more, **named: honest(coded, tuples, models[:1], *more, **named)
    )
    with pytest.raises(PrivacyError):
        released(file, require=[KAnonymity(2), DistinctLDiversity("ill", 3)])
    assert nothing_left(file.parent, "people.parquet")


def test_a_wrong_label_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = recoded.recode_columns

    def shifted(*arguments: Any) -> Any:
        columns = honest(*arguments)
        for column in columns:
            if not column.top and pa.types.is_string(column.read.type):
                wrong = pa.concat_arrays([column.released.slice(1), column.released.slice(0, 1)])
                object.__setattr__(column, "released", wrong)
                object.__setattr__(column, "read", wrong)
        return columns

    monkeypatch.setattr(release, "recode_columns", shifted)
    with pytest.raises(PrivacyError, match=r"not original rows at the declared levels|declared level does not give"):
        released(file)
    assert nothing_left(file.parent, "people.parquet")


def test_a_source_that_changes_meanwhile_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = expressions.release_rows

    def later(*arguments: Any) -> Any:
        pq.write_table(people(seed=2), file)
        return honest(*arguments)

    monkeypatch.setattr(release, "release_rows", later)
    with pytest.raises((PrivacyError, DataError)):
        released(file)
    assert nothing_left(file.parent, "people.parquet")


def test_what_was_there_stays_when_a_release_fails(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released(file)
    before = (file.parent / "released.parquet").read_bytes()

    def stopped(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(release, "check_file", lambda *arguments, **named: stopped())
    with pytest.raises(KeyboardInterrupt):
        released(file, require=[KAnonymity(9)])
    assert (file.parent / "released.parquet").read_bytes() == before
    assert nothing_left(file.parent, "people.parquet", "released.parquet")


@pytest.mark.slow
def test_a_killed_run_leaves_no_released_file(file: Path) -> None:
    script = f"""
        import time
        from anonymize.scale.people import request
        from tacit.anonymize.scale import anonymize_file, release
        release.check_file = lambda *arguments, **named: (print("written", flush=True), time.sleep(60))
        anonymize_file({str(file)!r}, {str(file.parent / "released.parquet")!r}, **request())
    """
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    time.sleep(0.01)
    assert not (file.parent / "released.parquet").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_point_leaves_nothing_behind(file: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The scratch folder and the draft are there when it comes; both hold private rows."""
    seen = []

    def signalled(draft: Path, *arguments: Any, **named: Any) -> None:
        seen.extend([draft.stat().st_size > 0, named["scratch"].is_dir()])
        os.kill(os.getpid(), number)
        time.sleep(20)

    monkeypatch.setattr(release, "check_file", signalled)
    with pytest.raises((SystemExit, KeyboardInterrupt)) as caught:
        released(file)
    assert seen == [True, True]
    assert number == signal.SIGINT or caught.value.args == (143,)
    assert nothing_left(file.parent, "people.parquet")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_signal_in_the_middle_of_a_query_is_itself_again() -> None:
    """DuckDB alone would make a RuntimeError of it, which ends in a traceback in place of the exit code."""
    import duckdb

    with pytest.raises(SystemExit, match="143"), writing.ended_by_signals():
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        duckdb.connect(config={"threads": 1}).sql("SELECT sum(a.range % 7) FROM range(300000000000) a").fetchall()
    with pytest.raises(RuntimeError, match="another"), writing.ended_by_signals():
        raise RuntimeError("another")


def test_a_handler_of_the_program_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with writing.ended_by_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM, signal.SIGTERM]


def test_a_file_that_is_there_is_replaced_only_when_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = file.parent / "released.parquet"
    target.write_bytes(b"somebody's work")
    with pytest.raises(ConfigError, match=r"exists already.*overwrite"):
        anonymize_file(file, target, **request())
    with pytest.raises(ConfigError, match="exists already"):
        anonymize_file(file.parent / "not looked for.parquet", target, **request())
    assert target.read_bytes() == b"somebody's work"
    assert anonymize_file(file, target, overwrite=True, **request()).rows == 400
    target.unlink()
    honest = check.check_file

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        target.write_bytes(b"somebody's work")
        return honest(*arguments, **named)

    monkeypatch.setattr(release, "check_file", meanwhile)
    with pytest.raises(ConfigError, match="exists already"):
        anonymize_file(file, target, **request())
    assert target.read_bytes() == b"somebody's work"
    assert nothing_left(file.parent, "people.parquet", "released.parquet")


def test_the_input_is_never_touched(file: Path) -> None:
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    (file.parent / "alias.parquet").symlink_to(file)
    for target in (file, file.parent / "alias.parquet", file.parent / "." / "people.parquet"):
        with pytest.raises(ConfigError, match="is the input"):
            released(file, target=target)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_a_release_is_private_to_its_owner_until_it_is_given_away(file: Path) -> None:
    assert released(file).file.stat().st_mode & 0o777 == 0o600


# What is asked for wrongly.


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"quasi": {}}, "at least one quasi-identifier"),
        ({"quasi": "age"}, "lists of column names"),
        ({"quasi": {"agee": AGE}}, "is not in the table"),
        ({"sensitive": ("age",)}, "quasi-identifiers and as sensitive"),
        ({"keep": ("visits", "visits")}, "named twice"),
        ({"keep": ("absent",)}, "is not in the table"),
        ({"require": []}, "at least one privacy model"),
        ({"suppression_limit": 1.0}, "suppression_limit"),
        ({"time_limit": 0}, "time_limit"),
        ({"time_limit": True}, "time_limit"),
        ({"minimize": "loss"}, "minimize must be a metric"),
        ({"require": [KAnonymity(401)]}, "no combination of levels"),
        ({"quasi": {"home [town]": TreeHierarchy(rows=(("Zet",),))}}, "home \\[town\\]"),
        ({"memory_limit": 10}, "memory_limit"),
        ({"threads": 0}, "threads"),
    ],
)
def test_a_wrong_request_is_one_clear_error_and_no_file(file: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        released(file, **changed)
    assert nothing_left(file.parent, "people.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "age,age\n1,2\n", "two of one name"),
        ("a.csv", "age,\n1,2\n", "without a name"),
        ("a.csv", "age,ill\n", "no rows"),
        ("a.csv", "age,ill\n31,Rosebud\n32\n33,flu,Rosebud\n", "cannot be read to its end"),
        ("a.csv", "age,ill\n,flu\n,cold\n", "missing in every row"),
        ("a.xlsx", "age,ill\n", "ends in none of"),
        ("a.parquet", "age,ill\n31,Rosebud\n", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_one_clear_error_without_its_values(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        released(tmp_path / name, quasi={"age": AGE}, require=[KAnonymity(2)], keep=())
    assert "Rosebud" not in str(caught.value)
    assert nothing_left(tmp_path, name)


@pytest.mark.parametrize("target", ["a.csv", "missing/a.parquet", "folder.parquet"])
def test_a_target_that_cannot_be_written_is_refused_at_once(file: Path, target: str) -> None:
    (file.parent / "folder.parquet").mkdir()
    with pytest.raises(ConfigError):
        released(file, target=file.parent / target)


def test_an_unreadable_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source, message in ((tmp_path / "absent.parquet", "no file"), (tmp_path / "empty", "no .parquet file")):
        with pytest.raises(DataError, match=message):
            released(source, target=tmp_path / "out.parquet")


def test_a_manifest_tells_no_value_that_was_left_out(tmp_path: Path) -> None:
    """One person lives in a town of their own and is suppressed; an automatic hierarchy would list the town."""
    table = pa.table({"age": [30, 40] * 30 + [35], "town": ["Kiel"] * 60 + ["Husum"]})
    pq.write_table(table, tmp_path / "people.parquet")
    result = anonymize_file(
        tmp_path / "people.parquet",
        tmp_path / "released.parquet",
        quasi=["age", "town"],
        require=[KAnonymity(3)],
        suppression_limit=0.1,
    )
    assert result.suppressed >= 1
    assert "Husum" not in str(result.manifest())


@pytest.mark.parametrize("name", ["z[1].parquet", "z?.parquet", "z*.csv"])
def test_a_name_that_the_database_would_take_for_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    pq.write_table(people(), tmp_path / "z1.parquet")
    (tmp_path / name).write_bytes((tmp_path / "z1.parquet").read_bytes())
    with pytest.raises(ConfigError, match="pattern"):
        released(tmp_path / name)
