# What up.sh and down.sh share. Sourced in the root of the checkout.
# shellcheck shell=bash disable=SC2034 # whoever sources it uses them

readonly state=$PWD/.renga
readonly pidfile=$state/renga.pid
readonly logfile=$state/renga.log
readonly envfile=$state/env
binary=${BINARY:-bin/renga}
case $binary in
/*) ;;
*) binary=$PWD/$binary ;;
esac
readonly binary
readonly data=${RENGA_DATA:-$state/data}
readonly domain=${RENGA_DOMAIN:-renga.localhost}

# our_pid prints the pid of the Renga that this checkout started, if it runs.
# A pid file may outlive its process and the number may be somebody else's by
# now, so the pid counts only if it runs our binary.
our_pid() {
	local pid exe
	pid=$(cat "$pidfile" 2>/dev/null) || return 1
	exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
	[ "${exe% (deleted)}" = "$binary" ] || return 1
	echo "$pid"
}

# outdated tells whether pid runs a binary that was built anew since.
outdated() { ! [ "/proc/$1/exe" -ef "$binary" ]; }

# stop sends SIGTERM and waits until the pid is gone; Renga drains first.
stop() {
	kill -TERM "$1"
	for _ in $(seq 600); do
		[ -d "/proc/$1" ] || break
		sleep 0.2
	done
	if [ -d "/proc/$1" ]; then
		echo "Renga (pid $1) is still draining after 2 minutes; see $logfile. Run this again to wait on." >&2
		return 1
	fi
	rm -f "$pidfile"
}

# replace has Renga put the new binary in its own place, with no port closed
# meanwhile, and waits for that.
replace() {
	kill -USR2 "$1"
	for _ in $(seq 600); do
		[ -d "/proc/$1" ] && outdated "$1" || return 0
		sleep 0.2
	done
	echo "Renga (pid $1) is still draining after 2 minutes; see $logfile. Run this again to wait on." >&2
	return 1
}

# hosts_told tells whether /etc/hosts has this platform's block.
hosts_told() { grep -qsxF "# begin renga $domain" /etc/hosts; }
