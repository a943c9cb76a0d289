"""National numbers of people, by country: their shape, and the check of `weighted` or `lettered` that goes with it."""

from collections.abc import Callable

import pyarrow as pa

from tacit.anonymize.identify.recognizers import lettered, weighted
from tacit.anonymize.identify.recognizers.recognizer import Mask, Recognizer, within

_Check = Callable[[pa.Array], Mask]
_TAX = ("tax id", "tax number", "tin")


def _number(name: str, shape: str, valid: _Check, *said: str, chance: float = 0.1, distinct: bool = False) -> Recognizer:
    """Return the recognizer of a number; distinct -- whether its shape alone, with its signs between digits, is telling."""
    return Recognizer(
        kind="national number",
        name=name,
        whole=shape,
        inside=within(shape),
        screen=shape,
        alone=0.5 if distinct else 0.03,
        valid=valid,
        checked=0.93,
        check="check digits",
        chance=chance,
        shared=not distinct,
        said=(*said, *_TAX, "national id", "identity number", "id number", "id no"),
    )


SSN = Recognizer(
    kind="ssn",
    whole=r"[0-9]{3}-[0-9]{2}-[0-9]{4}",
    inside=r"(?<![0-9A-Za-z])(?<![0-9]-)[0-9]{3}([- ])[0-9]{2}\1[0-9]{4}(?![0-9A-Za-z]|-[0-9])",
    screen=r"[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}",
    alone=0.85,
    valid=weighted.ssn,
    checked=0.95,
    check="issuable number",
    chance=0.9,
)
BARE_SSN = Recognizer(
    kind="ssn",
    name="nine digits",
    inside=within(r"[0-9]{9}"),
    screen=r"[0-9]{9}",
    alone=0.1,
    said=("ssn", "social security", "soc sec", "itin"),
)

NATIONAL: tuple[Recognizer, ...] = (
    _number(
        "NIR (France)",
        r"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[ABab]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        lettered.nir,
        "nir",
        "insee",
        "sécurité sociale",
        "securite sociale",
        chance=0.011,
        distinct=True,
    ),
    _number(
        "codice fiscale (Italy)",
        r"[A-Za-z]{6}[0-9LMNP-Vlmnp-v]{2}[A-EHLMPR-Ta-ehlmpr-t][0-9LMNP-Vlmnp-v]{2}[A-Za-z][0-9LMNP-Vlmnp-v]{3}[A-Za-z]",
        lettered.codice_fiscale,
        "codice fiscale",
        chance=0.04,
        distinct=True,
    ),
    _number(
        "DNI or NIE (Spain)",
        r"(?:[0-9]{8}|[XYZxyz]-?[0-9]{7})-?[A-Za-z]",
        lettered.dni,
        "dni",
        "nie",
        "nif",
        chance=0.045,
        distinct=True,
    ),
    _number(
        "national insurance number (United Kingdom)",
        r"[A-Za-z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]",
        lettered.nino,
        "nino",
        "national insurance",
        chance=0.7,
        distinct=True,
    ),
    _number(
        "personal identity code (Finland)",
        r"[0-9]{6}[-+A-FU-Ya-fu-y][0-9]{3}[0-9A-Ya-y]",
        lettered.hetu,
        "henkilötunnus",
        "hetu",
        chance=0.03,
        distinct=True,
    ),
    _number("PPS number (Ireland)", r"[0-9]{7}[A-Wa-w][A-IWa-iw]?", lettered.pps, "pps", "ppsn", chance=0.05, distinct=True),
    _number("resident identity number (China)", r"[1-9][0-9]{16}[0-9Xx]", lettered.resident_identity, "身份证", chance=0.03),
    _number("AHV number (Switzerland)", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", weighted.ahv, "ahv", "avs", distinct=True),
    _number(
        "CPF (Brazil), written with points",
        r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}",
        weighted.cpf,
        "cpf",
        chance=0.01,
        distinct=True,
    ),
    _number(
        "national register number (Belgium), written with points",
        r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}",
        weighted.rijksregister,
        "rijksregister",
        "niss",
        chance=0.02,
        distinct=True,
    ),
    _number(
        "resident registration number (South Korea)",
        r"[0-9]{6}-[1-8][0-9]{6}",
        weighted.resident_registration,
        "주민등록번호",
        chance=0.03,
        distinct=True,
    ),
    _number(
        "personal identity number (Sweden)",
        r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}",
        weighted.personnummer,
        "personnummer",
        chance=0.03,
        distinct=True,
    ),
    _number(
        "birth number (Czechia, Slovakia)",
        r"[0-9]{6}/[0-9]{4}",
        weighted.rodne_cislo,
        "rodné číslo",
        "rodne cislo",
        chance=0.03,
        distinct=True,
    ),
    _number("CPR number (Denmark)", r"[0-9]{6}-?[0-9]{4}", weighted.cpr, "cpr", "personnummer", chance=0.05),
    _number(
        "personal identity number (Sweden), digits alone",
        r"(?:19|20)?[0-9]{10}",
        weighted.personnummer,
        "personnummer",
        chance=0.03,
    ),
    _number("NHS number (United Kingdom)", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}", weighted.nhs, "nhs", chance=0.09),
    _number(
        "tax identification number (Germany)",
        r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        weighted.steuer_id,
        "steuer-id",
        "steueridentifikationsnummer",
        "steuernummer",
        "idnr",
        chance=0.02,
    ),
    _number(
        "citizen service number (Netherlands)", r"[0-9]{9}", weighted.bsn, "bsn", "burgerservicenummer", "sofinummer", chance=0.09
    ),
    _number("national register number (Belgium)", r"[0-9]{11}", weighted.rijksregister, "rijksregister", "niss", chance=0.02),
    _number("PESEL (Poland)", r"[0-9]{11}", weighted.pesel, "pesel", chance=0.02),
    _number(
        "national identity number (Norway)",
        r"[0-9]{6} ?[0-9]{5}",
        weighted.fodselsnummer,
        "fødselsnummer",
        "fodselsnummer",
        chance=0.001,
    ),
    _number("CPF (Brazil)", r"[0-9]{11}", weighted.cpf, "cpf", chance=0.01),
    _number("identity number (Turkey)", r"[1-9][0-9]{10}", weighted.kimlik, "kimlik", "tckn", chance=0.01),
    _number("OIB (Croatia)", r"[0-9]{11}", weighted.oib, "oib"),
    _number("social insurance number (Canada)", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}", weighted.sin, "sin", "social insurance"),
    _number("tax file number (Australia)", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", weighted.tfn, "tfn", "tax file", chance=0.09),
    _number("tax number (Portugal)", r"[0-9]{9}", weighted.nif, "nif", "contribuinte", chance=0.09),
    _number("Aadhaar (India)", r"[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}", weighted.aadhaar, "aadhaar", "uidai"),
    _number(
        "individual number (Japan)",
        r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        weighted.my_number,
        "マイナンバー",
        "my number",
        chance=0.09,
    ),
    _number("identity number (South Africa)", r"[0-9]{13}", weighted.south_african, "rsa id", chance=0.03),
    _number("CNP (Romania)", r"[1-9][0-9]{12}", weighted.cnp, "cnp", "cod numeric", chance=0.03),
)
"""Numbers with telling shapes first. Chance is what share of arbitrary digits of the shape pass the check, rounded up."""
