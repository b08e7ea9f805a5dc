#!/bin/bash
# The appliance: a root file system that is checked while it is read, what starts it, and a disk of both. Sourced by
# image-build/build. Every piece is made apart, because an update writes the same pieces into the other slot.
# shellcheck disable=SC2034,SC2154 # the caller has some of the variables, and the layout others

base='' tools='' image='' # their folders, once made
date='' version='' build='' efi='' serial='' # of the image
esp_mb=192                # FAT32 wants 65,525 clusters; of 512 bytes these are 393,000
root_mb=1024
verity_mb=16
pi_mb=40
slot_mb=900 # the most that an update brings
service=${SCOPEGATE_SERVICE:-} # whom a box names that cannot open its data
# shellcheck source=/dev/null
. image-build/tree/box/usr/lib/scopegate/layout

make_box() { debian_tree "$1/packages.tar" none base box; }

make_tools() {
    debian_tree "$1/tools.tar" none tools
    mkdir "$1/tree"
    tar -xf "$1/tools.tar" -C "$1/tree" --exclude='./dev/*'
    rm "$1/tools.tar"
}

make_base() {
    local out=$1 tree=$work/tree
    mkdir "$tree"
    tar -xf "$packages/packages.tar" -C "$tree" --exclude='./dev/*' --exclude='./boot/initrd*'
    with_wheels "$tree"
    rm -r "$tree"/opt/scopegate/.venv/{bin/pip*,lib/python3*/site-packages/pip{,-*}} # nothing is installed on a box
    tar -C "$tree" --sort=name --numeric-owner -cf "$out/root.tar" .
    rm -rf --one-file-system "$tree"
}

# with_tools COMMAND...: with the tools tree as /, in the folder of the pieces.
with_tools() {
    # shellcheck disable=SC2016 # expanded inside
    unshare --mount --propagation private bash -euc '
        tree=$1 pieces=$2; shift 2
        mount -t proc proc "$tree/proc"
        mount --rbind /dev "$tree/dev"
        mount -t tmpfs tmp "$tree/tmp"
        mount --rbind "$pieces" "$tree/mnt"
        exec chroot "$tree" env -C /mnt SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"
    ' with_tools "$tools/tree" "${work_pieces:-$work/pieces}" "$@"
}

# What a product must not have, and what the disk's contents must not depend on.
finish_tree() {
    local tree=$1 units=$1/usr/lib/systemd
    if [ "$profile" = product ]; then
        # Takes units, breakpoints and shells from the firmware and the command line.
        rm "$units/system-generators/systemd-debug-generator"
        # Nobody logs in: no unit asks for a name, on a console that somebody switches to or on a serial port.
        rm "$units"/system/{getty@,autovt@,getty-static,serial-getty@,console-getty,container-getty@}.service \
            "$units"/{system/debug-shell.service,system-generators/systemd-getty-generator}
        rm -rf "$tree/etc/systemd/system/getty.target.wants"
    fi
    install -D -m 644 systemd/kiosk/chromium-policies.json "$tree/etc/chromium/policies/managed/scopegate.json"
    # /var is in memory on a box: what packages left there would never be seen. No mirror of who built it.
    rm -rf "${tree:?}"/{boot,var,run,tmp,home,srv,media,mnt} "${tree:?}"/etc/{*-,apt,dpkg} "$tree/initrd.img" \
        "$tree/vmlinuz" "$tree"/{initrd.img.old,vmlinuz.old} "$tree/usr/lib/systemd/boot/efi"
    # The initrd has the microcode; there is no radio.
    rm -rf "$tree"/usr/lib/firmware/{intel-ucode,amd-ucode,rtlwifi,rtw88,rtw89,rtl_bt}
    rm -rf "$tree"/usr/lib/{raspi-firmware,linux-image-*} # device trees: a slot's boot partition has those it needs
    ln -sfn /dev/null "$tree/etc/systemd/system/ctrl-alt-del.target" # whatever a keyboard wants
    mkdir -p "$tree"/{run,tmp,mnt,home,srv,media/usb,data,etc/scopegate,var}
    : >"$tree/etc/machine-id" # of the box, not of the image
    printf '%s\n' "VERSION=$version" "PROFILE=$profile" "SERVICE=$service" "BUILD=$build" \
        "FLOOR=$(cat image-build/floor)" "COMPATIBLE=scopegate-$arch" >"$tree/usr/lib/scopegate/image"
    rm -rf "$tree/etc/rauc"
    if [ -n "$keys" ]; then
        mkdir "$tree/etc/rauc"
        cat "$keys/ca1.crt" "$keys/ca2.crt" >"$tree/etc/rauc/keyring.pem"
        chmod 644 "$tree/etc/rauc/keyring.pem"
    fi
    truncate --size=1M "$tree/usr/lib/scopegate/no-key"
    ln -sf /run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"
    rm "$tree/etc/hostname" # of machine.toml: with a name of the image's own none could be given at run time
    ln -sfn /run/scopegate-machine/localtime "$tree/etc/localtime" # the zone is the clinic's; without it: UTC
    chown -R --no-dereference 0:0 "$tree/etc/systemd" "$tree/usr/lib/scopegate"
}

