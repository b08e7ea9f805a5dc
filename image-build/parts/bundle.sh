#!/bin/bash
# What a box is updated with. Sourced by image-build/build. The pieces are those of the image, in both slots the same; what is
# drawn by chance is what signing adds.
# shellcheck disable=SC2034,SC2154 # the caller has some of the variables

bundle='' # its folder, once made

manifest() {
    local piece
    printf '[update]\ncompatible=scopegate-%s\nversion=%s\nbuild=%s\n\n[bundle]\nformat=verity\n' \
        "$arch" "$version" "$build"
    for piece in start root verity; do printf '\n[image.%s]\nfilename=%s.img\n' "$piece" "$piece"; done
}

make_bundle() {
    local out=$1
    mkdir "$work/made" "$out/content"
    make_image "$work/made"
    mv "$work/made/esp.img" "$out/content/start.img"
    mv "$work/made/root.erofs" "$out/content/root.img"
    mv "$work/made/root.verity" "$out/content/verity.img"
    rm -r "$work/made"
    manifest >"$out/content/manifest.raucm"
    [ "$profile" = test ] || return 0
    mkdir "$work/signing"
    cp "$keys"/{ca1.crt,update1.crt,update1.key} "$work/signing/"
    mv "$out/content" "$work/signing/content"
    cp image-build/keys "$work/signing/sign"
    work_pieces=$work/signing with_tools ./sign sign content bundle.raucb --cert update1.crt --key update1.key --root ca1.crt
    mv "$work/signing/bundle.raucb" "$out/"
    rm -r "$work/signing" # a signed one holds what the unsigned one held
    say "bundle: $(size_of "$out/bundle.raucb") MB"
}

build_bundle() {
    [ -n "$keys" ] || { echo "build: a bundle is for boxes that know keys: --keys FOLDER" >&2; exit 2; }
    build_parts
    made bundle make_bundle "${of_image[@]}" image-build/keys
}
