"""Settings by touch: one question at a time, what changes is asked before it is changed."""

import tomllib

from playwright.sync_api import Page, expect

from tests.browser.conftest import Box, until
from tests.browser.every_screen import show
from tests.browser.screens.choosing import scan
from tests.browser.screens.settings import audited, change, configured, with_certificates
from tests.browser.screens.states import exam


def written(box: Box) -> dict:
    return tomllib.loads((box.settings.station.data_dir / "scopegate.toml").read_text())


def look(box: Box, page: Page, address: str) -> None:
    page.goto(f"{box.address}{address}")
    page.wait_for_selector("body.ready")


def touch(page: Page, text: str) -> None:
    page.get_by_role("button", name=text, exact=True).tap()


def test_an_archive_gets_another_address_by_touch_and_the_change_is_taken_back(page: Page, box: Box) -> None:
    configured(box, page)
    look(box, page, "/more")
    page.get_by_role("link", name="Settings").tap()
    page.wait_for_selector("body.ready")
    page.get_by_role("link", name="Archives").tap()
    page.wait_for_selector("body.ready")
    page.get_by_role("link", name="pacs").tap()
    page.wait_for_selector("body.ready")
    page.get_by_role("link", name="Address").tap()
    page.wait_for_selector("body.ready")
    page.locator(".step:not([hidden]) input").fill("10.0.0.77")
    touch(page, "Continue")
    expect(page.locator("#sure .changes")).to_have_text("Archive pacs Address: 10.0.0.6 → 10.0.0.77")
    expect(page.locator("#applying")).to_contain_text("for about ten seconds there is no live picture")
    assert written(box)["destination"][0]["host"] == "10.0.0.6"
    touch(page, "Change it")
    page.wait_for_url("**/settings/archives/destination/0")
    assert written(box)["destination"][0]["host"] == "10.0.0.77"
    look(box, page, "/settings/before")
    touch(page, "Take it back")
    page.wait_for_url("**/settings")
    assert written(box)["destination"][0]["host"] == "10.0.0.6"


def test_another_address_of_a_web_archive_asks_for_its_password_anew(page: Page, box: Box) -> None:
    configured(box, page)
    secret = box.settings.station.data_dir / "scopegate.token"
    secret.write_text("hunter2\n")
    file = box.settings.station.data_dir / "scopegate.toml"
    cloud = '[[destination]]\nname = "cloud"\nkind = "stow"\nurl = "https://archive.example/dicom-web"\n'
    file.write_text(f'{file.read_text()}\n{cloud}token_file = "{secret.name}"\n')
    look(box, page, "/settings/archives/ask/destination/2/url")
    page.locator(".step:not([hidden]) input").fill("https://elsewhere.example/dicom-web")
    touch(page, "Continue")
    expect(page.locator("#usual")).to_contain_text("It is never shown.")
    touch(page, "Continue")  # empty: it would stay as it is
    expect(page.locator("#wrong-what")).to_contain_text("type it again for the new one")
    page.locator(".step:not([hidden]) input").fill("another-one")
    touch(page, "Continue")
    page.locator("#sure:not([hidden])").wait_for()
    touch(page, "Change it")
    page.wait_for_url("**/settings/archives/destination/2")
    assert written(box)["destination"][2]["url"] == "https://elsewhere.example/dicom-web"
    assert written(box)["destination"][2]["token_file"] != secret.name


def test_an_audit_repository_is_set_up_by_touch_and_removed(page: Page, box: Box) -> None:
    with_certificates(box, page)
    look(box, page, "/settings")
    page.get_by_role("link", name="Audit repository").tap()
    page.wait_for_selector("body.ready")
    page.get_by_role("link", name="Add: Audit repository").tap()
    page.wait_for_selector("body.ready")
    page.locator(".step:not([hidden]) input").fill("audit.klinik.example")
    touch(page, "Continue")
    expect(page.locator(".step:not([hidden]) input")).to_have_value("6514")
    touch(page, "Continue")
    for file in ("The clinic's authority", "This box's own certificate", "Its key"):
        page.get_by_role("radio", name=file, exact=True).tap()
        touch(page, "Continue")
    touch(page, "Continue")  # the certificate must have the server's name
    expect(page.locator("#sure .changes li").first).to_have_text(
        "Audit repository Address: Not set → audit.klinik.example"
    )
    touch(page, "Change it")
    page.wait_for_url("**/settings/audit")
    kept = {"ca": "clinic-ca.pem", "certificate": "box.pem", "key": "box.key"}
    tls = {key: f"certificates/{name}" for key, name in kept.items()}
    assert written(box)["audit"] == {
        "host": "audit.klinik.example",
        "port": 6514,
        "tls": {**tls, "check_name": True},
    }
    page.wait_for_selector("body.ready")
    expect(page.get_by_role("link", name="Test it")).to_be_visible()
    touch(page, "Remove")
    page.locator("#sure:not([hidden])").wait_for()
    touch(page, "Change it")
    page.get_by_role("link", name="Add: Audit repository").wait_for()
    assert "audit" not in written(box)


