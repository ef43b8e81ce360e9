#!/usr/bin/env bash
# What the official image does before PostgreSQL starts, as far as it is documented there:
#   POSTGRES_PASSWORD          required, unless POSTGRES_HOST_AUTH_METHOD is trust
#   POSTGRES_USER, _DB         the superuser, postgres by default; its database, named as the user by default
#   POSTGRES_INITDB_ARGS       further arguments of initdb
#   POSTGRES_HOST_AUTH_METHOD  for connections over the network; scram-sha-256 by default
#   PGDATA                     where the data is
# Each of the first three may have _FILE at the end and name a file. Connections from inside the container need no
# password, as there.
set -Eeo pipefail

case ${1-} in
-* | "") set -- postgres "$@" ;;
esac
[ "$1" = postgres ] || exec "$@"
for arg; do
	case $arg in
	-\? | --help | --describe-config | -V | --version) exec "$@" ;;
	esac
done

if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA"
	chmod 700 "$PGDATA"
	find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres {} +
	exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
fi

# from_file takes a variable from the file that NAME_FILE names.
from_file() {
	local file=$1_FILE
	if [ -n "${!file:-}" ]; then
		export "$1=$(<"${!file}")"
	fi
	unset "$file"
}

# initialize makes the cluster, the user and the database, and runs what is in /docker-entrypoint-initdb.d. The server
# that it needs for this listens on a socket only: who can connect finds everything there.
initialize() {
	local auth=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
	if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$auth" != trust ]; then
		cat >&2 <<-'EOF'
			Error: Database is uninitialized and superuser password is not specified.
			       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser.
		EOF
		exit 1
	fi
	eval 'initdb --username="$POSTGRES_USER" --encoding=UTF8 --pwfile=<(printf "%s\n" "${POSTGRES_PASSWORD:-}") '"${POSTGRES_INITDB_ARGS:-}"
	printf '\nhost all all all %s\n' "$auth" >>"$PGDATA/pg_hba.conf"
	PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p ${PGPORT:-5432}" -w start
	if [ "$POSTGRES_DB" != postgres ]; then
		sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
	fi
	local file
	for file in /docker-entrypoint-initdb.d/*; do
		run "$file"
	done
	PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
	unset PGPASSWORD
	printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

sql() { PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --no-password "$@"; }

# run runs one file of /docker-entrypoint-initdb.d.
run() {
	echo "$0: running $1"
	case $1 in
	*.sh) if [ -x "$1" ]; then "$1"; else . "$1"; fi ;;
	*.sql) sql --dbname "$POSTGRES_DB" -f "$1" ;;
	*.sql.gz) gunzip -c "$1" | sql --dbname "$POSTGRES_DB" ;;
	*) echo "$0: ignoring $1" ;;
	esac
}

from_file POSTGRES_PASSWORD
from_file POSTGRES_USER
from_file POSTGRES_DB
export POSTGRES_USER=${POSTGRES_USER:-postgres}
export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
shopt -s nullglob
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	initialize
fi
exec "$@"
