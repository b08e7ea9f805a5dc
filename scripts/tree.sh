#!/bin/bash
# A Debian system in a folder: where its packages come from, and running a command in it. Sourced, never run.

# The mirror is whatever this machine already uses; no address stands in this repository.
mirrors() {
    # shellcheck disable=SC2016 # the words are apt's, not the shell's
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' | sort -u
}

# The lines of a sources.list for suite $1, and the components that follow it (main).
debian_sources() {
    local suite=$1 components=${*:2} key=/usr/share/keyrings/debian-archive-keyring.gpg origin label uri
    components=${components:-main}
    while IFS='|' read -r origin label uri; do
        [ "$origin" = Debian ] || continue
        case $label in
            Debian) echo "deb [signed-by=$key] $uri $suite $components"
                    echo "deb [signed-by=$key] $uri $suite-updates $components" ;;
            Debian-Security) echo "deb [signed-by=$key] $uri $suite-security $components" ;;
        esac
    done < <(mirrors) | sort -u
}

# How this machine reaches its mirror: proxies, certificates, whether the mirror may be an old snapshot.
apt_settings() {
    apt-config dump | grep -E '^Acquire::(http|https|Retries|Check-[A-Za-z-]*)[: ]' || true
}

# run_in_tree TREE [FOLDER ...] -- COMMAND ...: the folders of this machine are seen inside, read-only, at their own
# places. A mount and process namespace of its own: what runs inside ends with it, and so does every mount.
run_in_tree() {
    local tree=$1 folders=()
    shift
    while [ "$1" != -- ]; do folders+=("$1"); shift; done
    shift
    # shellcheck disable=SC2016 # expanded inside
    unshare --mount --propagation private --pid --fork --kill-child bash -euc '
        tree=$1; shift
        count=$1; shift
        mount -t proc proc "$tree/proc"
        mount --rbind /sys "$tree/sys"
        mount -t tmpfs -o mode=755 devices "$tree/dev"
        for node in null zero full random urandom tty; do
            : >"$tree/dev/$node"
            mount --bind "/dev/$node" "$tree/dev/$node"
        done
        mkdir "$tree/dev/pts" "$tree/dev/shm"
        mount -t tmpfs -o mode=1777 shm "$tree/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$tree/dev/pts"
        ln -s pts/ptmx "$tree/dev/ptmx"
        ln -s /proc/self/fd "$tree/dev/fd"
        ln -s /proc/self/fd/0 "$tree/dev/stdin"
        ln -s /proc/self/fd/1 "$tree/dev/stdout"
        ln -s /proc/self/fd/2 "$tree/dev/stderr"
        for path in "${@:1:count}"; do
            mkdir -p "$tree$path"
            mount --bind "$path" "$tree$path"
            mount -o remount,bind,ro "$tree$path"
        done
        shift "$count"
        exec chroot "$tree" "$@"
    ' run_in_tree "$tree" "${#folders[@]}" "${folders[@]}" "$@"
}
