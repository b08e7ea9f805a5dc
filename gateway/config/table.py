"""What a table of the configuration is: its keys, and what each may be. Knows no table by name."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.config.values import Check


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table of the file, or one kind of element of an array of tables."""

    made: type | None  # the dataclass it becomes; None = a table of a later version
    field: str  # of Settings
    keys: "Mapping[str, Check | Table]" = dataclasses.field(default_factory=dict)  # a Table: an inline table
    many: bool = False  # [[name]] rather than [name]
    needed: tuple[str, ...] = ()
    needed_by_kind: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )  # `kind` -> what it needs besides; the first is the default kind
    only_for: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )  # key -> the kinds that have it; the others refuse it
    by_kind: Mapping[str, Mapping[str, Check]] = dataclasses.field(
        default_factory=dict
    )  # kind -> keys whose values differ from those of the other kinds

    @property
    def is_optional(self) -> bool:
        """Say whether there may be none: one that stands there needs keys which nobody could guess."""
        return not self.many and bool(self.needed)
