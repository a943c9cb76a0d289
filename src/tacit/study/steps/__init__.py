"""The steps of a study, in the order of the journey."""

from tacit.study.run import Step
from tacit.study.steps import anonymize, attack, audit, evaluate, report, scan, train, twin

STEPS: tuple[Step, ...] = (scan.STEP, anonymize.STEP, train.STEP, twin.STEP, evaluate.STEP, attack.STEP, audit.STEP, report.STEP)
