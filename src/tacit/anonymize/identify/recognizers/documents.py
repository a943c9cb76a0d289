"""Numbers that mean something only beside the word that announces them: licences, passports, records, members."""

from tacit.anonymize.identify.recognizers.recognizer import Recognizer, within

_ANY = r"[A-Za-z]{0,3}[0-9](?:-?[0-9A-Za-z]){3,15}"
_SCREEN = "[0-9](-?[0-9A-Za-z]){3}"


def _announced(kind: str, *said: str) -> Recognizer:
    return Recognizer(kind=kind, inside=within(_ANY), screen=_SCREEN, alone=0.1, said=said)


LICENCE = _announced(
    "licence",
    "driver license",
    "drivers license",
    "driver's license",
    "driving licence",
    "license number",
    "licence number",
    "driver lic",
    "dl number",
    "führerschein",
    "permis de conduire",
)
PASSPORT = _announced("passport", "passport", "reisepass", "passeport", "pasaporte")
RECORD = _announced(
    "medical record", "mrn", "medical record", "patient id", "patient number", "chart number", "patientennummer", "nhs number"
)
MEMBER = _announced(
    "health plan",
    "member id",
    "policy number",
    "insurance number",
    "health plan",
    "beneficiary",
    "medicare",
    "medicaid",
    "versichertennummer",
)
CUSTOMER = _announced(
    "identifier",
    "employee id",
    "customer id",
    "student id",
    "user id",
    "account id",
    "case number",
    "reference number",
    "client number",
)
