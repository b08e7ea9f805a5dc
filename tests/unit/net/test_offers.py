"""What is offered to an archive for a list of objects."""

from gateway.net.peers import Timeouts, shared_out
from gateway.net.store import Wanted, contexts_for

STILL, CLIP = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.4"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
LOSSLESS, BASELINE = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50"


def _still():
    return Wanted(sop_class_uid=STILL, transfer_syntax_uid=LOSSLESS, lossy=False)


def _clip():
    return Wanted(sop_class_uid=CLIP, transfer_syntax_uid=BASELINE, lossy=True)


def _pairs(contexts):
    return [(c.abstract_syntax, c.transfer_syntax) for c in contexts]


def test_a_lossless_still_is_offered_as_it_is_and_uncompressed():
    assert _pairs(contexts_for([_still()])) == [(STILL, LOSSLESS), (STILL, EXPLICIT), (STILL, IMPLICIT)]


def test_a_lossy_clip_is_never_offered_uncompressed():
    assert _pairs(contexts_for([_clip()])) == [(CLIP, BASELINE)]


def test_two_objects_of_one_kind_are_offered_once():
    assert contexts_for([_still(), _still()]) == contexts_for([_still()])


def test_a_destination_s_own_list_replaces_the_ladder():
    assert _pairs(contexts_for([_still(), _clip()], (IMPLICIT,))) == [(STILL, IMPLICIT), (CLIP, IMPLICIT)]


def test_nothing_is_offered_that_does_not_fit_into_one_association():
    many = [Wanted(sop_class_uid=f"1.2.{n}", transfer_syntax_uid=LOSSLESS, lossy=False) for n in range(100)]
    offered = contexts_for(many)
    assert len(offered) == 128
    assert {c.abstract_syntax for c in offered if c.transfer_syntax == LOSSLESS} == {f"1.2.{n}" for n in range(100)}


def test_a_big_object_is_given_more_time_than_a_small_one():
    timeouts = Timeouts()
    assert timeouts.for_bytes(500_000_000) > 60 * 60
    assert timeouts.for_bytes(0) == timeouts.answer


def test_a_short_call_shares_its_time_out():
    shared = shared_out(Timeouts(), 8.0)
    assert shared.connect + shared.negotiate + shared.answer <= 8.0
