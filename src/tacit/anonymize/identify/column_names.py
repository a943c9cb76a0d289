"""What the name of a column says about what it holds, in several spellings and languages.

Names are split into words ("dateOfBirth", "date-of-birth", "DATE_OF_BIRTH" are the same three), lower-case, without accents.
A word matches whole: "age" is not in "wage" or "page".
"""

import re
import unicodedata
from functools import cache

from tacit.tables.schema import Role

NAMES: tuple[tuple[str, Role, str], ...] = (  # kind, role, phrases
    ("e-mail", Role.IDENTIFIER, "email, e mail, mail address, email address, courriel, correo, correo electronico, mail"),
    ("iban", Role.IDENTIFIER, "iban"),
    (
        "card",
        Role.IDENTIFIER,
        "credit card, card number, card no, cc number, creditcard, kreditkarte, carte bancaire, tarjeta",
    ),
    ("ssn", Role.IDENTIFIER, "ssn, social security, social security number, sozialversicherungsnummer"),
    (
        "national number",
        Role.IDENTIFIER,
        "national id, national insurance, nino, tax id, passport, personalausweis, dni, nie, nif, nir, insee, codice fiscale, "
        "steuernummer, steuer id, numero de securite sociale, bsn, pesel, cpf, aadhaar, personnummer, fodselsnummer, cpr, hetu, "
        "ahv, pps, oib, cnp, tfn, sin number, nhs number, identity number, id card",
    ),
    ("medical record", Role.IDENTIFIER, "medical record, medical record number, mrn, patient number, chart number"),
    ("health plan", Role.IDENTIFIER, "health plan, policy number, insurance number, member number, beneficiary number"),
    ("account", Role.IDENTIFIER, "account number, account no, bank account, kontonummer, numero de compte, cuenta bancaria"),
    (
        "licence",
        Role.IDENTIFIER,
        "driver license, drivers license, driving licence, license number, licence number, fuhrerschein",
    ),
    (
        "vehicle",
        Role.IDENTIFIER,
        "vin, license plate, licence plate, number plate, plate number, vehicle id, vehicle number, kennzeichen, matricula",
    ),
    ("fax", Role.IDENTIFIER, "fax, fax number, telefax"),
    ("photograph", Role.IDENTIFIER, "photo, photograph, portrait, face image, picture of face, avatar, mugshot"),
    (
        "biometric",
        Role.IDENTIFIER,
        "biometric, fingerprint, finger print, voice print, voiceprint, retina scan, iris scan, face id, face embedding",
    ),
    (
        "phone",
        Role.IDENTIFIER,
        "phone, telephone, tel, mobile, cell, cellphone, telefon, telefono, handy, telefonnummer, telefoon, phone number, movil",
    ),
    ("ip", Role.IDENTIFIER, "ip, ip address, ipaddress, ip addr"),
    ("device", Role.IDENTIFIER, "mac address, device id, imei, serial number"),
    ("url", Role.IDENTIFIER, "url, website, homepage, linkedin, twitter"),
    (
        "date of birth",
        Role.QUASI,
        "dob, date of birth, birth date, birthdate, birthday, birth, born, year of birth, birth year, geburtsdatum, "
        "geburtstag, geburtsjahr, date de naissance, naissance, fecha de nacimiento, nacimiento, data di nascita, "
        "nascita, geboortedatum",
    ),
    (
        "place",
        Role.QUASI,
        "birth place, birthplace, place of birth, native country, country, nationality, citizenship, city, town, county, "
        "state, region, province, municipality, ort, stadt, bundesland, pays, ville, ciudad, pais, citta, paese, "
        "comune, provincia, departement",
    ),
    (
        "address",
        Role.IDENTIFIER,
        "address, street, street address, house number, adresse, strasse, rue, direccion, calle, indirizzo, straat",
    ),
    (
        "postcode",
        Role.QUASI,
        "zip, zipcode, zip code, postcode, postal code, postal, plz, postleitzahl, code postal, codigo postal",
    ),
    ("location", Role.QUASI, "latitude, longitude, lat, lon, lng, gps, coordinates, geohash"),
    ("user name", Role.IDENTIFIER, "user name, username, login, nickname, screen name, benutzername"),
    (
        "name",
        Role.IDENTIFIER,
        "name, first name, last name, firstname, lastname, full name, fullname, given name, surname, family name, middle "
        "name, maiden name, patient name, customer name, vorname, nachname, familienname, nom, prenom, nombre, apellido, "
        "apellidos, nome, cognome, naam, voornaam, achternaam",
    ),
    ("age", Role.QUASI, "age, age years, alter, edad, eta, leeftijd, idade"),
    ("sex", Role.QUASI, "sex, gender, geschlecht, sexe, genre, sexo, genero, sesso, geslacht, male, female"),
    ("ethnicity", Role.QUASI, "race, ethnicity, ethnic, ethnie, etnia, ethnic group, skin color"),
    (
        "marital status",
        Role.QUASI,
        "marital, marital status, married, yrs married, years married, familienstand, etat civil, estado civil, stato "
        "civile, civil status, spouse, divorced",
    ),
    (
        "household",
        Role.QUASI,
        "children, kids, household, household size, family size, dependents, kinder, enfants, hijos, figli, relationship",
    ),
    (
        "education",
        Role.QUASI,
        "education, educ, education num, schooling, degree, bildung, ausbildung, diplome, educacion, istruzione, highest grade",
    ),
    (
        "occupation",
        Role.QUASI,
        "occupation, job, job title, profession, beruf, metier, profesion, ocupacion, professione, employer, workclass, "
        "work class, occupation husb, industry",
    ),
    (
        "health",
        Role.SENSITIVE,
        "diagnosis, disease, illness, condition, icd, icd10, hiv, cancer, medication, drug, disability, diagnose, "
        "krankheit, maladie, enfermedad, malattia, pregnant, mental health, blood type",
    ),
    ("sex life", Role.SENSITIVE, "affair, affairs, sexual, sexual orientation"),
    ("belief", Role.SENSITIVE, "religion, religious, faith, political, party membership, union, trade union, konfession"),
    (
        "income",
        Role.SENSITIVE,
        "income, salary, wage, wages, salary class, gehalt, einkommen, salaire, revenu, salario, ingresos, reddito, net "
        "worth, debt, credit score",
    ),
    ("offence", Role.SENSITIVE, "criminal, conviction, arrest, offence, offense"),
    ("genetic", Role.SENSITIVE, "genome, genotype, dna, snp"),
    (
        "free text",
        Role.IDENTIFIER,
        "note, notes, comment, comments, remark, remarks, free text, freetext, description, message, narrative, "
        "bemerkung, kommentar, commentaire, comentario, nota",
    ),
    ("date", Role.QUASI, "date, datum, fecha, data di, admission date, discharge date, timestamp"),
    (
        "identifier",
        Role.IDENTIFIER,
        "id, uuid, guid, identifier, user id, customer id, patient id, person id, member id, client id, record id, "
        "subject id, kundennummer, matricule, key",
    ),
)
"""Phrases are words that must follow one another. Longer phrases win over shorter ones, then the earlier entry."""

LABEL_NAMES = frozenset({"label", "target", "y", "class label", "ground truth", "outcome label", "target class"})
"""Names that can only mean the column a model predicts. "outcome", "class", "status" and the like are not clear enough."""


def words(name: str) -> str:
    """Return a column name as lower-case words joined by spaces, without accents: "dateOfBirth" -> "date of birth"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return " ".join(re.findall(r"[a-z0-9]+", split.lower()))


def kind_by_name(name: str) -> tuple[str, Role, str] | None:
    """Return (kind, role, phrase found) that a column's name tells, or None. Longer phrases win over shorter, then order."""
    said = words(name)
    found = [
        (-len(phrase.split()), rank, phrase)
        for rank, phrases in enumerate(_phrases())
        for phrase in phrases
        if re.search(rf"(^| ){re.escape(phrase)}( \d+|\d+)?( |$)", said)
    ]
    if not found:
        return None
    _, rank, phrase = min(found)
    kind, role, _ = NAMES[rank]
    return kind, role, phrase


@cache
def _phrases() -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(phrase.strip() for phrase in phrases.split(",")) for _, _, phrases in NAMES)