make_initrd() { # TREE OUT: kernel and initrd
    local tree=$1 out=$2 kernel
    kernel=$(basename "$tree"/usr/lib/modules/*)
    cp "$tree/boot/vmlinuz-$kernel" "$out/vmlinuz"
    run_in_tree "$tree" -- env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" dracut --quiet --force --reproducible \
        --no-hostonly --kver "$kernel" /boot/initrd
    if [ "$arch" = arm64 ]; then
        mkdir "$out/pi"
        cp "$tree"/usr/lib/raspi-firmware/{start4.elf,fixup4.dat} "$out/pi/"
        cp "$tree"/usr/lib/linux-image-*/broadcom/bcm2711-rpi-{4-b,400,cm4-io}.dtb "$out/pi/"
    fi
    cp "$tree/boot/initrd" "$tree/usr/lib/systemd/boot/efi/linux$efi.efi.stub" "$out/"
}

make_contents() { # OUT: what the tree beside it is made of, and in it where people look for licences
    local out=$1 facts=$1/facts
    cp image-build/licences.toml image-build/parts/contents.py "$facts/"
    {
        tar -tf "$product/product.tar"
        (cd image-build/tree/box && find . ! -type d -printf '%P\n')
        [ -z "$over" ] || (cd "$over" && find . ! -type d -printf '%P\n')
    } >"$facts/product"
    (cd "$wheels/wheels" && sha256sum -- *.whl) >"$facts/wheels"
    with_tools python3 facts/contents.py tree facts / . --version "$version" --suite "$suite" \
        --date "$SOURCE_DATE_EPOCH"
    mkdir -p "$out/tree/usr/share/doc/scopegate"
    cp "$out"/{bom.cdx.json,licences.txt} "$out/tree/usr/share/doc/scopegate/"
    rm -r "$facts"
}

make_root_image() { # OUT: root file system and its hashes, of the tree beside it; sets root_hash
    local out=$1
    # lz4: a tenth larger than zstd, and read without keeping a slow processor from its pictures.
    with_tools mkfs.erofs --quiet -zlz4hc,level=9 -C65536 -T"$SOURCE_DATE_EPOCH" --all-time \
        -U "$root_fs" root.erofs tree
    with_tools veritysetup format --salt="$(sha256sum <"$out/root.erofs" | cut -c1-64)" --uuid="$verity_fs" \
        --root-hash-file=roothash root.erofs root.verity >/dev/null
    root_hash=$(cat "$out/roothash")
}

# Whether a firmware with Secure Boot can believe this image.
signed() { [ -n "$keys" ] && [ -e "$keys/db.key" ]; }

make_enrolment() { # OUT: what a firmware has to be given once, so that it believes this image and nothing else
    local out=$1 name date_of_keys owner=$disk
    date_of_keys=$(date --date="$(openssl x509 -in "$keys/db.crt" -noout -startdate | cut -d= -f2)" '+%F %T')
    openssl x509 -in "$keys/db.crt" -outform DER -out "$out/secure-boot.cer"
    with_tools cert-to-efi-sig-list -g "$owner" keys/db.crt keys/esl
    for name in PK KEK db; do
        with_tools sign-efi-sig-list -g "$owner" -t "$date_of_keys" -k keys/db.key -c keys/db.crt \
            "$name" keys/esl "$name.auth" >/dev/null
    done
}

# What a Raspberry Pi starts a slot from, beside what UEFI starts: its own firmware, the kernel and the initrd as they are.
make_pi() { # OUT
    local out=$1 file
    cp image-build/pi/config.txt "$out/pi/"
    cp "$out"/{vmlinuz,initrd} "$out/pi/"
    # The firmware switches groups of processes off that count memory, without which no limit of memory holds.
    printf '%s cgroup_enable=memory' "$(cat "$out/cmdline")" >"$out/pi/cmdline.txt"
    for file in "$out"/pi/*; do
        touch --date="@$SOURCE_DATE_EPOCH" "$file"
        with_tools mcopy -m -i esp.img "pi/${file##*/}" ::
    done
    truncate --size="${pi_mb}M" "$out/pi.img"
    with_tools mkfs.vfat -F 32 -s 1 --invariant -n PI pi.img >/dev/null
    cp image-build/pi/autoboot.txt "$out/pi/"
    touch --date="@$SOURCE_DATE_EPOCH" "$out/pi/autoboot.txt"
    with_tools mcopy -m -i pi.img pi/autoboot.txt ::
}

