package renga

import (
	"path"
	"slices"
	"strings"
)

// RegistryRules are what the registry goes by with an app's images, beside the
// permissions of whoever asks.
type RegistryRules struct {
	// AnonymousPull lets everybody pull the app's images, without a login. Its
	// releases, its tag lists and its name among others stay as they are.
	AnonymousPull bool
	// ImmutableTags are patterns of tags that, once they exist, can neither be moved
	// nor deleted: "v*", or "*" for all. One with a "!" before it makes exceptions.
	ImmutableTags []string
	// Provenance is what is asked of images before they become releases.
	Provenance Provenance
}

// MaxTagPatterns is how many patterns of immutable tags an app may have.
const MaxTagPatterns = 20

// Immutable tells whether a tag that exists must stay what it is.
func (r RegistryRules) Immutable(tag string) bool {
	matches := func(pattern string) bool {
		ok, err := path.Match(pattern, tag)
		return err == nil && ok
	}
	excepted := func(pattern string) bool {
		pattern, not := strings.CutPrefix(pattern, "!")
		return not && matches(pattern)
	}
	return slices.ContainsFunc(r.ImmutableTags, matches) && !slices.ContainsFunc(r.ImmutableTags, excepted)
}

// Validate tells what is wrong with the rules.
func (r RegistryRules) Validate() error {
	if len(r.ImmutableTags) > MaxTagPatterns {
		return Errorf(Invalid, "There can be up to %d patterns of immutable tags.", MaxTagPatterns)
	}
	named := 0
	for _, pattern := range r.ImmutableTags {
		pattern, not := strings.CutPrefix(pattern, "!")
		if err := ValidateTagPattern(pattern); err != nil {
			return err
		}
		if !not {
			named++
		}
	}
	if len(r.ImmutableTags) > 0 && named == 0 {
		return Errorf(Invalid, "Name the immutable tags before the exceptions, as in [\"*\", \"!latest\"].")
	}
	return r.Provenance.Validate()
}
