from hypothesis import given
from hypothesis import strategies as st

from shutterless.dataset.groups.union_find import UnionFind


def test_what_is_joined_to_one_of_a_group_belongs_to_it():
    union = UnionFind(6)
    for places in ([4, 1], [2, 3], [1, 2], [5]):
        union.join(places)
    assert list(union.groups()) == [[1, 2, 3, 4]]


@given(st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=4), max_size=12))
def test_groups_are_the_connected_components_of_the_links(links):
    union = UnionFind(20)
    components = [{place} for place in range(20)]
    for places in links:
        union.join(places)
        touched = [component for component in components if component & set(places)]
        components = [one for one in components if one not in touched] + [set().union(*touched)]
    expected = sorted(sorted(component) for component in components if len(component) > 1)
    assert list(union.groups()) == expected
