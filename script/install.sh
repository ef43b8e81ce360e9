#!/usr/bin/env bash
# Makes a server of this machine: puts the binary, the systemd unit and, where
# there are none yet, the settings into place. Run again, with a new build, it
# is the upgrade. It starts nothing; it says what to do next.
#
#   DOMAIN   apps are at <app>.DOMAIN; wanted the first time
#   EMAIL    the operator's email address; wanted the first time
#   DESTDIR  a folder to install below, instead of /
set -euo pipefail
cd "$(dirname "$0")/.."

readonly root=${DESTDIR:-}
readonly binary=${BINARY:-bin/renga}
readonly settings=$root/etc/renga/renga.env

die() {
	printf 'install: %s\n' "$*" >&2
	exit 1
}

# write_settings keeps those that are there: they are the operator's.
write_settings() {
	[ ! -e "$settings" ] || return 0
	[ -n "${DOMAIN:-}" ] || die "which domain? Run: make install DOMAIN=apps.example.com EMAIL=you@example.com"
	[ -n "${EMAIL:-}" ] || die "which email address has the operator? Run: make install DOMAIN=$DOMAIN EMAIL=you@example.com"
	[[ $DOMAIN =~ ^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$ ]] || die "$DOMAIN is no domain name in lower case"
	[[ $EMAIL =~ ^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$ ]] || die "$EMAIL is no email address"
	local off=
	case $DOMAIN in
	localhost | *.localhost) off='#' ;; # no ACME server can reach it
	esac
	sed -e "s|@DOMAIN@|$DOMAIN|; s|@EMAIL@|$EMAIL|; s|@ACME@|$off|" script/systemd/renga.env |
		install -D -m 600 /dev/stdin "$settings"
}

say_how() {
	cat <<-END
		Installed:
		  $root/usr/local/bin/renga
		  $root/etc/systemd/system/renga.service
		  $settings (settings; kept when they were there)

		The first time:   systemctl enable --now renga
		After an upgrade: systemctl reload renga     no request is refused meanwhile
		Is it well?       curl -s http://127.0.0.1:5000/healthz; journalctl -u renga
		What comes next (DNS, firewall, backups): docs/server.md
	END
}

[ -n "$root" ] || [ "$(id -u)" = 0 ] || die "run this as root"
[ -x "$binary" ] || die "$binary is missing: run make build first"
write_settings
# A rename: the binary that runs must not be written into.
install -D -m 755 "$binary" "$root/usr/local/bin/renga.new"
mv "$root/usr/local/bin/renga.new" "$root/usr/local/bin/renga"
install -D -m 644 script/systemd/renga.service "$root/etc/systemd/system/renga.service"
install -D -m 644 docs/server.md "$root/usr/local/share/doc/renga/server.md"
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
say_how
