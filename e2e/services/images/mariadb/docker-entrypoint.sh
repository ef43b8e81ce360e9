#!/usr/bin/env bash
# What the official image does before MariaDB starts, as far as it is documented there:
#   MARIADB_ROOT_PASSWORD              required for new data
#   MARIADB_DATABASE                   a database to make
#   MARIADB_USER, MARIADB_PASSWORD     a user who may do everything in it
#   /docker-entrypoint-initdb.d        files *.sh, *.sql and *.sql.gz to run then
# Each may begin with MYSQL_ instead, and have _FILE at the end and name a file.
set -Eeo pipefail

case ${1-} in
-* | "") set -- mariadbd "$@" ;;
esac
case $1 in
mariadbd | mysqld) ;;
*) exec "$@" ;;
esac
readonly data=/var/lib/mysql socket=/run/mysqld/mysqld.sock

if [ "$(id -u)" = 0 ]; then
	find "$data" /run/mysqld \! -user mysql -exec chown mysql: {} +
	exec setpriv --reuid=mysql --regid=mysql --init-groups "$BASH_SOURCE" "$@"
fi

# setting prints MARIADB_$1, or what has one of its other names.
setting() {
	local name file
	for name in "MARIADB_$1" "MYSQL_$1"; do
		file=${name}_FILE
		if [ -n "${!file:-}" ]; then
			printf '%s' "$(<"${!file}")"
			return
		elif [ -n "${!name:-}" ]; then
			printf '%s' "${!name}"
			return
		fi
	done
}

# quote prints a text as SQL's string, name as SQL's name.
quote() {
	local text=${1//\\/\\\\}
	printf "'%s'" "${text//\'/\'\'}"
}
name() { printf '`%s`' "${1//\`/\`\`}"; }

# initialize makes the data, root, the database and its user. The server that it needs for this listens on a socket
# only: who can connect finds everything there.
initialize() {
	local root database user password file server
	root=$(setting ROOT_PASSWORD) database=$(setting DATABASE) user=$(setting USER) password=$(setting PASSWORD)
	if [ -z "$root" ]; then
		echo "Database is uninitialized and password option is not specified: you need to specify MARIADB_ROOT_PASSWORD" >&2
		exit 1
	fi
	mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db \
		--default-time-zone=SYSTEM --enforce-storage-engine= --skip-log-bin --expire-logs-days=0 >/dev/null
	"$@" --skip-networking --socket="$socket" --skip-log-bin &
	server=$!
	until mariadb-admin --socket="$socket" -u root --silent ping 2>/dev/null; do
		kill -0 "$server"
		sleep 0.1
	done
	{
		echo "CREATE USER 'root'@'%' IDENTIFIED BY $(quote "$root");"
		echo "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
		if [ -n "$database" ]; then
			echo "CREATE DATABASE IF NOT EXISTS $(name "$database");"
		fi
		if [ -n "$user" ]; then
			echo "CREATE USER $(quote "$user")@'%' IDENTIFIED BY $(quote "$password");"
		fi
		if [ -n "$user" ] && [ -n "$database" ]; then
			echo "GRANT ALL ON $(name "${database//_/\\_}").* TO $(quote "$user")@'%';"
		fi
		echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quote "$root");"
	} | mariadb --socket="$socket" -u root
	for file in /docker-entrypoint-initdb.d/*; do
		run "$file"
	done
	kill "$server"
	wait "$server" || true
}

sql() { MYSQL_PWD=$root mariadb --socket="$socket" -u root ${database:+--database="$database"}; }

# run runs one file of /docker-entrypoint-initdb.d.
run() {
	echo "$0: running $1"
	case $1 in
	*.sh) if [ -x "$1" ]; then "$1"; else . "$1"; fi ;;
	*.sql) sql <"$1" ;;
	*.sql.gz) gunzip -c "$1" | sql ;;
	*) echo "$0: ignoring $1" ;;
	esac
}

shopt -s nullglob
if [ ! -d "$data/mysql" ]; then
	initialize "$@"
fi
exec "$@"
