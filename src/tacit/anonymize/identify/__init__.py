"""Find personal data: for each column a suggested role, the kind of personal data, a confidence and the reasons.

Looks at column names, types, the shapes and checksums of distinct values, the inside of free text, and how well a column tells
rows apart. It uses no network and no list of names but the user's, and it suggests: a person confirms.
"""

from tacit.anonymize.identify.finding import ColumnFinding as ColumnFinding
from tacit.anonymize.identify.hipaa import Coverage as Coverage
from tacit.anonymize.identify.hipaa import hipaa_coverage as hipaa_coverage
from tacit.anonymize.identify.scan import identify_columns as identify_columns
from tacit.anonymize.identify.separation import Separation as Separation
from tacit.anonymize.identify.separation import separation_table as separation_table
