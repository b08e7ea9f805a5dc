#!/bin/bash
# Which slot this start is of, said before udev names the first disk; which box it is.
# shellcheck disable=SC2154 # variables are those of dracut
check() { return 0; }
# What was signed for a TPM comes over from the initrd (systemd-tmpfiles); how far the start came is measured
# (systemd-pcrphase).
depends() { echo systemd udev-rules systemd-tmpfiles systemd-pcrphase; }
install() {
    inst_script "$moddir/scopegate-slot" /usr/lib/scopegate/slot
    inst_simple /usr/lib/scopegate/layout
    inst_script /usr/lib/scopegate/has-root
    inst_simple "$moddir/scopegate-slot.service" "$systemdsystemunitdir/scopegate-slot.service"
    inst_script "$moddir/scopegate-own-disk" /usr/lib/scopegate/own-disk
    inst_script "$moddir/scopegate-identity" /usr/lib/scopegate/identity
    inst_simple "$moddir/scopegate-identity.service" "$systemdsystemunitdir/scopegate-identity.service"
    inst_script "$moddir/scopegate-starts" /usr/lib/scopegate/starts
    inst_simple "$moddir/scopegate-starts.service" "$systemdsystemunitdir/scopegate-starts.service"
    inst_simple /etc/udev/rules.d/61-scopegate-usb.rules
    inst_simple "$moddir/62-scopegate-usb-start.rules" /etc/udev/rules.d/62-scopegate-usb-start.rules
    inst_multiple od tr grep readlink sha256sum mkdir chmod mount mountpoint udevadm dd sed head cat sync efibootmgr
    # All by name: they are opened while systemd runs, so nothing says what they need in turn.
    inst_libdir_file "libtss2-esys.so.*" "libtss2-sys.so.*" "libtss2-mu.so.*" "libtss2-rc.so.*" "libtss2-tcti-device.so.*"
    $SYSTEMCTL -q --root "$initdir" add-wants sysinit.target scopegate-slot.service
    $SYSTEMCTL -q --root "$initdir" add-wants initrd.target scopegate-identity.service
    $SYSTEMCTL -q --root "$initdir" add-wants initrd-root-device.target scopegate-starts.service
}
