"""What runs programs of the system: what they are given, and what is said of those that fail."""

import pytest

from gateway.errors import MachineFailed
from gateway.machine.programs import ProgramFailed, RealPrograms, run
from gateway.machine.update import box

KEY = b"a key that nobody may read"


def test_a_key_is_handed_over_in_memory_and_in_no_word() -> None:
    seen = run(
        ["sh", "-c", 'cat "$1" "$2"; tr "\\0" " " </proc/$$/cmdline', "sh", "{0}", "{1}"], secrets=[KEY, b"!"]
    )
    said, words = seen[: len(KEY) + 1], seen[len(KEY) + 1 :]
    assert said == KEY + b"!"
    assert KEY not in words
    assert b"/proc/self/fd/" in words


def test_what_failed_says_why_in_one_line_and_not_at_any_length() -> None:
    with pytest.raises(ProgramFailed) as failed:
        run(["sh", "-c", "seq 1000 >&2; echo the end >&2; exit 3"])
    assert failed.value.status == 3
    assert str(failed.value).endswith("1000 the end")
    assert len(str(failed.value)) < 250
    assert "\n" not in str(failed.value)


def test_what_is_not_heard_is_kept_nowhere() -> None:
    assert run(["printf", "line"], heard=False) == b""
    with pytest.raises(ProgramFailed) as failed:
        run(["sh", "-c", "[ /proc/$$/fd/1 -ef /dev/null ] && exit 7; exit 1"], heard=False)
    assert failed.value.status == 7


def test_what_does_not_end_or_is_not_there_failed() -> None:
    for words in (["sleep", "60"], ["no-program-of-this-name"]):
        with pytest.raises(ProgramFailed) as failed:
            run(words, wait_s=0.05)
        assert failed.value.status == -1


def test_all_that_root_runs_is_run_the_same_way() -> None:
    assert RealPrograms().run("cat", given="ä\n") == "ä\n"
    assert box.run("printf", "\\377") == "\ufffd"
    with pytest.raises(MachineFailed, match="false ended with 1"):
        RealPrograms().run("false")
    with pytest.raises(ProgramFailed, match="false ended with 1"):
        box.run("false")
