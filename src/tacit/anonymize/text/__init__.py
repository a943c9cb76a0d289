"""Free text: find personal data inside texts, and replace it."""

from tacit.anonymize.text.find import KINDS as KINDS
from tacit.anonymize.text.find import find_spans as find_spans
from tacit.anonymize.text.redact import Redaction as Redaction
from tacit.anonymize.text.redact import canonical as canonical
from tacit.anonymize.text.redact import redact as redact
from tacit.anonymize.text.spans import Span as Span
from tacit.anonymize.text.spans import Spans as Spans
