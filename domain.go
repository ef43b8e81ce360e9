package renga

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Domain is a host name that an app answers to beside its default one. No two
// apps of the platform can have the same.
type Domain struct {
	ID  string // a UUID
	App AppID
	// Hostname is in lower case, in ASCII (punycode), without port or final dot.
	// A wildcard, "*.example.com", stands for every name below example.com.
	Hostname string
	// Endpoint is the id of the app's own certificate that its clients get; empty
	// if there is none.
	Endpoint string
	// ACM is how it stands with its ordered certificate.
	ACM       ACMStatus
	CreatedAt time.Time
	UpdatedAt time.Time
}

// ACMStatus is the status of a managed certificate, in Heroku's words: "cert
// issued", "failing", "failed". It is empty before the first attempt.
type ACMStatus struct {
	State  string
	Reason string // of a failure
}

// MaxDomains bounds the custom domains of one app, as on Heroku.
const MaxDomains = 1000

var hostLabel = regexp.MustCompile(`^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$`)

// ValidateHostname tells whether an app of the platform at that domain may
// claim a host name, which is in the form of [Domain.Hostname].
func ValidateHostname(host, platform string) error {
	name, isWildcard := strings.CutPrefix(host, "*.")
	labels := strings.Split(name, ".")
	_, notIP := netip.ParseAddr(host)
	switch {
	case notIP == nil:
		return Errorf(Invalid, "Domain %q is an IP address; add a host name that leads to it.", Clip(host, 80))
	case len(host) > 253:
		return Errorf(Invalid, "Domain %q is longer than 253 characters.", Clip(host, 80))
	case len(labels) < 2 || !validLabels(labels):
		return Errorf(Invalid, "Domain %q is not a valid host name; use one like www.example.com or *.example.com, without "+
			"scheme, port or path.", Clip(host, 80))
	case name == platform || strings.HasSuffix(name, "."+platform) || isWildcard && strings.HasSuffix(platform, "."+name):
		return Errorf(Invalid, "Domain %q is reserved for the platform, whose names end in %s.", Clip(host, 80), platform)
	}
	return nil
}

func validLabels(labels []string) bool {
	for _, l := range labels {
		if len(l) > 63 || !hostLabel.MatchString(l) {
			return false
		}
	}
	// Browsers take a name whose last label is digits for an address.
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// IsWildcard tells whether the domain stands for many names.
func (d Domain) IsWildcard() bool { return strings.HasPrefix(d.Hostname, "*.") }

// Managed tells whether the platform is to get the domain's certificate: the
// app has ACM switched on, and no own certificate for the domain. Wildcards
// cannot have one, for nobody can prove by HTTP that all names are theirs.
func (d Domain) Managed(a App) bool { return a.ACM && d.Endpoint == "" && !d.IsWildcard() }

// WildcardsOf lists the wildcards that cover a host name or a wildcard, the
// longest first.
func WildcardsOf(host string) []string {
	var above []string
	for name := strings.TrimPrefix(host, "*."); ; {
		_, parent, more := strings.Cut(name, ".")
		if !more {
			return above
		}
		above = append(above, "*."+parent)
		name = parent
	}
}