make_start() { # OUT: one file that the firmware starts, and the partition that holds it
    local out=$1 outsiders=""
    # What a mainboard's strings (smbios-type-11(7)) add to the command line a chip sees (PCR 12). As credentials nothing
    # sees them, and they would write files as root does. No credential of the initrd's is taken either.
    [ "$profile" = test ] || outsiders=" systemd.import_credentials=no"
    printf '%s' "roothash=$root_hash systemd.verity_root_data=/dev/scopegate/root" \
        " systemd.verity_root_hash=/dev/scopegate/verity systemd.verity_root_options=panic-on-corruption" \
        " rootfstype=erofs ro panic=5 quiet rd.shell=0 rd.emergency=reboot systemd.gpt_auto=0" \
        " usbcore.authorized_default=0" \
        " systemd.condition_needs_update=no systemd.show_status=no loglevel=4$outsiders${console:-}" >"$out/cmdline"
    cp "$work/os-release" "$out/os-release"
    local sign=() # words for ukify
    mkdir -m 700 "$out/keys"
    if signed; then
        cp "$keys"/db.{key,crt} "$out/keys/"
        sign+=(--secureboot-private-key=keys/db.key --secureboot-certificate=keys/db.crt)
        make_enrolment "$out"
    fi
    if [ -n "$keys" ] && [ -e "$keys/pcr.key" ]; then # what a TPM is told: this start was meant
        cp "$keys"/pcr.{key,pub} "$out/keys/"
        sign+=(--pcr-private-key=keys/pcr.key --pcr-public-key=keys/pcr.pub --pcr-banks=sha256)
    fi
    with_tools ukify build --linux=vmlinuz --initrd=initrd --cmdline=@cmdline --os-release=@os-release "${sign[@]}" \
        --stub="linux$efi.efi.stub" --output=start.efi >/dev/null
    truncate --size="${esp_mb}M" "$out/esp.img"
    with_tools mkfs.vfat -F 32 -s 1 --invariant -n START esp.img >/dev/null
    with_tools mmd -i esp.img ::EFI ::EFI/BOOT
    touch --date="@$SOURCE_DATE_EPOCH" "$out/start.efi"
    with_tools mcopy -m -i esp.img start.efi "::EFI/BOOT/BOOT${efi^^}.EFI"
    [ "$arch" != arm64 ] || make_pi "$out"
}

make_disk() { # OUT: both slots' places, the first one filled
    local out=$1 number=10 definition
    rm -rf "$out/repart"
    mkdir "$out/repart"
    definition() { # NAME TYPE MB [FILE]
        local place=${1/-/_}
        printf '[Partition]\nLabel=%s\nType=%s\nUUID=%s\nSizeMinBytes=%sM\nSizeMaxBytes=%sM\n' \
            "$1" "$2" "${!place}" "$3" "$3" >"$out/repart/$number-$1.conf"
        [ -z "${4:-}" ] || printf 'CopyBlocks=%s\n' "/mnt/$4" >>"$out/repart/$number-$1.conf"
        number=$((number + 1))
    }
    [ "$arch" != arm64 ] || definition pi esp "$pi_mb" pi.img
    definition esp-a esp "$esp_mb" esp.img
    definition esp-b esp "$esp_mb"
    definition root-a root "$root_mb" root.erofs
    definition verity-a root-verity "$verity_mb" root.verity
    definition root-b root "$root_mb"
    definition verity-b root-verity "$verity_mb"
    with_tools systemd-repart --empty=create --size=auto --dry-run=no --offline=yes --seed="$disk" \
        --architecture="${arch/amd64/x86-64}" --definitions=repart --no-pager disk.img >/dev/null
}