def test_a_repository_that_does_not_trust_the_box_leads_to_its_certificate(page: Page, box: Box) -> None:
    show("settings_audit_try", box, page)
    expect(page.locator("#setup-lines")).to_contain_text("trusts the certificate of this box")
    page.get_by_role("link", name="Certificate of this box").tap()
    page.wait_for_url("**/machine/certificate")


def test_another_address_confirms_what_an_archive_stored(page: Page, box: Box) -> None:
    audited(box, page)
    look(box, page, "/settings/archives/destination/0")
    asked = page.get_by_role("link", name="Another address confirms what it stored")
    expect(asked).to_be_hidden()
    page.get_by_text("Rarely needed").tap()
    expect(asked).to_be_in_viewport()
    asked.tap()
    page.wait_for_selector("body.ready")
    for answer in ("PACS_SC", "127.0.0.1", "105"):
        page.locator(".step:not([hidden]) input").fill(answer)
        touch(page, "Continue")
    expect(page.locator("#sure .changes")).to_contain_text("PACS_SC")
    touch(page, "Change it")
    page.wait_for_url("**/settings/archives/destination/0")
    other = {"ae_title": "PACS_SC", "host": "127.0.0.1", "port": 105}
    assert written(box)["destination"][0]["commitment"] == other
    look(box, page, "/settings/archives/elsewhere/destination/0/commitment")
    expect(page.locator(".step:not([hidden]) input")).to_have_value("PACS_SC")
    for answer in ("PACS_SC", "10.0.0.6"):  # nobody there could report to a box that listens to itself alone
        page.locator(".step:not([hidden]) input").fill(answer)
        touch(page, "Continue")
    touch(page, "Continue")
    expect(page.locator("#wrong-what")).to_contain_text("could never report back")


def test_encryption_is_turned_off_again_by_its_first_answer(page: Page, box: Box) -> None:
    configured(box, page)
    change(box, page, ["destination", 0, "tls"], {"ca": "system"})
    look(box, page, "/settings/archives/ask/destination/0/tls")
    expect(page.locator("#label")).to_have_text("Encryption")
    expect(page.get_by_role("radio", name="Yes")).to_be_checked()
    touch(page, "Continue")
    expect(page.locator("#label")).to_have_text("File of the authorities that are trusted")
    touch(page, "Back")
    page.get_by_role("radio", name="No").tap()
    touch(page, "Continue")
    expect(page.locator("#sure .changes li")).to_have_count(1)
    touch(page, "Change it")
    page.wait_for_url("**/settings/archives/destination/0")
    assert "tls" not in written(box)["destination"][0]


def test_a_worklist_server_is_added_one_question_after_the_other(page: Page, box: Box) -> None:
    configured(box, page)
    look(box, page, "/settings/worklist/worklist/new")
    for answer in ("second", "RIS2", "10.0.0.8"):
        page.locator(".step:not([hidden]) input").fill(answer)
        touch(page, "Continue")
    for digit in "104":
        page.locator(f'.hg-button[data-skbtn="{digit}"]').tap()
    touch(page, "Continue")
    page.locator("#sure:not([hidden])").wait_for()
    touch(page, "Change it")
    page.wait_for_url("**/settings/worklist")
    added = {"name": "second", "ae_title": "RIS2", "host": "10.0.0.8", "port": 104}
    assert written(box)["worklist"][1] == added


def test_what_the_box_cannot_use_is_said_at_its_question(page: Page, box: Box) -> None:
    configured(box, page)
    look(box, page, "/settings/worklist/worklist/new")
    for answer in ("ris", "RIS", "10.0.0.5"):  # a name that another one has
        page.locator(".step:not([hidden]) input").fill(answer)
        touch(page, "Continue")
    page.locator(".step:not([hidden]) input").fill("104")
    touch(page, "Continue")
    expect(page.locator("#wrong-what")).to_contain_text("is called")
    expect(page.locator("#label")).to_have_text("Name")


