"""What a column's name says of it: key, code, direct identifier, quasi-identifier, sensitive."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from tabsynth.schema.types import Role

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_TRAILING_NUMBER = re.compile(r"\d+")
_INDEX = re.compile(
    r"|__index_level_\d+__|unnamed: ?\d+|row_?names?|row_?(?:num|no|nr|number|id)?|index|level_0",
    re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERSON = _words(
    "patient subject client customer person people member user employee student participant respondent "
    "donor owner borrower applicant cardholder policyholder insured beneficiary individual enrollee citizen "
    "worker staff physician doctor nurse caregiver passenger guest tenant resident victim"
)
_THING = _words(
    "account acct policy contract claim loan card order invoice transaction trans payment case encounter visit "
    "admission hadm stay icustay episode session device vehicle household family property parcel shipment "
    "booking reservation ticket file record licence license plate sample specimen"
)
_KEY = _words("id ids key uuid guid uid pk")
_WEAK_KEY = _words("nbr nb no nr num number index idx serial rownum sno")
_PERSONAL_NUMBER = _words("ssn iban mrn passport nino nric pesel aadhaar imei account acct")
_WORDS_IN_ID = _words(
    "paid prepaid unpaid repaid aid bid did kid lid mid rid grid valid invalid covid acid amid void avoid solid "
    "fluid liquid rapid humid hybrid lipid placid morbid timid vivid arid rigid stupid candid afraid braid "
    "maid raid said laid hemorrhoid steroid thyroid opioid typhoid carotid android asteroid medicaid squid"
)
_CODE = _words(
    "code cd type typ category cat categ class group grp status stat flag ind indicator recode region state county "
    "country province department dept district"
)
_NOMINAL = _words(
    "sex gender race rac ethnicity ethnic hispanic hisp marital marriage religion nationality education"
)
_CODE_LIST = _words("zip zipcode postcode postal plz fips insee naics nace sic icd cpt ndc loinc hcpcs")
_DIAGNOSIS = _words("diag diagnosis diagnoses dx icd")
_QUANTITY = _words(
    "num number n count cnt nb nbr qty quantity total sum avg mean amt amount rate pct percent share year years yrs "
    "month months day days hour hours age score length size duration time"
)
_DATE = _words("date day dt dob birth birthday birthdate datum on at time timestamp")

_QUASI = _words(
    "age agep sex gender race rac ethnicity ethnic hispanic hisp zip zipcode postcode postal plz dob birth birthday "
    "birthdate born dod nationality citizenship country state county city town municipality commune insee puma marital "
    "marriage religion language native nativity"
)
_NOT_A_PERSONS = _words("vh vehicle vehicl car policy account building house device contract equipment plane")
_SENSITIVE = _words(
    "diagnosis diagnoses diag icd hiv aids income salary salaries wage wages earnings disease cancer pregnant "
    "pregnancy abortion sexual disability disabled mental psychiatric criminal conviction genetic genotype"
)

_TEXT_WORDS = {
    "firstname": "first_name",
    "fname": "first_name",
    "forename": "first_name",
    "givenname": "first_name",
    "lastname": "last_name",
    "lname": "last_name",
    "surname": "last_name",
    "familyname": "last_name",
    "fullname": "name",
    "email": "email",
    "mail": "email",
    "phone": "phone",
    "telephone": "phone",
    "mobile": "phone",
    "fax": "phone",
    "address": "address",
    "addr": "address",
    "street": "address",
    **dict.fromkeys(
        _words(
            "comment comments note notes remark remarks description narrative message memo review feedback text"
        ),
        "sentence",
    ),
}
_NAME_PREFIXES = {
    "first": "first_name",
    "given": "first_name",
    "middle": "first_name",
    "last": "last_name",
    "family": "last_name",
    "maiden": "last_name",
    "full": "name",
}
_TECHNICAL = _words("ip mac web url file host domain")


@dataclass(frozen=True, slots=True)
class NameHints:
    """What a name suggests; the data decides. `key` is "person", "thing", "strong", "weak" or ""."""

    key: str = ""
    is_code: bool = False
    is_nominal: bool = False
    is_code_list: bool = False
    is_diagnosis: bool = False
    is_quantity: bool = False
    is_date: bool = False
    text_format: str | None = None
    role: Role | None = None


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, folded: `PolicyID` and `policy_id` are both ("policy", "id").

    >>> words_of("drv_sex1"), words_of("Geburts-Datum"), words_of("ICD9Code"), words_of("🙂")
    (('drv', 'sex', '1'), ('geburts', 'datum'), ('icd', '9', 'code'), ())
    """
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return tuple(part.casefold() for part in _PARTS.findall(plain))


def names_a_person(name: str) -> bool:
    """Whether a name ends in a word for a person: `patient` and `insured_person` do, `client_type` does not."""
    words = words_of(name)
    return bool(words) and words[-1] in _PERSON


@lru_cache(maxsize=4096)
def read_name(name: str) -> NameHints:
    """Everything that a column's name suggests."""
    words = words_of(name)
    every = frozenset(words)
    is_quantity = bool(every & _QUANTITY)
    return NameHints(
        key="weak" if _INDEX.fullmatch(name) else _key(words),
        is_code=bool(every & _CODE),
        is_nominal=bool(every & _NOMINAL) and not is_quantity,
        is_code_list=bool(every & _CODE_LIST),
        is_diagnosis=bool(every & _DIAGNOSIS) and not is_quantity and not every & _DATE,
        is_quantity=is_quantity,
        is_date=bool(every & _DATE),
        text_format=_text_format(words),
        role=_role(every),
    )


def _key(words: tuple[str, ...]) -> str:
    """How strongly a name speaks of a key, and whose: the last word counts, or `id` in front."""
    every = frozenset(words)
    named = [word for word in words if not _TRAILING_NUMBER.fullmatch(word)]
    if not named:
        return ""
    last = named[-1]
    stem = last.removesuffix("id") if last.endswith("id") and last not in _WORDS_IN_ID else None
    is_strong = last in _KEY or named[0] == "id" or bool(stem) or bool(every & _PERSONAL_NUMBER)
    if not is_strong and last not in _WEAK_KEY:
        return ""
    if named == ["id"] or every & _PERSON or stem in _PERSON:
        return "person" if is_strong else "weak person"
    if every & _THING or stem in _THING or every & _PERSONAL_NUMBER:
        return "thing" if is_strong else "weak"
    return "strong" if is_strong else "weak"


def _text_format(words: tuple[str, ...]) -> str | None:
    every = frozenset(words)
    if every & _TECHNICAL:
        return None
    if "name" in every:
        for prefix, found in _NAME_PREFIXES.items():
            if prefix in every:
                return found
        return "name" if len(words) == 1 or every & _PERSON or "contact" in every else None
    return next((_TEXT_WORDS[word] for word in words if word in _TEXT_WORDS), None)


def _role(every: frozenset[str]) -> Role | None:
    if every & _SENSITIVE:
        return Role.SENSITIVE
    return Role.QUASI_IDENTIFIER if every & _QUASI and not every & _NOT_A_PERSONS else None
