"""The pictures of docs/screens: of which screens there are some, how alike a screen and its picture are."""

from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "docs/screens"
MOST, MOST_BYTES = 80, 8_000_000
NOTICED = 40  # of 255: less is how letters are smoothed, which another release of Chromium does otherwise
ALIKE = 0.004  # of all pixels may differ by more ...
ALIKE_NEARBY = 0.35  # ... and of no square as large as a few letters
_SQUARE = 24  # px
Kind = tuple[str, str, str]  # screen, size, language

# The main ones are also stored as a clinic in Germany has them on the larger screen.
MAIN = (
    "choose",
    "confirm_similar",
    "live",
    "live_recording",
    "finish",
    "exam_saved",
    "delivery_away",
    "more",
)

# Screens that differ from another one's picture by a word or a row: they are looked at by every other test.
LIKE_ANOTHER = {
    "choose_while_open": "choose_please_check",
    "choose_for_exam": "choose_please_check",
    "choose_many_waiting": "choose_please_check",
    "choose_known_for_exam": "choose_please_check",
    "choose_asking": "choose_nobody",
    "choose_covered_while_open": "choose_covered",
    "choose_examined": "choose",
    "confirm_examined": "confirm_similar",
    "confirm_for_exam": "confirm_similar",
    "exam_one_more_unnamed": "exam_saved",
    "picture_sure": "picture",
    "copy_no_stick": "copy",
    "standby_while_open": "standby",
    "confirm_other_wristband": "confirm_similar",
    "type_date": "type_wrong_date",
    "live_left": "live_unplugged",
    "live_noise": "live_unplugged",
    "live_hot": "live_unplugged",
    "live_missing": "live_no_signal",
    "exam_please_check": "exam_needs_patient",
    "picture_clip": "picture",
    "picture_left": "picture",
    "evening_open_exam": "evening",
    "confirm_much_to_warn_of": "confirm_similar",
    "copy_which": "archive",
    "person_add": "person",
    "person_name": "type_patient",
    "choose_operator": "operator",
    "confirm_while_open": "confirm_similar",
    "confirm_made_id": "confirm_without_birth_date",
    "type_wrong": "type_wrong_date",
    "type_id": "type_patient",
    "search": "type_patient",
    "search_nobody": "search_found",
    "scanned_several": "confirm_several",
    "live_without_patient": "finish_without_patient",
    "live_no_cable": "live_no_signal",
    "live_out_of_range": "live_no_signal",
    "live_no_signal_picture": "live_no_signal",
    "live_operator": "live_long_name",
    "exam_empty": "exam_saved",
    "exam_of_before": "exam_saved",
    "picture_of_a_side": "picture",
    "move_nowhere": "move",
    "delivery": "delivery_away",
    "delivery_asked": "delivery_away",
    "delivery_away_for_hours": "delivery_refused",
    "details_away": "details_refused",
    "details_kept": "details_refused",
    "details_nothing": "details_refused",
    "erase": "details_refused",
    "erase_refused": "details_refused",
    "erase_number": "first_administrator",
    "erase_patient": "details_refused",
    "erase_patient_left": "details_refused",
    "erase_patient_number": "first_administrator",
    "erased": "people",
    "erased_others": "details_refused",
    "erased_traces": "people",
    "copy_several": "copy",
    "copy_read_only": "copy",
    "copying_failed": "copying_done",
    "archive_nothing": "archive",
    "archive_find": "search_found",
    "archive_found": "archive",
    "evening_nothing": "evening",
    "numbers_nothing": "numbers",
    "more_while_open": "more",
    "more_signed_in": "more",
    "people_without_code": "people",
    "sign_in": "sign_in_several",
    "own_pin": "first_administrator",
    "recover": "recovery_code",
    "recovery_code_confirm": "first_administrator",
    "scanned_nobody": "confirm_several",
    "type_accents": "type_patient",
    "delivery_nothing": "choose_nobody",
    "settings_waiting": "settings",
    "machine": "settings",
    "machine_network": "settings_archive",
    "machine_network_tried": "settings_archive",
    "machine_network_troubled": "settings_archive",
    "machine_network_wrong": "settings_archive",
    "machine_time_wrong": "settings_archive",
    "machine_network_pc": "settings_archive",
    "machine_address": "settings_choice",
    "machine_time": "settings_archive",
    "machine_clock": "setup_trial_bad",
    "machine_zones": "settings",
    "machine_zone": "settings_choice",
    "machine_certificate": "settings_archive",
    "machine_disk": "settings_archive",
    "machine_disk_chip": "settings_archive",
    "machine_disk_pc": "settings_archive",
    "machine_start_pin": "first_administrator",
    "machine_start_pin_early": "first_administrator",
    "settings_station": "settings_archive",
    "settings_worklist": "settings_archive",
    "settings_archives": "settings_several",
    "settings_pedals": "settings_several",
    "settings_retention": "settings_archive",
    "settings_screen": "settings_archive",
    "settings_network": "settings_archive",
    "settings_audit": "settings_archive",
    "settings_audit_there": "settings_archive",
    "settings_audit_try": "setup_trial_bad",
    "settings_rare": "settings_archive",
    "settings_elsewhere": "type_patient",
    "settings_text": "type_patient",
    "settings_table": "settings_choice",
    "settings_number": "settings_wrong",
    "settings_choice_many": "settings_choice",
    "settings_secret": "settings_wrong",
    "settings_before": "settings_sure",
    "settings_sources": "settings_several",
    "service_signs": "service",
    "queue_of_nobody": "service",
    "queue_replaced": "service",
    "queue_again": "service",
    "queue_stopped": "service",
    "queue_add": "service",
    "queue_messages": "service",
    "queue_messages_stopped": "service",
    "self_test": "service",
    "self_test_waits": "service",
    "self_test_failed": "service",
    "self_test_touch": "service",
    "service_of_an_appliance": "service",
    "connections": "service",
    "connections_running": "service",
    "connections_gone": "service",
    "connections_well": "service",
    "connections_wrong": "service",
    "stored_data": "service",
    "stored_data_well": "service",
    "stored_data_troubled": "service",
    "stored_data_stopped": "service",
    "update": "service",
    "update_installing": "service",
    "update_installing_sent": "service",
    "update_went_back": "service",
    "update_stays": "service",
    "update_pc": "service",
    "machine_usb": "service",
    "machine_usb_pc": "service",
    "repair": "settings",
    "repair_pc": "settings",
    "repair_proving": "settings",
    "repair_destroy": "first_administrator",
    "repair_keep": "first_administrator",
    "repair_keep_code": "sign_in_several",
    "repair_rescue": "sign_in_several",
    "repair_begun": "settings",
    "finish_idle": "finish",
    "language": "setup_language",
    "setup_time": "type_wrong_date",
    "setup_time_wrong": "type_wrong_date",
    "setup_time_appliance_wrong": "type_wrong_date",
    "setup_zones": "settings",
    "setup_zone": "settings_choice",
    "setup_station": "type_patient",
    "setup_administrator": "first_administrator",
    "setup_administrator_name": "type_patient",
    "first_administrator_name": "type_patient",
    "setup_source": "setup_profile",
    "setup_kind": "setup_profile",
    "setup_pedal_heard": "setup_pedal",
    "setup_pedal_without_source": "setup_pedal",
    "setup_worklist": "setup_pedal",
    "setup_host": "type_patient",
    "setup_port": "type_wrong_date",
    "setup_archive": "setup_pedal",
    "setup_commitment": "setup_pedal",
    "setup_trial": "setup_trial_bad",
    "settings_try": "setup_trial_bad",
    "setup_retention": "setup_pedal",
    "setup_our_title": "type_patient",
    "setup_summary_test_picture": "setup_summary",
    "setup_summary_much": "setup_summary",
    "service_troubled": "service",
    "settings_file_no_stick": "settings_archive",
    "settings_pedal": "setup_pedal",
    "settings_pedal_waits": "setup_pedal",
    "settings_device": "settings_choice",
    "settings_profile": "setup_profile",
    "sign_in_unreadable": "problem",
    "settings_profile_exam": "setup_profile",
    "settings_file": "settings_archive",
    "clean": "standby",
    "standby_of_the_box": "standby",
    "practice_type": "type_patient",
    "practice_more": "more",
    "practice_choose": "practice_live",
}


