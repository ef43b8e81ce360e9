#!/usr/bin/env bash
# usage: base.sh SUITE FILE   writes a minimal Debian of that suite into a tar file.
#
# Manual pages, translations and documents are left out: they are two thirds of its files. The directory of manual
# pages is there, for packages that make links into it.
set -euo pipefail
suite=$1 file=$2
mirror=http://deb.debian.org

# Unpacked in memory where there is some: a Debian is 4000 small files.
[ -w /dev/shm ] && export TMPDIR=/dev/shm

exec mmdebstrap --quiet --variant=minbase \
	--include=usr-is-merged,ca-certificates --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
	--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt=force-unsafe-io \
	--customize-hook='mkdir -p "$1/usr/share/man/man1"' \
	--customize-hook='rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/* "$1"/var/cache/debconf/*-old' \
	"$suite" "$file" \
	"deb $mirror/debian $suite main" \
	"deb $mirror/debian-security $suite-security main"
