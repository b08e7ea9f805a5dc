#!/bin/bash
# Which keys an image is made with, and that a product is never made with those of tests. Sourced by image-build/build.
# shellcheck disable=SC2154 # the caller has some of the variables

make_keys() {
    local file
    rmdir "$1" # which image-build/keys makes itself
    image-build/keys new "$1" --test 2>/dev/null
    for file in "$1"/*.{crt,pub}; do
        public_of "$file"
        echo
    done >>"$folder/keys-of-tests" # which outlives them
}

# choose_keys: sets `keys` to the folder of the keys, or to nothing.
choose_keys() {
    if [ "$profile" = test ]; then
        [ -n "$keys" ] || made keys make_keys image-build/keys
        refuse_keys_of_a_product
    elif [ -z "$keys" ]; then
        say "NO KEYS: this image takes no updates, and no firmware can tell it from a changed one (--keys FOLDER)"
    else
        refuse_keys_of_tests
        tell_what_lacks
    fi
}

# A copy of somebody's image is made with what is public of its keys: so it is said, and not refused.
tell_what_lacks() {
    has_pair db.key db.crt ||
        say "NO KEY db: this image is not signed: no firmware can tell it from a changed one"
    has_pair pcr.key pcr.pub ||
        say "NO KEY pcr: no TPM guards the disk of a box with this image"
}

# has_pair PRIVATE PUBLIC: half of one is a mistake.
has_pair() {
    [ -s "$keys/$1" ] || return 1
    [ -s "$keys/$2" ] || { echo "build: $keys has $1 and no $2" >&2; exit 2; }
}

# The public part of a certificate or of a public key, in one line.
public_of() {
    case $1 in
        *.crt) openssl x509 -in "$1" -noout -pubkey ;;
        *.pub) cat "$1" ;;
    esac | tr -d '\n'
}

# By what they say of themselves, and by what this machine ever made for tests.
refuse_keys_of_tests() {
    local file
    for file in ca1.crt ca2.crt; do
        [ -s "$keys/$file" ] || { echo "build: $keys has no $file" >&2; exit 2; }
    done
    for file in "$keys"/*.{crt,pub}; do
        [ -e "$file" ] || continue
        if [[ $file = *.crt ]] && openssl x509 -in "$file" -noout -subject -issuer | grep -q TEST ||
            grep -qsxF -e "$(public_of "$file")" "$folder/keys-of-tests"; then
            echo "build: $file is a key of tests: no product is made with it" >&2
            exit 2
        fi
    done
}

# Whoever gets into such an image would get past the firmware and the chip of every clinic's box.
refuse_keys_of_a_product() {
    local file
    for file in "$keys"/*.crt; do
        if [ -e "$file" ] && ! openssl x509 -in "$file" -noout -subject | grep -q TEST; then
            echo "build: $file is no key of tests: no image that tests can get into is made with it" >&2
            exit 2
        fi
    done
}

# What of the keys an image depends on.
of_keys() {
    [ -n "$keys" ] || { echo none; return; }
    (cd "$keys" && sha256sum ca?.crt db.* pcr.* 2>/dev/null || true) | sha256sum | cut -c1-16
}