def kinds(screens: list[str]) -> list[Kind]:
    """Return every picture that there should be."""
    small = [(name, "front", "en") for name in screens if name not in LIKE_ANOTHER]
    return [*small, *((name, "large", "de") for name in MAIN)]


def path_of(name: str, width: int, language: str) -> Path:
    return FOLDER / f"{name}-{width}-{language}.png"


def read(png: bytes) -> np.ndarray:
    """Return a picture, uint8, shape (rows, columns, 3)."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def difference(one: np.ndarray, other: np.ndarray) -> str:
    """Return how two pictures differ, "" when they are alike."""
    if one.shape != other.shape:
        return f"their sizes are {one.shape[:2]} and {other.shape[:2]}"
    smooth = [cv2.GaussianBlur(picture, (5, 5), 0).astype(np.int16) for picture in (one, other)]
    unlike = np.abs(smooth[0] - smooth[1]).max(axis=2) > NOTICED
    rows, columns = (side // _SQUARE * _SQUARE for side in unlike.shape)
    squares = unlike[:rows, :columns].reshape(rows // _SQUARE, _SQUARE, columns // _SQUARE, _SQUARE).mean((1, 3))
    if unlike.mean() <= ALIKE and squares.max() <= ALIKE_NEARBY:
        return ""
    y, x = np.unravel_index(squares.argmax(), squares.shape)
    return f"{unlike.mean():.1%} of the pixels, most of all at {x * _SQUARE}, {y * _SQUARE}"
