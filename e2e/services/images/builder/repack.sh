#!/bin/sh
# Repacks libraries from Debian's packages as wheels and gems, and has pip and bundler fetch from there. The tools run as
# they would with their registries: they resolve, check hashes and install.
set -eu
root=$(mktemp -d)
mkdir -p /usr/share/wheels /usr/share/gems/gems
(
	cd "$root"
	apt-get download -q python3-bottle python3-itsdangerous ruby-tilt ruby-webrick
	for package in *.deb; do dpkg -x "$package" "$root"; done
)
python3 /tmp/wheels.py "$root" /usr/share/wheels
printf '[global]\nno-index = true\nfind-links = /usr/share/wheels\n' >/etc/pip.conf
ruby /tmp/gems.rb "$root" /usr/share/gems/gems
gem generate_index --directory /usr/share/gems
printf -- '---\nBUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/: "file:///usr/share/gems"\n' >/usr/share/gems/bundle.config
rm -rf "$root"
