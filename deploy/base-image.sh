#!/bin/sh
# Makes the image `wangge-base` from Debian's packages, where no image registry can be reached: debootstrap puts a
# minimal Debian with Python into a folder, `docker import` makes an image of it. The packages come from the mirror
# that this machine's own apt is set up with; the image keeps that mirror for Dockerfile.servers. Needs Debian, root,
# debootstrap and an engine. An office without any network gets the images with `docker save` and `docker load`.
set -eu
image=${1:-wangge-base:bookworm}
suite=bookworm
packages=ca-certificates,python3,python3-venv,tzdata

say() { printf 'base-image: %s\n' "$*"; }

if docker image inspect "$image" >/dev/null 2>&1 && [ -z "${REBUILD:-}" ]; then
    say "$image is there already; REBUILD=1 makes it anew"
    exit
fi
[ "$(id -u)" = 0 ] || { say "debootstrap needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { say "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }

# "address suite component" of every list of Debian's own that this machine uses for this release
sources=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' \
    'Identifier: Packages' 'Origin: Debian' | grep -E " $suite(-updates|-security)? " | sort -u)
mirror=$(printf '%s\n' "$sources" | awk -v suite="$suite" '$2 == suite { print $1; exit }')
[ -n "$mirror" ] || { say "apt here knows no mirror of Debian $suite: apt-get update" >&2; exit 1; }

root=$(mktemp -d)
log=$root.log
trap 'rm -rf --one-file-system "$root" "$log"' EXIT
chmod 755 "$root" # it becomes the image's /, which every user must enter
quietly() { "$@" >>"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }; }
quietly debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror"

printf '%s\n' "$sources" | sed 's/^/deb /' >"$root/etc/apt/sources.list"
printf 'path-exclude=/usr/share/%s/*\n' doc info locale man >"$root/etc/dpkg/dpkg.cfg.d/slim"
echo 'Dir::Cache { pkgcache ""; srcpkgcache ""; };' >"$root/etc/apt/apt.conf.d/slim"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no package starts a server while an image is built
chmod 755 "$root/usr/sbin/policy-rc.d"
in_root() { quietly chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@"; }
in_root apt-get -qq update
in_root apt-get -qq -o Dpkg::Use-Pty=0 upgrade --yes # security fixes since the release
in_root apt-get clean
for part in doc info locale man; do rm -rf "$root/usr/share/$part"; done
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/lib/apt/lists/* "$root"/var/cache/debconf/* "$root"/var/log/*.log "$root"/var/log/apt
: >"$root/etc/resolv.conf"
: >"$root/etc/machine-id"

tar --create --one-file-system --numeric-owner --directory "$root" . |
    docker import --change 'ENV LANG=C.UTF-8' --change 'CMD ["/bin/bash"]' - "$image" >/dev/null
say "$image: $(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%d MB", $1 / 1000000 }')"
