#!/bin/bash
# Which slot this start is of, said before udev names the first disk; which box it is.
# shellcheck disable=SC2154 # variables are those of dracut
check() { return 0; }
depends() { echo systemd udev-rules; }
install() {
    inst_script "$moddir/scopegate-slot" /usr/lib/scopegate/slot
    inst_simple /usr/lib/scopegate/layout
    inst_simple "$moddir/scopegate-slot.service" "$systemdsystemunitdir/scopegate-slot.service"
    inst_script "$moddir/scopegate-identity" /usr/lib/scopegate/identity
    inst_simple "$moddir/scopegate-identity.service" "$systemdsystemunitdir/scopegate-identity.service"
    inst_multiple tr mkdir mount mountpoint udevadm
    $SYSTEMCTL -q --root "$initdir" add-wants sysinit.target scopegate-slot.service
    $SYSTEMCTL -q --root "$initdir" add-wants initrd.target scopegate-identity.service
}