# As RAUC compares versions: 0.2.0.dev0 is 0.2.0-dev.0 there (semver.org).
version_of() {
    [ -z "$as_version" ] || { echo "$as_version"; return; }
    sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml | sed 's/\.dev/-dev./'
}

make_image() {
    local out=$1 tree=$work/tree SOURCE_DATE_EPOCH=$date
    mkdir "$work/pieces" "$tree"
    [ "$profile" = product ] || console=" console=$serial"
    tar -xf "$base/root.tar" -C "$tree"
    tar -C image-build/tree/box --owner=0 --group=0 --mode=u=rwX,go=rX -c . | tar -C "$tree" -x
    with_product "$tree"
    have_their_numbers "$tree"
    [ -z "$over" ] || tar -C "$over" --owner=0 --group=0 -c . | tar -C "$tree" -x
    run_in_tree "$tree" -- systemctl --quiet preset-all
    cp "$tree/etc/os-release" "$work/os-release"
    say "initrd"
    make_initrd "$tree" "$work/pieces"
    mkdir "$work/pieces/facts"
    cp -r "$tree/var/lib/dpkg" "$work/pieces/facts/"
    finish_tree "$tree"
    mv "$tree" "$work/pieces/tree"
    say "what it is made of"
    make_contents "$work/pieces"
    say "root file system"
    make_root_image "$work/pieces"
    say "what starts it"
    make_start "$work/pieces"
    make_disk "$work/pieces"
    rm -rf --one-file-system "$work"/pieces/{tree,repart,keys,pi,*.stub}
    mv "$work"/pieces/* "$out/"
    check_size "$out"
    say "root hash $root_hash"
}

# have_their_numbers TREE: whose files on the data partition belong to others after an update can work with none of them.
have_their_numbers() {
    local kind name number file
    while read -r kind name number _; do
        case $kind in
            u) file=passwd ;;
            g) file=group ;;
            *) continue ;;
        esac
        grep -q "^$name:x:$number:" "$1/etc/$file" || { echo "build: $name has not the number $number" >&2; exit 1; }
    done <image-build/tree/box/etc/sysusers.d/00-scopegate-numbers.conf
}

check_size() { # OUT
    local out=$1 slot
    local files=(root.erofs root.verity start.efi)
    [ "$arch" != arm64 ] || files+=(vmlinuz initrd) # once more, for a Raspberry Pi
    slot=$(cd "$out" && stat --format=%s "${files[@]}" | awk '{ sum += $1 } END { print int(sum / 1e6) + 1 }')
    say "root $(size_of "$out/root.erofs") MB, its hashes $(size_of "$out/root.verity") MB," \
        "start $(size_of "$out/start.efi") MB"
    say "a slot has $slot of $slot_mb MB (of 1,000,000 bytes)"
    [ "$slot" -le "$slot_mb" ] || { echo "build: a slot has $slot MB, and may have $slot_mb" >&2; exit 1; }
}

# What an image is made of, and which version it is: sets of_image.
build_parts() {
    local inputs=(image-build requirements/run.txt pyproject.toml "${trees[@]}" scripts/setup.py "${parts[@]}")
    # All files of an image bear the time at which what it is made of was last changed.
    date=${asked_date:-$(git log -1 --format=%ct -- "${inputs[@]}")}
    version=$(version_of)
    build=$(date -u -d "@$date" +%Y%m%d.%H%M)
    case $arch in
        amd64) efi=x64 serial=ttyS0 ;;
        arm64) efi=aa64 serial=ttyAMA0 ;;
    esac
    local recipes=("${trees[@]}" image-build/parts/image.sh)
    made packages make_box "$(listed base box)" "${recipes[@]}"
    made wheels make_wheels requirements/run.txt "$suite"
    arch=$(dpkg --print-architecture) made tools make_tools "$(listed tools)" "${recipes[@]}"
    made base make_base "${packages##*/}" "${wheels##*/}" scripts/setup.py "${recipes[@]}"
    made product make_product "${parts[@]}" "${recipes[@]}"
    of_image=("$profile" "$version $date $service" "${base##*/}" "${product##*/}" "${tools##*/}" "$(of_keys)" image-build/parts
        image-build/licences.toml image-build/tree/box image-build/floor "$(of_over)")
}

# What is laid over the root, in one word.
of_over() {
    [ -n "$over" ] || return 0
    tar -C "$over" --sort=name --mtime=@0 --owner=0 --group=0 -c . | sha256sum | cut -c1-16
}

build_image() {
    build_parts
    made image make_image "${of_image[@]}"
}
