"""Why an appliance has no data: what its screen says in place of the panel."""

from gateway.errors import ScopegateError


class DataClosed(ScopegateError):
    """The box cannot open its data."""

    code = "data-closed"
    safe = "What is on its disk stays as it is. No picture can be taken."
    action = "Switch the box off and on again; if this page comes back, call service."


class DataMissing(DataClosed):
    """The part of the disk that holds patients' pictures is not there."""

    code = "data-missing"
    safe = "No picture can be taken. Nothing is written to this disk."
    action = "Call service: the disk is another one, or it is broken."


class TwoDisks(DataClosed):
    """Parts of this box are on two disks."""

    code = "two-disks"
    action = "Switch the box off, pull out sticks and disks that are not the box's own, and switch it on."


class DataForeign(DataClosed):
    """Something else stands where this box opens its data."""

    code = "data-foreign"
    action = "Switch the box off and on again; if this page comes back, call IT: somebody may have changed the box."


class DataDamaged(DataClosed):
    """The part of the disk that holds patients' pictures cannot be read."""

    code = "data-damaged"
    safe = "The box changes nothing on it: much may be saved. No picture can be taken."
    action = "Call service, and leave the box as it is."


class KeyGone(DataClosed):
    """The key that opens the data is not on this box any more."""

    code = "key-gone"
    action = "Type the recovery code, or call service."


class KeyRefused(DataClosed):
    """This box was changed, so its chip does not give the key that opens the data."""

    code = "key-refused"
    action = (
        "If this was meant (a new firmware, another mainboard), type the recovery code. "
        "If not, call IT: somebody may have changed the box."
    )


class ChipLocked(DataClosed):
    """The chip of this box gives its key to nobody for a while: the power was cut too often."""

    code = "chip-locked"
    action = (
        "Leave the box switched on: it asks the chip again by itself. The recovery code opens the data at once."
    )


class StartPinWanted(DataClosed):
    """This box asks for its start PIN before it opens the data."""

    code = "start-pin"
    action = "Type the start PIN, or the recovery code."


class NotErased(DataClosed):
    """The disk of this box cannot be erased."""

    code = "not-erased"
    safe = "This box opens nothing on it any more. Somebody else may be able to read it."
    action = "Switch the box off and on again; if this page comes back, destroy the disk."
