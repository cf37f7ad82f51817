"""Which columns others may know of a person, and which nobody should learn."""

from __future__ import annotations

from collections.abc import Sequence

from tabsynth.errors import UsageError
from tabsynth.schema.types import Role, TableSchema


def roles_of(
    schema: TableSchema,
    *,
    quasi_identifiers: Sequence[str] | None = None,
    sensitive: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Quasi-identifiers and sensitive columns: those named, else the modelled ones with that role.

    An empty sequence names none. Raises `UsageError` with every named column that is unknown, that is text
    or an identifier (those are not compared), or that is named as both.
    """
    given = {Role.QUASI_IDENTIFIER: quasi_identifiers, Role.SENSITIVE: sensitive}
    faults, chosen = list[str](), dict[Role, tuple[str, ...]]()
    for role, names in given.items():
        if names is None:
            columns = (column for column in schema.columns if column.role is role)
            chosen[role] = tuple(column.name for column in columns if column.kind.is_modelled)
            continue
        said = "quasi-identifier" if role is Role.QUASI_IDENTIFIER else "sensitive column"
        chosen[role] = tuple(dict.fromkeys(names))
        for name in chosen[role]:
            if name not in schema:
                faults.append(f"the {said} {name!r} is not a column of table {schema.name!r}")
            elif not schema[name].kind.is_modelled:
                faults.append(
                    f"the {said} {name!r} is of kind {schema[name].kind.value}, which is not compared"
                )
    keys, secrets = chosen[Role.QUASI_IDENTIFIER], chosen[Role.SENSITIVE]
    if quasi_identifiers is None:
        keys = tuple(name for name in keys if name not in secrets)
    elif sensitive is None:
        secrets = tuple(name for name in secrets if name not in keys)
    both = [name for name in keys if name in secrets]
    faults += [f"{name!r} is named both as a quasi-identifier and as sensitive" for name in both]
    if faults:
        found = "; ".join(faults)
        raise UsageError(f"columns named for the disclosure figures: {found}")
    return keys, secrets
