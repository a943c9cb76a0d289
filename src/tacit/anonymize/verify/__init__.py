"""An independent check of a release: restates each requirement from its definition, on the released table itself.

It shares no code with the search: it imports only errors (and tables), and takes plain values (tables, JSON). It does not
know how a release was found, only what must be true of it. What it cannot check, it reports as a problem.
"""

from tacit.anonymize.verify.check import verify_release
from tacit.anonymize.verify.domains import covered_domains
from tacit.anonymize.verify.recoding import Recoding
from tacit.anonymize.verify.sets import verify_sets
from tacit.anonymize.verify.verification import Verification

__all__ = ["Recoding", "Verification", "covered_domains", "verify_release", "verify_sets"]
