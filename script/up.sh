#!/usr/bin/env bash
# Starts Renga in the background, waits until it answers, writes .renga/env and
# says how to use it. Run again it starts nothing twice; after a new build it
# puts the new one in the old one's place. All RENGA_… settings and REDIS_URL
# pass through. Where it may, and nobody told otherwise, it takes ports 80 and
# 443 as well, and tells /etc/hosts the platform's names.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=script/lib.sh
. script/lib.sh

listen=${RENGA_LISTEN:-127.0.0.1:5000}
listen=${listen%%,*} # there may be several
host=${listen%:*}
case $host in
"" | 127.0.0.1 | 0.0.0.0 | localhost | '[::]' | '[::1]') host=localhost ;;
esac
readonly listen host
readonly registry=$host:${listen##*:}
readonly url=http://$registry

# may_take tells whether a port of 127.0.0.1 is free and this user may have it.
may_take() {
	local lowest
	lowest=$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null || echo 1024)
	[ "$(id -u)" = 0 ] || [ "$1" -ge "$lowest" ] || return 1
	! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# choose_ports goes for those that clients expect, unless they were named.
choose_ports() {
	if [ -z "${RENGA_LISTEN:-}" ]; then
		RENGA_LISTEN=127.0.0.1:5000
		if may_take 80; then
			RENGA_LISTEN+=,127.0.0.1:80
		else
			echo "Port 80 is in use, or for root only: http addresses need :5000, and ps:exec does not work."
		fi
	fi
	if [ -z "${RENGA_LISTEN_TLS:-}" ]; then
		RENGA_LISTEN_TLS=127.0.0.1:443
		if ! may_take 443; then
			RENGA_LISTEN_TLS=127.0.0.1:5443
			echo "Port 443 is in use, or for root only: HTTPS is at 127.0.0.1:5443, and the heroku CLI's container commands do not work."
		fi
	fi
	export RENGA_LISTEN RENGA_LISTEN_TLS
}

# tell_hosts has this machine find the platform's names. Those that it finds
# already, by DNS, are left alone.
tell_hosts() {
	if ! hosts_told && getent hosts "api.$domain" >/dev/null; then
		return
	fi
	if [ -w /etc/hosts ]; then
		"$binary" hosts --install --data "$data"
		return
	fi
	echo "For the heroku CLI and docker, add these lines to /etc/hosts, or run \`make up\` as root:"
	"$binary" hosts --data "$data"
}

# start leaves the log file's length before the start in log_start, so that
# what is shown of it is of this start.
start() {
	mkdir -p "$state"
	chmod 700 "$state"
	choose_ports
	log_start=$(stat -c %s "$logfile" 2>/dev/null || echo 0)
	RENGA_DATA=$data setsid nohup "$binary" serve >>"$logfile" 2>&1 </dev/null &
	pid=$!
	echo "$pid" >"$pidfile"
}

give_up() {
	{
		echo "$1 The last lines of $logfile:"
		tail -c "+$((log_start + 1))" "$logfile" | tail -n 12
	} >&2
	exit 1
}

# answers asks for something that only our Renga can know, for another program
# may sit on the port.
answers() {
	curl -fsS -m 5 -o /dev/null "$url/healthz" 2>/dev/null || return 1
	token=$("$binary" token --data "$data" 2>/dev/null) || return 1
	curl -fsS -m 5 -o /dev/null -H "Authorization: Bearer $token" \
		-H 'Accept: application/vnd.heroku+json; version=3' "$url/account" 2>/dev/null
}

wait_until_up() {
	local deadline=$((SECONDS + 60))
	until answers && kill -0 "$pid" 2>/dev/null; do
		kill -0 "$pid" 2>/dev/null || give_up "Renga did not start: it ended at once."
		if [ "$SECONDS" -ge "$deadline" ]; then
			curl -sS -m 5 "$url/healthz" >&2 || true
			give_up "Renga does not answer at $url after a minute."
		fi
		sleep 0.2
	done
}

# refuse_to_move keeps a second call with another address from waiting for
# what cannot come.
refuse_to_move() {
	local at
	at=$(sed -n 's/^RENGA_URL=//p' "$envfile" 2>/dev/null)
	[ -z "$at" ] || [ "$at" = "$url" ] || {
		echo "Renga runs at $at already; \`make down\` first to start it at $url." >&2
		exit 1
	}
}

write_env() {
	(
		umask 077
		cat >"$envfile.new" <<-END
			RENGA_URL=$url
			RENGA_REGISTRY=$registry
			RENGA_DOMAIN=$domain
			RENGA_TOKEN=$token
			RENGA_DATA=$data
		END
	)
	mv "$envfile.new" "$envfile"
}

# make_hello makes an image for the first push, without pulling one.
make_hello() {
	local dir
	docker image inspect "$registry/hello" >/dev/null 2>&1 && return
	dir=$(mktemp -d)
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w' -o "$dir/hello" ./e2e/testdata/app
	tar -C "$dir" -c hello | docker import --change 'ENTRYPOINT ["/hello"]' --change 'ENV APP_VERSION="your first push"' - "$registry/hello" >/dev/null
	rm -r "$dir"
}

# Paths are shown as short as they can be typed here. The token goes through a
# pipe, for a command line is seen by everybody on the machine.
say_how() {
	local shown=${binary#"$PWD/"} shown_data=${data#"$PWD/"}
	cat <<-END

		Renga is up.

		  platform   $url
		  API token  $token
		  registry   $registry
		  log        $logfile
		  settings   $envfile (for scripts)

		The first push; the image is there already, made just now out of e2e/testdata/app:

		  $shown token --data $shown_data | docker login --username renga --password-stdin $registry
		  docker push $registry/hello
		  curl http://hello.$domain:${listen##*:}/

		For the heroku CLI, git, curl and docker over HTTPS:

		  eval "\$($shown env --data $shown_data)"

	END
}

if pid=$(our_pid) && outdated "$pid"; then
	echo "Renga was built anew: putting it in the old one's place"
	replace "$pid"
fi
log_start=0
if pid=$(our_pid); then
	refuse_to_move
else
	start
fi
wait_until_up
tell_hosts
write_env
make_hello
say_how
