#!/bin/sh
# What the official image does before Redis starts: arguments that begin with a dash, or a file named *.conf, are
# redis-server's, which runs as the user redis.
set -e

case ${1-} in
-* | *.conf | "") set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
	find . \! -user redis -exec chown redis {} +
	exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
if [ "$1" != redis-server ]; then
	exec "$@"
fi

umask 0077
shift
# The official image's redis-server is compiled with protected mode off. A file comes first, and overrides nothing.
case ${1-} in
*.conf)
	file=$1
	shift
	exec redis-server "$file" --protected-mode no "$@"
	;;
esac
exec redis-server --protected-mode no "$@"
