import pickle

import pytest

from shutterless.runtime.record import Record


class Size(Record):
    width: int
    height: int = 2

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(self.width)


class Other(Record):
    width: int
    height: int = 2


def test_values_come_by_position_by_name_or_by_default():
    assert Size(1).to_dict() == Size(width=1).to_dict() == Size(1, 2).to_dict() == {"width": 1, "height": 2}


@pytest.mark.parametrize(
    ("values", "members"), [((), {}), ((1, 2, 3), {}), ((1,), {"width": 1}), ((1,), {"depth": 1})]
)
def test_missing_superfluous_repeated_and_unknown_values_are_refused(values, members):
    with pytest.raises(TypeError, match="Size"):
        Size(*values, **members)


def test_a_record_equals_one_of_its_class_with_the_same_values():
    assert Size(1) == Size(1) != Size(3)
    assert Size(1) != Other(1)
    assert len({Size(1), Size(1), Size(3)}) == 2


def test_a_record_cannot_be_changed_but_replaced():
    size = Size(1)
    with pytest.raises(AttributeError):
        size.width = 3
    assert size.replace(width=3) == Size(3)
    assert size == Size(1)
    with pytest.raises(ValueError, match="0"):
        size.replace(width=0)


def test_a_record_shows_its_values_and_survives_pickling():
    assert repr(Size(1)) == "Size(width=1, height=2)"
    assert pickle.loads(pickle.dumps(Size(1))) == Size(1)
