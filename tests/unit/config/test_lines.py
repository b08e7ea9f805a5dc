import tomllib

import pytest

from gateway.config.lines import Lines

TEXT = '''\
# a comment with [brackets] and key = "value"
top = 1

[station] # another
name = "US # not a comment"
data.dir = 'C:\\'
"quoted key" = """first
second = "not a key"
""\\"third""" # after

[a.b]
c = { d = 1, "e f" = [1, 2], g.h = true }
[[source]]
name = "one"
list = [ # a list
  1,
  "]", # two
  { inner = 3 },
]
[source.sub]
deep = 1979-05-27 07:32:00
[[source]]

name = \'\'\'it''s
two'\'\'\'
[[source.part]]
x = 1
[[source.part]]
x = 2
[last]
end = nan'''

WANTED = {
    ("top",): 2,
    ("station",): 4,
    ("station", "name"): 5,
    ("station", "data", "dir"): 6,
    ("station", "quoted key"): 7,
    ("a", "b"): 11,
    ("a", "b", "c"): 12,
    ("a", "b", "c", "e f", 1): 12,
    ("a", "b", "c", "g", "h"): 12,
    ("source",): 13,
    ("source", 0): 13,
    ("source", 0, "name"): 14,
    ("source", 0, "list"): 15,
    ("source", 0, "list", 0): 16,
    ("source", 0, "list", 1): 17,
    ("source", 0, "list", 2, "inner"): 18,
    ("source", 0, "sub"): 20,
    ("source", 0, "sub", "deep"): 21,
    ("source", 1): 22,
    ("source", 1, "name"): 24,
    ("source", 1, "part", 0, "x"): 27,
    ("source", 1, "part", 1): 28,
    ("source", 1, "part", 1, "x"): 29,
    ("last", "end"): 31,
}


@pytest.fixture(scope="module", params=["\n", "\r\n"], ids=["unix", "windows"])
def lines(request):
    text = TEXT.replace("\n", request.param)
    tomllib.loads(text)  # the index is for TOML only
    return Lines.of(text)


@pytest.mark.parametrize("place", WANTED, ids=str)
def test_every_key_is_found_on_its_line(lines, place):
    assert lines.of_place(place) == WANTED[place]


def test_a_key_that_is_missing_has_the_line_of_its_table(lines):
    assert lines.of_place(("source", 1, "device")) == 22
    assert lines.of_place(("station", "tls", "key")) == 4
    assert lines.of_place(("nowhere",)) == 0


def test_every_value_of_the_text_has_a_line(lines):
    def walk(value, place):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(inner, (*place, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from walk(inner, (*place, index))
        else:
            yield place

    places = list(walk(tomllib.loads(TEXT), ()))
    assert len(places) > 15
    for place in places:
        exact = lines.of_place(place)
        assert exact > 0
        assert exact >= lines.of_place(place[:-1])
