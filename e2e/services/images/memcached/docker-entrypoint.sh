#!/bin/sh
# As in the official image: arguments that begin with a dash are memcached's.
set -e
case ${1-} in
-* | "") set -- memcached "$@" ;;
esac
exec "$@"
