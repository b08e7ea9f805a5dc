#!/bin/bash
# Trees of files: Debian packages, the wheels' environment, the product. Sourced by image-build/build.
# shellcheck disable=SC2034,SC2154 # the caller has some of the variables

oldest_libc=17 # of glibc 2.x: what wheels may want
newest_libc=36 # bookworm's
# What every tree is dated, whenever it was made: later files get this time, users were made on this day.
tree_date=1767225600
parts=(gateway hardware systemd docs LICENSE NOTICE README.md CHANGELOG.md)
packages='' wheels='' system='' product='' # their folders, once made

# The packages of some lists, with commas between. A word in brackets names the one architecture that has it.
listed() {
    local list
    for list in "$@"; do
        sed "s/ *#.*//; /^\$/d; s/\$ARCH/$arch/; s/ \[$arch\]\$//; / \[/d" "image-build/packages/$list"
    done | paste -sd,
}

# debian_tree TAR FOR LIST...: a root tree with the packages of some lists, and with the files of tree/FOR.
debian_tree() {
    local out=$1 tree=$2 include
    include=$(listed "${@:3}")
    if [ -n "$sources" ]; then
        cp "$sources" "$work/sources.list"
    else
        debian_sources "$suite" main non-free-firmware >"$work/sources.list"
    fi
    apt_settings >"$work/apt.conf"
    [ -s "$work/sources.list" ] || { echo "build: no Debian mirror known here: run apt-get update" >&2; exit 2; }
    say "Debian packages of ${*:3}: $(tr , ' ' <<<"$include")"
    # A mount namespace of its own: of a build that is killed no /proc, /sys or /dev stays behind in a folder that somebody
    # will then remove.
    # shellcheck disable=SC2016 # expanded by the hook's shell
    unshare --mount mmdebstrap --quiet --mode=root --variant=minbase --architectures="$arch" --aptopt="$work/apt.conf" \
        --include="$include" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --essential-hook="[ ! -d '$here/image-build/tree/$tree' ] ||
            tar -C '$here/image-build/tree/$tree' --owner=0 --group=0 -c . | tar -C \"\$1\" -x" \
        --customize-hook='rm -f "$1/etc/resolv.conf"; echo scopegate >"$1/etc/hostname"' \
        --format=tar "$suite" "$out" "$work/sources.list"
    say "Debian packages of ${*:3}: $(size_of "$out") MB"
}

make_packages() { debian_tree "$1/packages.tar" vm base vm; }

# Wheels are fetched here, for the tree's Python, and put in there: the tree itself needs no network.
make_wheels() {
    local out=$1 version libc platforms=() machine
    case $arch in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; esac
    version=$(tar -tf "$packages/packages.tar" | sed -n 's,^\./usr/bin/python\(3\.[0-9]*\)$,\1,p')
    for libc in $(seq "$oldest_libc" "$newest_libc"); do platforms+=(--platform "manylinux_2_${libc}_$machine"); done
    say "wheels for Python $version"
    .venv/bin/python -m pip download --quiet --no-deps --require-hashes --only-binary :all: \
        --implementation cp --python-version "$version" "${platforms[@]}" --platform "manylinux2014_$machine" \
        --dest "$out/wheels" -r requirements/run.txt
    say "wheels: $(find "$out/wheels" -name '*.whl' | wc -l), $(size_of "$out/wheels") MB"
}

# bytecode TREE PATTERN...: that of these folders, all of it anew. In an image all files have one time; bytecode that was
# made of a file of another time is old for Python, which then reads the file at each start. This one is not asked.
bytecode() {
    local tree=$1
    shift
    run_in_tree "$tree" -- sh -c 'set -- $*; find "$@" -name __pycache__ -prune -exec rm -r {} +
        python3 -m compileall -q --invalidation-mode unchecked-hash "$@"' bytecode "$@"
}

# with_wheels TREE: the environment of the product in it, as docs/it.md makes it on a PC.
with_wheels() {
    local tree=$1
    mkdir -p "$tree/opt/scopegate"
    cp --parents requirements/*.txt scripts/setup.py "$tree/opt/scopegate/"
    cp -rl "$wheels/wheels" "$tree/opt/scopegate/"
    say "the environment of the wheels"
    run_in_tree "$tree" -- env PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/scopegate/wheels PIP_NO_COMPILE=1 \
        python3 /opt/scopegate/scripts/setup.py run
    bytecode "$tree" '/usr/lib/python3*' /opt/scopegate/.venv/lib
    rm -r "$tree/opt/scopegate/wheels"
    ln -s .venv/bin "$tree/opt/scopegate/bin"
    say "root tree: $(size_of "$tree") MB, of which wheels $(size_of "$tree/opt/scopegate/.venv") MB"
}

make_system() {
    local out=$1 tree=$work/tree
    mkdir "$tree"
    tar -xf "$packages/packages.tar" -C "$tree" --exclude='./dev/*'
    with_wheels "$tree"
    cp "$tree"/boot/vmlinuz-* "$out/vmlinuz"
    cp "$tree"/boot/initrd.img-* "$out/initrd"
    tar -C "$tree" --sort=name --numeric-owner -cf "$out/root.tar" .
    truncate --size=4G "$out/root.ext4"
    mkfs.ext4 -q -L root -d "$tree" "$out/root.ext4"
    rm -rf --one-file-system "$tree"
}

# As docs/it.md puts it there by hand.
make_product() {
    local out=$1
    files_of "${parts[@]}" >"$work/files"
    tar --null --files-from="$work/files" --owner=0 --group=0 --mode=u=rwX,go=rX \
        --transform='s,^,opt/scopegate/,' -cf "$out/product.tar"
    (cd systemd && find . \( -path ./kiosk -o -path ./nftables \) -prune -o -type f -printf '%P\0') >"$work/units"
    tar --null -C systemd --files-from="$work/units" --owner=0 --group=0 --mode=u=rwX,go=rX \
        --transform='s,^\(sysusers\|tmpfiles\|sysctl\)\.d/,etc/&,;s,^\(journald\|system\)\.conf\.d/,etc/systemd/&,;s,^udev/,etc/udev/rules.d/,;s,^[^/]*$,etc/systemd/system/&,' -rf "$out/product.tar"
}

# with_product TREE: this checkout's product in it, with its users.
with_product() {
    tar -xf "$product/product.tar" -C "$1"
    run_in_tree "$1" -- sh -c 'systemd-sysusers && systemd-tmpfiles --create scopegate.conf'
    bytecode "$1" /opt/scopegate/gateway /opt/scopegate/hardware
}

make_root() {
    local out=$1 tree=$work/tree
    mkdir "$tree"
    tar -xf "$system/root.tar" -C "$tree"
    with_product "$tree"
    tar -C "$tree" --sort=name --numeric-owner -cf "$out/root.tar" .
    say "root tree with the product: $(size_of "$tree") MB"
    rm -rf --one-file-system "$tree"
}

build_system() {
    made packages make_packages "$(listed base vm)" image-build/tree/vm "${trees[@]}"
    made wheels make_wheels requirements/run.txt "$suite"
    made system make_system "${packages##*/}" "${wheels##*/}" scripts/setup.py "${trees[@]}"
}
