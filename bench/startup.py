"""How long the first words take: `import tacit` and `tacit --help`, CPU seconds of a whole process, median of five."""

import resource
import statistics
import subprocess
import sys

from row import Row, main, row


def cpu_seconds(command: list[str], repetitions: int = 5) -> float:
    """Return the median CPU time of a command as a process of its own, after one run that warms the caches."""
    seconds = []
    for _ in range(repetitions + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(seconds[1:])


def measure(_quick: bool) -> list[Row]:
    bare = cpu_seconds([sys.executable, "-c", "pass"])
    return [
        row("python itself, CPU", bare, "s"),
        row("import tacit, CPU, median of five", cpu_seconds([sys.executable, "-c", "import tacit"]), "s", goal=0.3),
        row("tacit --help, CPU, median of five", cpu_seconds([sys.executable, "-m", "tacit", "--help"]), "s", goal=0.5),
    ]


if __name__ == "__main__":
    main("startup", measure, packages=("typer",))
