package domains

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"renga/api/wire"
)

// refusePublic refuses a host name that stands for other people's names: a
// public suffix such as co.uk, below which registries let anybody register, and
// a wildcard below one. Of suffixes that companies run for their customers, such
// as github.io, the wildcard alone is refused: the name itself is the company's,
// who may be whose platform this is. What the list does not know, as names
// within a company, is nobody's.
func refusePublic(host string) error {
	name, isWildcard := strings.CutPrefix(host, "*.")
	suffix, ofRegistry := publicsuffix.PublicSuffix(name)
	public := suffix == name && (ofRegistry || isWildcard)
	if isWildcard && !public { // the list has rules for whole levels, such as *.kawasaki.jp
		below := "any." + name
		suffix, _ = publicsuffix.PublicSuffix(below)
		public = suffix == below
	}
	if !public {
		return nil
	}
	return wire.Invalid(
		"Domain %q stands for names that anybody can register below %s; add names of your own there, like "+
			"www.example.%s.",
		wire.Clip(host), wire.Clip(name), wire.Clip(name),
	)
}
