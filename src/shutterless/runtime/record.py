"""Immutable classes with named fields. Importing dataclasses would take a sixth of a cold start."""

from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class Record:
    """Base of immutable classes whose annotations are their fields, like those of a frozen dataclass.

    A subclass may check its values in `__post_init__`.

    Example:
        >>> class Point(Record):
        ...     x: float
        ...     y: float = 0.0
        >>> Point(1.0).replace(y=2.0)
        Point(x=1.0, y=2.0)
    """

    field_names: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, object]] = {}

    def __init_subclass__(cls) -> None:
        cls.field_names = tuple(cls.__annotations__)
        cls._defaults = {name: vars(cls)[name] for name in cls.field_names if name in vars(cls)}

    def __init__(self, *values: object, **members: object) -> None:
        names = self.field_names
        positional = dict(zip(names, values, strict=False))
        content = {**self._defaults, **positional, **members}
        if len(values) > len(names) or positional.keys() & members.keys() or content.keys() != set(names):
            raise TypeError(f"{type(self).__name__} takes {', '.join(names)}")
        self.__dict__.update({name: content[name] for name in names})
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the values."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: use replace({name}=…)")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.to_dict().values()))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"{type(self).__name__}({values})"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values for some fields."""
        return type(self)(**{**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return the values by field name, without copying them."""
        return {name: getattr(self, name) for name in self.field_names}
