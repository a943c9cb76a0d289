import subprocess
import sys

import tacit.privacy
import tacit.privacy.mechanisms


def test_every_public_name_loads_and_no_other_is_known() -> None:
    for package in (tacit.privacy, tacit.privacy.mechanisms):
        assert sorted(package.__all__) == sorted(package._PUBLIC)
        for name in package.__all__:
            assert getattr(package, name) is not None
        assert not hasattr(package, "no_such_name")


def test_pricing_names_load_nothing_heavy_until_something_is_priced() -> None:
    heavy = "{'dp_accounting', 'scipy', 'torch', 'pandas'}"
    code = (
        "import sys, tacit.privacy as p\n"
        "assert 'numpy' not in sys.modules\n"
        "p.price, p.epsilon, p.noise_multiplier_for, p.Gaussian\n"
        f"assert not {heavy} & set(sys.modules), sorted({heavy} & set(sys.modules))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
