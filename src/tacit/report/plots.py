"""The plots of a report, in the order of the journey; each is left out when the findings do not hold its figures."""

from tacit.report.attack_plots import audit_histogram, epsilon_line, roc_curves
from tacit.report.plot import Plot
from tacit.report.risk_plots import attack_rates, class_sizes, risk_curves
from tacit.report.statement import Statement
from tacit.report.value_plots import accuracy_bars


def plots(statement: Statement) -> list[Plot]:
    """Return the plots that the findings allow."""
    every = (class_sizes, risk_curves, attack_rates, accuracy_bars, roc_curves, epsilon_line, audit_histogram)
    drawn = (draw(statement) for draw in every)
    return [plot for plot in drawn if plot is not None]
