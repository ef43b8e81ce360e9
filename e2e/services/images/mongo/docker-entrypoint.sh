#!/bin/sh
# As in the official image: arguments that begin with a dash are mongod's, which runs as the user mongodb.
set -e
case ${1-} in
-* | "") set -- mongod "$@" ;;
esac
if [ "$1" = mongod ] && [ "$(id -u)" = 0 ]; then
	find /data/db \! -user mongodb -exec chown mongodb {} +
	exec setpriv --reuid=mongodb --regid=mongodb --init-groups "$0" "$@"
fi
exec "$@"