def test_during_an_exam_the_page_says_for_what_a_change_waits(page: Page, box: Box) -> None:
    configured(box, page)
    opened = exam(box, 1)
    look(box, page, "/settings/screen/ask/panel/theme")
    page.get_by_role("radio", name="Light").tap()
    touch(page, "Continue")
    expect(page.locator("#applying")).to_contain_text("Only the screen starts anew with this")
    touch(page, "Change it")
    page.wait_for_url("**/settings/screen")
    expect(page.locator("#settings-state")).to_contain_text("A change waits until the exam is finished.")
    box.spool.exams.finish(opened.id)
    until(lambda: "The recorder takes the change over" in page.locator("#settings-state").inner_text())


def test_a_pedal_is_learned_by_its_press_and_asked_about_before_it_counts(page: Page, box: Box) -> None:
    configured(box, page)
    look(box, page, "/settings/pedals")
    page.get_by_role("link", name="Learn a pedal: press it").tap()
    page.wait_for_selector("body.ready")
    expect(page.locator("#setup-press")).to_have_text("Press the pedal now")
    box.capture.script.presses.append({"word": "key:0xB7"})
    expect(page.locator("#setup-heard")).to_contain_text("Heard: ")
    touch(page, "Keep it")
    expect(page.locator("#sure .changes")).to_contain_text("ultrasound")
    assert len(written(box)["trigger"]) == 1
    touch(page, "Change it")
    page.wait_for_url("**/settings/pedals")
    learned = written(box)["trigger"][1]
    assert (learned["source"], learned["still"]) == ("ultrasound", "key:F13")


def test_a_profile_shows_its_picture_before_it_is_chosen(page: Page, box: Box) -> None:
    show("settings_profile", box, page)
    fitting = page.locator(".previews [data-fits=yes]")
    assert fitting.locator("img").evaluate_all("all => all.map((image) => image.naturalWidth > 0)") == [True, True]
    page.locator("[data-profile='dvi-1080p-ultrasound']").tap()
    touch(page, "Continue")
    page.locator("#sure:not([hidden])").wait_for()
    touch(page, "Change it")
    page.wait_for_url("**/settings/sources/source/0")
    assert written(box)["source"][0]["profile"] == "dvi-1080p-ultrasound"


def test_during_an_exam_profiles_are_chosen_by_name_and_the_screen_says_why(page: Page, box: Box) -> None:
    show("settings_profile_exam", box, page)
    expect(page.locator("#profiles-tried")).to_contain_text("while an exam is open")
    expect(page.locator(".previews img:visible")).to_have_count(0)
    page.locator("[data-profile='dvi-1080p-ultrasound']").tap()
    touch(page, "Continue")
    page.locator("#sure:not([hidden])").wait_for()


def test_what_was_chosen_during_an_exam_is_not_said_to_take_seconds(page: Page, box: Box) -> None:
    show("setup_summary", box, page)
    page.route("**/api/v1/first-start/finish", lambda route: route.fulfill(json={}))
    page.route("**/api/v1/first-start", lambda route: route.fulfill(json={"waits": "exam"}))
    touch(page, "Done: use the box")
    expect(page.locator("#setup-waits")).to_contain_text("A change waits until the exam is finished.")
    expect(page.locator("#setup-waits")).not_to_contain_text("This takes a few seconds.")


def test_a_removed_archive_is_asked_about_first(page: Page, box: Box) -> None:
    configured(box, page)
    look(box, page, "/settings/archives/destination/1")
    touch(page, "Remove")
    expect(page.locator("#sure .changes li").first).to_contain_text("stick")
    touch(page, "Back")
    assert len(written(box)["destination"]) == 2
    touch(page, "Remove")
    touch(page, "Change it")
    page.wait_for_url("**/settings/archives")
    assert [each["name"] for each in written(box)["destination"]] == ["pacs"]


def test_without_a_stick_the_other_way_stays_to_be_read(page: Page, box: Box) -> None:
    show("settings_file_no_stick", box, page)
    other = page.get_by_text("Any stick with FAT or exFAT").bounding_box()
    footer = page.locator("footer.answer").first.bounding_box()
    assert other
    assert footer
    assert other["y"] + other["height"] <= footer["y"]


def test_a_scan_is_the_value_of_a_field_and_is_not_added_to_what_stood_there(page: Page, box: Box) -> None:
    show("settings_text", box, page)
    field = page.locator(".step:not([hidden]) input")
    expect(field).to_have_value("10.0.0.6")
    scan(page, "pacs.klinik.example")
    expect(field).to_have_value("pacs.klinik.example")
    expect(page.locator("#sure")).to_be_hidden()  # a person reads it and goes on
