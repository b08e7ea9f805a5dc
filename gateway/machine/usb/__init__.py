"""What may be plugged into an appliance: nothing by default (docs/decisions/0054-usb.md)."""
