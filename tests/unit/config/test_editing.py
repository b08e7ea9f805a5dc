"""Settings that are changed in their file: what stays as it stood, what is refused, what is kept for going back."""

import pytest

from gateway.config.changes import Add, Drop, Put
from gateway.config.differences import is_of_the_screen
from gateway.config.editing import Editor
from gateway.config.keeping import KEPT
from gateway.errors import BadValue, NothingBefore, Problem, SettingsForeign, SettingsMoved, SettingsWrong
from gateway.spool.files import Files

WRITTEN = """\
# The box of room 2. Ask Ms Huber before you touch this.
config_version = 1

[station]      # it is in the cupboard
name = "ROOM-2" # as on the label

# What the screen speaks
[panel]
language = "de"

# The archive of the house
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "10.0.0.6"
port = 104

# The one in the cellar
[[destination]]
name = "old"
ae_title = "OLD"
host = "10.0.0.7"
port = 104

# kept until the audit
[retention]
keep_days = 90
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "scopegate.toml"
    path.write_text(WRITTEN)
    return path


@pytest.fixture
def editor(path):
    return Editor(path, disk=Files(), environment={})


def changed(editor, *changes):
    revision = editor.revision()
    editor.write(editor.try_changes(changes, revision), revision)
    return editor.kept.path.read_text()


def lines_gone(before, after):
    return [line for line in before.splitlines() if line.strip() and line not in after.splitlines()]


# --- what stays ------------------------------------------------------------------------------------------


def test_a_changed_value_leaves_every_comment_and_every_other_line_as_it_was(editor):
    after = changed(editor, Put(place=("station", "name"), value="ROOM-3"))
    assert after == WRITTEN.replace('name = "ROOM-2" # as', 'name = "ROOM-3" # as')


def test_a_new_key_stands_with_its_table_and_not_below_the_comment_of_the_next_one(editor):
    after = changed(editor, Put(place=("panel", "theme"), value="light"))
    assert 'language = "de"\ntheme = "light"\n\n# The archive of the house\n[[destination]]' in after
    assert not lines_gone(WRITTEN, after)


def test_a_removed_archive_takes_no_comment_of_its_neighbour_along(editor):
    after = changed(editor, Drop(place=("destination", 0)))
    assert set(lines_gone(WRITTEN, after)) == {'name = "pacs"', 'ae_title = "PACS"', 'host = "10.0.0.6"'}
    assert '# The one in the cellar\n[[destination]]\nname = "old"' in after


def test_a_new_archive_stands_behind_the_others_and_before_what_follows(editor):
    new = {"name": "third", "ae_title": "THIRD", "host": "10.0.0.8", "port": 104}
    after = changed(editor, Add(table="destination", values=new))
    assert after.index('name = "old"') < after.index('name = "third"') < after.index("# kept until the audit")
    assert not lines_gone(WRITTEN, after)


def test_the_first_worklist_of_a_box_gets_a_table_of_its_own(editor):
    values = {"name": "ris", "ae_title": "RIS", "host": "10.0.0.5", "port": 104}
    after = changed(editor, Add(table="worklist", values=values))
    assert '\n\n[[worklist]]\nname = "ris"' in after


def test_elements_that_go_together_are_those_that_were_meant(editor):
    after = changed(
        editor,
        Drop(place=("destination", 0)),
        Put(place=("destination", 1, "host"), value="10.0.0.99"),
    )
    assert 'host = "10.0.0.99"' in after
    assert 'name = "pacs"' not in after


def test_a_key_that_is_dropped_has_its_default_again(editor):
    after = changed(editor, Drop(place=("retention", "keep_days")), Drop(place=("release", "when")))
    assert "keep_days" not in after
    assert "# kept until the audit\n[retention]" in after


def test_dotted_keys_and_tables_in_one_line_are_changed_where_they_stand(editor, path):
    path.write_text('station.name = "A"\npanel = { language = "de" }\n')
    after = changed(editor, Put(place=("station", "name"), value="B"), Put(place=("panel", "theme"), value="light"))
    assert 'station.name = "B"' in after
    assert 'language = "de"' in after


def test_a_value_with_quotes_and_line_ends_stays_a_value(editor):
    nasty = 'x"\n[panel]\nlisten = "0.0.0.0:80'
    trial = editor.try_changes([Put(place=("station", "institution"), value=nasty)], editor.revision())
    assert trial.document["station"]["institution"] == nasty
    assert trial.document["panel"] == {"language": "de"}
    assert trial.problems  # a control character in a DICOM text


# --- what is refused -------------------------------------------------------------------------------------


def test_an_invalid_change_is_never_written_and_its_error_stands_at_its_field(editor, path):
    revision = editor.revision()
    trial = editor.try_changes([Put(place=("destination", 1, "port"), value=0)], revision)
    assert [problem.place for problem in trial.problems] == [("destination", 1, "port")]
    with pytest.raises(SettingsWrong):
        editor.write(trial, revision)
    assert path.read_text() == WRITTEN
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_change_that_breaks_another_part_is_refused_at_that_part(editor):
    trial = editor.try_changes([Put(place=("destination", 1, "name"), value="PACS")], editor.revision())
    assert [problem.place for problem in trial.problems] == [("destination", 1, "name")]


def test_what_else_is_checked_is_refused_as_well(path):
    broken = Problem(line=0, key="source.profile", reason="no such profile", place=("source", 0, "profile"))
    editor = Editor(path, disk=Files(), environment={}, also=lambda _: iter([broken]))
    assert editor.try_changes([], editor.revision()).problems == [broken]


def test_a_file_that_an_engineer_changed_meanwhile_is_not_overwritten(editor, path):
    revision = editor.revision()
    trial = editor.try_changes([Put(place=("station", "name"), value="B")], revision)
    path.write_text(WRITTEN + "# by hand\n")
    with pytest.raises(SettingsMoved):
        editor.write(trial, revision)
    with pytest.raises(SettingsMoved):
        editor.try_changes([], revision)
    assert path.read_text().endswith("# by hand\n")


def test_an_entry_that_is_not_there_cannot_be_changed(editor):
    for change in (
        Put(place=("destination", 7, "host"), value="x"),
        Drop(place=("destination", 7)),
        Put(place=("station", "name", "more"), value="x"),
    ):
        with pytest.raises(BadValue):
            editor.try_changes([change], editor.revision())


def test_a_file_that_cannot_be_changed_with_certainty_is_left_to_a_person(editor, path):
    path.write_text("source = [{ name = 'a', device = 'pattern:bars' }, { name = 'b', device = 'pattern:bars' }]\n")
    with pytest.raises(SettingsForeign):
        editor.try_changes([Drop(place=("source", 1))], editor.revision())
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsForeign):
        editor.try_changes([Put(place=("station", "name"), value="x")], editor.revision())


# --- going back ------------------------------------------------------------------------------------------


def test_the_last_change_is_taken_back_to_the_byte_and_can_be_made_again(editor, path):
    after = changed(editor, Put(place=("station", "name"), value="B"))
    for wanted in (WRITTEN, after):
        trial = editor.try_before()
        assert [each.steps for each in trial.differences] == [("station", "name")]
        editor.write(trial, editor.revision())
        assert path.read_text() == wanted


def test_nine_earlier_files_are_kept_the_latest_first(editor, path):
    for number in range(KEPT + 3):
        changed(editor, Put(place=("station", "name"), value=f"N{number}"))
    names = [path.with_name(f"{path.name}.{n}").read_text().split('name = "')[1][:3] for n in (1, 2, KEPT)]
    assert names == ["N10", 'N9"', 'N2"']
    assert len(list(path.parent.iterdir())) == KEPT + 1


def test_a_box_whose_settings_were_never_changed_has_nothing_to_take_back(editor):
    with pytest.raises(NothingBefore):
        editor.try_before()


def test_a_person_is_asked_about_what_differs_by_the_names_of_things(editor):
    trial = editor.try_changes(
        [Put(place=("destination", 0, "host"), value="pacs.house"), Drop(place=("destination", 1))],
        editor.revision(),
    )
    found = {each.steps: (each.old, each.new) for each in trial.differences}
    assert found[("destination", "pacs", "host")] == ("10.0.0.6", "pacs.house")
    assert found[("destination", "old", "name")] == ("old", None)


def test_a_person_is_asked_about_elements_that_change_places_and_not_about_those_that_come_or_go(editor):
    words = WRITTEN.encode()
    assert editor.try_text(words).differences == []
    first = editor.now().document["destination"][0]
    moved = [Drop(place=("destination", 0)), Add(table="destination", values=first)]
    trial = editor.try_changes(moved, editor.revision())
    assert [(each.steps, each.old, each.new) for each in trial.differences] == [
        (("destination",), ["pacs", "old"], ["old", "pacs"])
    ]
    assert not is_of_the_screen(trial.differences)
    gone = editor.try_changes(moved[:1], editor.revision())
    assert ("destination",) not in {each.steps for each in gone.differences}


def test_a_file_behind_a_link_is_replaced_and_the_link_stays(path, tmp_path):
    link = tmp_path / "elsewhere.toml"
    link.symlink_to(path)
    changed(Editor(link, disk=Files(), environment={}), Put(place=("station", "name"), value="B"))
    assert link.is_symlink()
    assert 'name = "B"' in path.read_text()


def test_the_file_before_is_kept_whoever_it_belongs_to(editor, path):
    path.chmod(0o440)  # an engineer's, which this user may read: a second name is refused for such a file
    inode = path.stat().st_ino
    changed(editor, Put(place=("station", "name"), value="B"))
    kept = path.with_name(f"{path.name}.1")
    assert kept.read_text() == WRITTEN
    assert kept.stat().st_ino != inode
