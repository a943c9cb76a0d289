"""What personal data looks like: one file a family of kinds, in the order in which shapes win where they overlap."""

from tacit.anonymize.identify.recognizers import contact, dates, documents, money, names, national, network, places, vehicles
from tacit.anonymize.identify.recognizers.recognizer import Recognizer

RECOGNIZERS: tuple[Recognizer, ...] = (
    contact.E_MAIL,
    network.IP_4,
    network.MAC,
    network.IP_6,
    network.UUID,
    contact.URL,
    money.IBAN,
    *(one for one in national.NATIONAL if not one.shared),
    vehicles.VIN,
    *(one for one in national.NATIONAL if one.shared),
    money.CARD,
    national.SSN,
    national.BARE_SSN,
    dates.ISO_DATE,
    dates.DATE,
    dates.WRITTEN_DATE,
    dates.AGE,
    places.COORDINATES,
    places.POSTCODE,
    contact.PHONE,
    contact.BARE_PHONE,
    places.DIGIT_POSTCODE,
    vehicles.PLATE,
    documents.LICENCE,
    documents.PASSPORT,
    documents.RECORD,
    documents.MEMBER,
    documents.CUSTOMER,
    money.ACCOUNT,
    names.TITLED_NAME,
    names.NAME,
)
"""Earlier wins over later where two are equally sure; shapes of whole values are tried in this order."""
