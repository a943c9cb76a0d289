"""Text files: what is read, what is left as written, and what is refused with a line and without a value."""

import csv
import gzip
import io
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.errors import ConfigError, DataError
from tacit.tables import Kind, read_table

SECRET = "Wilhelmina Quux"


def _file(folder: Path, text: str | bytes, name: str = "people.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def _read(folder: Path, text: str | bytes, name: str = "people.csv", **options: Any) -> dict[str, list[Any]]:
    return dict(read_table(_file(folder, text, name), **options).to_pydict())


def _refused(folder: Path, text: str | bytes, **options: Any) -> str:
    """Return the message of the DataError; it and what it was raised from show no value."""
    with pytest.raises(DataError) as caught:
        read_table(_file(folder, text), **options)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    text = 'name,age\n"Ash, Ann; x\ty|z",3\nBo,4\n'.replace("name,age", f"name{delimiter}age")
    text = text.replace('",3', f'"{delimiter}3').replace("Bo,4", f"Bo{delimiter}4")
    assert _read(tmp_path, text) == {"name": ["Ash, Ann; x\ty|z", "Bo"], "age": [3, 4]}


def test_decimal_commas_do_not_pass_for_the_delimiter(tmp_path: Path) -> None:
    assert _read(tmp_path, "a;b\n1,5;2,5\n3,5;4,5\n") == {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}


def test_two_possible_delimiters_are_refused_and_naming_one_decides(tmp_path: Path) -> None:
    text = "a,b;c\n1,2;3\n4,5;6\n"
    assert "delimiter=','" in _refused(tmp_path, text)
    assert _read(tmp_path, text, delimiter=",") == {"a": [1, 4], "b;c": ["2;3", "5;6"]}
    assert _read(tmp_path, text, delimiter=";") == {"a,b": ["1,2", "4,5"], "c": [3, 6]}


def test_the_ending_tsv_means_tabs(tmp_path: Path) -> None:
    assert _read(tmp_path, "a,x\tb,x\n1,1\t2,2\n", "people.tsv") == {"a,x": ["1,1"], "b,x": ["2,2"]}


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "§"])
def test_a_delimiter_that_is_not_one_character_is_refused(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(ConfigError, match="delimiter must be"):
        _read(tmp_path, "a,b\n1,2\n", delimiter=delimiter)


def test_the_delimiter_is_found_in_a_file_larger_than_the_sample(tmp_path: Path) -> None:
    rows = "".join(f'{number};"{"long, text " * 20}"\n' for number in range(5_000))
    assert len(_read(tmp_path, "id;note\n" + rows)["id"]) == 5_000


def test_a_first_record_longer_than_the_sample_is_read(tmp_path: Path) -> None:
    names = [f"column_with_a_long_name_{number}" for number in range(3_000)]
    text = ";".join(names) + "\n" + ";".join("1" * len(names)) + "\n"
    assert list(_read(tmp_path, text)) == names


def test_quoted_line_ends_quotes_and_every_kind_of_line_end_are_read(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        text = f'{end}name,note{end}Bo,"said ""no"",{end}twice"{end}{end}Cy,5" pipe{end}'
        assert _read(tmp_path, text) == {"name": ["Bo", "Cy"], "note": [f'said "no",{end}twice', '5" pipe']}


def test_a_row_longer_than_two_blocks_is_read(tmp_path: Path) -> None:
    long = "x" * (20 << 20)
    assert _read(tmp_path, f'a,b\n1,{long}\n2,""\n') == {"a": [1, 2], "b": [long, None]}


def test_quoted_line_ends_are_read_wherever_a_block_ends(tmp_path: Path) -> None:
    note = "line\n" * 40 + "end"
    found = _read(tmp_path, "n,note\n" + f'1,"{note}"\n' * 60_000)
    assert len(found["n"]) == 60_000
    assert set(found["note"]) == {note}


def test_a_record_cut_by_the_end_of_the_sample_does_not_count(tmp_path: Path) -> None:
    text = "first;second;third,value\n" + f"{'x' * 995},1\n" * 100
    assert list(_read(tmp_path, text)) == ["first;second;third", "value"]


def test_a_byte_order_mark_and_compression_change_nothing(tmp_path: Path) -> None:
    text = "größe,n\nüber,1\n"
    expected = {"größe": ["über"], "n": [1]}
    assert _read(tmp_path, text.encode("utf-8-sig")) == expected
    assert _read(tmp_path, gzip.compress(text.encode()), "people.csv.gz") == expected
    assert _read(tmp_path, text.encode("cp1252"), encoding="cp1252") == expected
    assert _read(tmp_path, text.encode("utf-16"), encoding="utf-16") == expected
    assert _read(tmp_path, text.encode("utf-8-sig"), encoding="utf-8") == expected


def test_a_wrong_encoding_is_refused_with_its_byte_line_and_remedy(tmp_path: Path) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        raw = mark + b"\r\nname,n\r\n" + f"{SECRET},1\r\n".encode() + "Jürgen,2\r\n".encode("cp1252")
        message = _refused(tmp_path, raw)
        assert f"byte {raw.index(0xFC)}, in line 4" in message
        assert 'encoding="cp1252"' in message
    assert "byte 1, in line 1" in _refused(tmp_path, "gü,n\n1,2\n".encode("cp1252"))  # in the header
    assert "byte" in _refused(tmp_path, "gü,n\n1,2\n".encode(), encoding="ascii")


def test_a_wrong_encoding_far_into_the_file_is_found(tmp_path: Path) -> None:
    raw = b"a,b\n" + b"1,2\n" * 400_000 + b"\xff,3\n" + b"1,2\n" * 10
    assert f"byte {raw.index(0xFF)}, in line 400002" in _refused(tmp_path, raw)


def test_utf_16_is_named(tmp_path: Path) -> None:
    assert "UTF-16" in _refused(tmp_path, "a,b\n1,2\n".encode("utf-16"))
    assert "zero byte" in _refused(tmp_path, "a,b\n1,2\n".encode("utf-16-le"))
    assert "utf-16" in _refused(tmp_path, b"a,b\n1,2\n3", encoding="utf-16")


def test_an_encoding_python_does_not_know_is_refused(tmp_path: Path) -> None:
    for name in ("klingon", "base64"):
        with pytest.raises(ConfigError, match="not one Python knows"):
            _read(tmp_path, "a,b\n1,2\n", encoding=name)


@pytest.mark.parametrize(("row", "found"), [("3", 1), (f"3,{SECRET},5", 3)])
def test_a_ragged_row_is_refused_with_its_line(tmp_path: Path, row: str, found: int) -> None:
    message = _refused(tmp_path, f'a,b\n1,"two\nlines"\n{row}\n4,5\n')
    assert f"line 4 of {tmp_path / 'people.csv'} has {found} fields where the header has 2" in message


def test_a_ragged_row_far_into_the_file_is_found(tmp_path: Path) -> None:
    assert "line 1500002 " in _refused(tmp_path, "a,b\n" + "1,2222\n" * 1_500_000 + "1\n" + "1,2\n" * 100_000)


def test_a_quote_that_is_never_closed_is_refused_where_it_opens(tmp_path: Path) -> None:
    """Without the check the rest of the file becomes one field, silently."""
    message = _refused(tmp_path, f'a,b\n1,2\n3,"{SECRET}\n4,5\n6,7\n')
    assert "past line 3" in message
    assert "line 3 " in _refused(tmp_path, f'a,b\n1,2\n"{SECRET},3\n4,5\n').replace("line 3:", "line 3 ")


@pytest.mark.parametrize("text", ["", "\n\n", "  \n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    assert "is empty" in _refused(tmp_path, text)


@pytest.mark.parametrize("text", ["a,b\n", "a,b", 'a,"b"\n', "a\n"])
def test_a_header_without_rows_is_an_empty_table(tmp_path: Path, text: str) -> None:
    assert "an empty table" in _refused(tmp_path, text)


def test_names_that_are_missing_repeated_or_numbers_are_refused_by_position(tmp_path: Path) -> None:
    assert "columns 1 and 3" in _refused(tmp_path, f"{SECRET},b, {SECRET} \n1,2,3\n")
    assert "column 1 " in _refused(tmp_path, ",b\n1,2\n")
    assert "looks like a row of data" in _refused(tmp_path, f"39,{SECRET}\n40,Bo\n")


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    _file(tmp_path, "a,b\n1,2\n")
    with pytest.raises(DataError, match=r"Did you mean '.*people\.csv'"):
        read_table(tmp_path / "peple.csv")
    with pytest.raises(DataError, match="there is no file"):
        read_table(tmp_path / "nowhere" / "people.csv")


def test_a_folder_an_unknown_ending_and_a_disguised_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path / "folder.csv")
    with pytest.raises(DataError, match="none of the endings"):
        read_table(_file(tmp_path, "x", "people.xlsx"))
    assert "Excel" in _refused(tmp_path, b"PK\x03\x04....")
    assert "Parquet" in _refused(tmp_path, b"PAR1....")
    assert "damaged gzip" in _refused(tmp_path, gzip.compress(b"a,b\n1,2\n" * 100)[:-20])


def test_codes_dates_and_truth_values_stay_as_written(tmp_path: Path) -> None:
    columns = {
        "code": ["007", "100"],
        "phone": ["+49301234", "0301234"],
        "postcode": ["02139", "10115"],
        "big": ["9007199254740993", "1"],
        "bigger": ["123456789012345678901", "1.5"],
        "date": ["2024-01-31", "2024-02-01"],
        "truth": ["true", "False"],
        "exponent": ["1e5", "12E4"],
        "hex": ["0x10", "0x11"],
        "infinite": ["inf", "1"],
        "overflow": ["1.5e999", "1.0"],
        "thousands": ["1.234.567", "1.5"],
        "underscore": ["1_000", "1"],
    }
    text = ",".join(columns) + "\n" + "\n".join(",".join(row) for row in zip(*columns.values(), strict=True))
    assert _read(tmp_path, text) == columns


def test_plain_numbers_become_numbers(tmp_path: Path) -> None:
    text = "whole,signed,decimal,small,edge\n1,-5,1.50,1e-05,9007199254740992\n20,0,-0.5,2.5E+3,-9007199254740992\n,?,3,.5,NA\n"
    found = read_table(_file(tmp_path, text))
    assert found.to_pydict() == {
        "whole": [1, 20, None],
        "signed": [-5, 0, None],
        "decimal": [1.5, -0.5, 3.0],
        "small": [1e-05, 2500.0, 0.5],
        "edge": [9007199254740992, -9007199254740992, None],
    }
    assert [str(column.type) for column in found.columns] == ["int64", "int64", "double", "double", "int64"]


def test_one_text_far_down_keeps_a_column_text(tmp_path: Path) -> None:
    assert _read(tmp_path, "a,b\n" + "1,2\n" * 5_000 + "1,x\n")["b"][-2:] == ["2", "x"]


def test_missing_texts_become_null_quoted_or_not_and_spaces_are_dropped(tmp_path: Path) -> None:
    text = 'a,b\n 1 , x y \n?,NA\nN/A,""\n"nan"," null "\n'
    assert _read(tmp_path, text) == {"a": [1, None, None, None], "b": ["x y", None, None, None]}


def test_what_counts_as_missing_can_be_said(tmp_path: Path) -> None:
    text = "a,b\n-9,x\n1,NA\n2,-9\n"
    assert _read(tmp_path, text, missing=("-9",)) == {"a": [None, 1, 2], "b": ["x", "NA", None]}
    assert _read(tmp_path, "a,b\n,x\n1,y\n", missing=()) == {"a": ["", "1"], "b": ["x", "y"]}
    for wrong in ("NA", [1]):
        with pytest.raises(ConfigError, match="missing must be"):
            _read(tmp_path, text, missing=wrong)


def test_a_column_without_values_is_text_of_nulls(tmp_path: Path) -> None:
    found = read_table(_file(tmp_path, "a,b\n1,\n2,?\n"))
    assert found.column("b").to_pylist() == [None, None]
    assert found.schema.field("b").type == pa.string()


def test_declared_kinds_are_followed(tmp_path: Path) -> None:
    text = "code,score\n1.50,007\n2.0,+5\n3,1e2\n,\n"
    assert _read(tmp_path, text) == {"code": [1.5, 2.0, 3.0, None], "score": ["007", "+5", "1e2", None]}
    kinds = {"code": Kind.CATEGORICAL, "score": Kind.NUMERIC}
    assert _read(tmp_path, text, kinds=kinds) == {"code": ["1.50", "2.0", "3", None], "score": [7.0, 5.0, 100.0, None]}
    assert _read(tmp_path, text, kinds={"code": Kind.TEXT})["code"] == ["1.50", "2.0", "3", None]


def test_a_declared_kind_may_be_written_as_text_and_a_misspelt_one_is_refused(tmp_path: Path) -> None:
    assert _read(tmp_path, "a,b\n1,2\n", kinds={"a": "categorical"})["a"] == ["1"]
    with pytest.raises(ConfigError, match="Did you mean 'numeric'"):
        _read(tmp_path, "a,b\n1,2\n", kinds={"a": "numerical"})


@pytest.mark.parametrize("value", [SECRET, "1,5", "inf", "0x10", "5 EUR", "12-5", "1_000", "٣"])
def test_text_given_as_a_number_is_refused_with_column_and_row_and_without_the_value(tmp_path: Path, value: str) -> None:
    message = _refused(tmp_path, f'n,age\n1,5\n2,\n3,"{value}"\n4,x\n', kinds={"age": Kind.NUMERIC})
    assert "column 'age' is declared numeric, but row 3 " in message
    assert value not in message.replace("1234.5", "")
    assert "row 1 " in _refused(tmp_path, "n,age\n1,1e999\n", kinds={"age": Kind.NUMERIC})


def test_a_column_the_study_names_that_the_file_lacks_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    message = _refused(tmp_path, f"age,{SECRET}\n1,2\n", kinds={"aeg": Kind.NUMERIC})
    assert "Did you mean 'age'" in message
    assert "Did you mean" not in _refused(tmp_path, f"age,{SECRET}\n1,2\n", kinds={"religion": Kind.NUMERIC})


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8), min_size=2, max_size=2),
        min_size=1,
        max_size=5,
    ),
    form=st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
)
def test_whatever_text_is_written_comes_back_without_the_spaces_around_it(rows: list[list[str]], form: tuple[str, Any]) -> None:
    """Python's csv module writes; nothing is taken for a number, a null or a truth value when columns are declared text."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=form[0], quoting=form[1]).writerows([["first", "second"], *rows])
    with tempfile.TemporaryDirectory() as folder:
        found = _read(Path(folder), text.getvalue(), missing=(), kinds={"first": Kind.TEXT, "second": Kind.TEXT}, delimiter=",")
    assert list(zip(*found.values(), strict=True)) == [tuple(_trimmed(value) for value in row) for row in rows]


def _trimmed(value: str) -> str:
    return value.strip("".join(chr(code) for code in range(0x3001) if chr(code).isspace()))
