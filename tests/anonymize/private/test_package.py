import subprocess
import sys

import tacit.anonymize.private as private


def test_every_public_name_loads_and_no_other_is_known() -> None:
    assert sorted(private.__all__) == sorted(private._PUBLIC)
    for name in private.__all__:
        assert getattr(private, name).__module__.startswith("tacit.anonymize.private.")
    assert not hasattr(private, "no_such_name")


def test_the_names_load_nothing_heavy_until_something_is_priced() -> None:
    heavy = "{'dp_accounting', 'scipy', 'torch', 'pandas', 'sklearn'}"
    code = (
        "import sys, tacit.anonymize.private as p\n"
        "[getattr(p, name) for name in p.__all__]\n"
        f"assert not {heavy} & set(sys.modules), sorted({heavy} & set(sys.modules))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
