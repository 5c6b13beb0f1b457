# SPDX-License-Identifier: Apache-2.0
#
# setup.sh - what tools/up and tools/test share: installing what is missing, and building quietly.
#
# The caller sets $program, the name that messages begin with, and $root, the checkout. Every function says in a few
# lines what it does, keeps the noise of apt and the compiler in build/log/, and on failure ends the program with one
# line that says what to do: exit code 3, the environment, or 1 when Quark itself does not build.

log_folder=$root/build/log

say()
{
    echo "$program: $*"
}

# fail CODE WORDS...: one line, then the end.
fail()
{
    local code=$1
    shift
    echo "$program: $*" >&2
    exit "$code"
}

# A log as a user would type its path.
log_path()
{
    echo "${log_folder#"$PWD"/}/$1.log"
}

make_folders()
{
    mkdir -p "$log_folder" "$root/build/cache/pocl" 2>/dev/null && [ -w "$log_folder" ] ||
        fail 3 "cannot write below $root/build: run it as the owner of that folder, or copy the checkout"
    export POCL_CACHE_DIR=${POCL_CACHE_DIR:-$root/build/cache/pocl}    # a home folder may be missing or read-only
}

# --- packages --------------------------------------------------------------------------------------------------------

# Prints the release that this system is, if Quark has a list for it. $QUARK_OS_RELEASE: another file, for the tests.
debian_release()
{
    (
        PRETTY_NAME='an unknown system' VERSION_CODENAME=''
        . "${QUARK_OS_RELEASE:-/etc/os-release}" 2>/dev/null || true
        case ${ID:-}:$VERSION_CODENAME in
        debian:bookworm | debian:trixie) echo "$VERSION_CODENAME" ;;
        *) fail 3 "installs on Debian 12 and 13 only, and this is $PRETTY_NAME: install the libraries named in" \
                  "tools/packages/debian.list, then build as CONTRIBUTING.md says under 'By hand'" ;;
        esac
    )
}

# Prints the packages of debian.list for the purposes given ("up test") on a release.
packages_for()
{
    awk -v purposes=" $1 " -v release="$2" \
        '/^[a-z]/ && index(purposes, " " $1 " ") && ($3 == "all" || $3 == release) { print $2 }' \
        "$root/tools/packages/debian.list"
}

# Prints those of its arguments that are not installed.
packages_missing()
{
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        awk -v wanted="$*" '$2 == "installed" { have[$1] = 1 }
            END { n = split(wanted, name, " "); for (i = 1; i <= n; i++) if (!have[name[i]]) print name[i] }'
}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt()
{
    as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -y -q --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Acquire::Retries::Delay=false "$@" >>"$log_folder/packages.log" 2>&1
}

# Ends with what apt complained about: why the first file could not be had, else its last error.
apt_failed()
{
    local reason
    reason=$(awk '/^[EW]: Failed to fetch/ && !fetch { sub(/.*  /, ""); fetch = $0 }
                  /^E: / { last = $0 }
                  END { print fetch ? fetch : last }' "$log_folder/packages.log")
    fail 3 "cannot $1: check the network and the disk, then run $program again" \
           "(${reason:-apt-get gave no reason}; log: $(log_path packages))"
}

# Prints how many megabytes apt would download for the packages, or fails when apt does not know one of them.
apt_megabytes()
{
    local uris
    uris=$(apt-get -y -qq --no-install-recommends --print-uris install "$@" 2>>"$log_folder/packages.log") || return 1
    echo "$uris" | awk '{ bytes += $3 } END { printf "%.0f\n", bytes / 1e6 }'
}

# Some packages bring a daemon. The tests start their own, so none is started here or at the next boot.
install_quietly()
{
    local policy=/usr/sbin/policy-rc.d placed='' status=0 service

    if [ ! -e $policy ]; then
        placed=yes
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
    fi
    apt install "$@" || status=$?
    [ -z "$placed" ] || as_root rm -f $policy
    if [ -d /run/systemd/system ]; then
        for service in prometheus redis-server; do
            case " $* " in *" $service "*) as_root systemctl disable "$service" >/dev/null 2>&1 || true ;; esac
        done
    fi
    return $status
}

# Installs what is missing for the purposes given, in words: need_packages "up test".
need_packages()
{
    local release missing megabytes start=$SECONDS

    release=$(debian_release) || exit $?
    missing=$(packages_missing $(packages_for "$1" "$release"))
    missing=${missing//$'\n'/ }
    [ -n "$missing" ] || return 0

    if [ "$(id -u)" != 0 ] && ! { command -v sudo && sudo true; } >/dev/null; then
        fail 3 "packages are missing; as root, run: apt-get update && apt-get install --no-install-recommends $missing"
    fi
    : >"$log_folder/packages.log"
    if ! megabytes=$(apt_megabytes $missing); then
        apt update || true    # one broken source of the user's is no reason to stop; the next line decides
        megabytes=$(apt_megabytes $missing) || apt_failed "find packages"
    fi
    say "installing $(echo "$missing" | wc -w) packages with what they need, $megabytes MB: $missing"
    if ! apt --download-only install $missing; then
        apt update || true    # a list that is too old names files that are gone
        apt --download-only install $missing || apt_failed "download packages"
    fi
    install_quietly $missing || apt_failed "install packages"
    say "installed in $((SECONDS - start)) s"
}

# --- building --------------------------------------------------------------------------------------------------------

# Runs a command with its output in a log of the given name; a failure shows the end of the log.
build_step()
{
    local name=$1
    shift
    (cd "$root" && "$@") >>"$log_folder/$name.log" 2>&1 && return 0
    grep -E -A 5 'error:|Error|FAILED' "$log_folder/$name.log" | head -n 30 >&2
    fail 1 "the build failed; the whole log: $(log_path "$name")"
}

# build PRESET TARGET [CMAKE-OPTION...]: into build/PRESET. Quick when nothing changed.
build()
{
    local preset=$1 target=$2 start=$SECONDS
    shift 2

    [ -e "$root/build/$preset/build.ninja" ] || say "building $preset (log: $(log_path "$preset"))"
    : >"$log_folder/$preset.log"
    build_step "$preset" cmake --preset "$preset" "$@"
    build_step "$preset" cmake --build --preset "$preset" --target "$target"
    [ $((SECONDS - start)) -lt 10 ] || say "built $preset in $((SECONDS - start)) s"
}
