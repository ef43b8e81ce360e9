package catalogue

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"renga"
)

// PartnerFacts are what a partner's add-on manifest says of its service, and where
// the secrets are that are shared with it. The prefix of its config vars is the
// service's Attachment.
type PartnerFacts struct {
	// BaseURL ends with /heroku/resources, as a manifest's does; what follows it is
	// the partner's add-ons.
	BaseURL string `yaml:"base_url"`
	// SSOURL is where people are sent who open an add-on; empty if they cannot.
	SSOURL string `yaml:"sso_url"`
	// Secrets is the path of a JSON file with password, sso_salt and client_secret,
	// which only the platform's user may read. They are not in the catalogue, for
	// others may read that.
	Secrets string `yaml:"secrets"`
}

// resourcesPath is what every base URL ends with.
const resourcesPath = "/heroku/resources"

// Resources is the URL of the partner's add-ons, without a slash at its end.
func (p PartnerFacts) Resources() string {
	base := strings.TrimRight(p.BaseURL, "/")
	if strings.HasSuffix(base, resourcesPath) {
		return base
	}
	return base + resourcesPath
}

// maxConfig is how many config vars a partner may set for an add-on.
const maxConfig = 50

// CheckPartnerConfig checks config vars that the service's partner sets. Its error
// says no values.
func (s Service) CheckPartnerConfig(set renga.Vars) error {
	if len(set) > maxConfig {
		return renga.Errorf(renga.Invalid, "%s sets more than %d config vars.", s.HumanName, maxConfig)
	}
	for _, name := range set.Names() {
		suffix, ok := strings.CutPrefix(name, s.Attachment+"_")
		if !ok || suffix == "" {
			return renga.Errorf(renga.Invalid, "%s sets a config var %q, and its names must begin with %s_.", s.HumanName,
				renga.Clip(name, 60), s.Attachment)
		}
		if !utf8.ValidString(set[name]) {
			return renga.Errorf(renga.Invalid, "The value of config var %q is not UTF-8.", renga.Clip(name, 60))
		}
	}
	return renga.ValidateVars(set)
}

// problems tells by field what is wrong with the facts of a partner.
func (p PartnerFacts) problems() map[string]string {
	wrong := map[string]string{}
	const form = "write an https:// URL without a user, a query or a fragment; http:// goes to this machine only"
	if !isServiceURL(p.BaseURL) {
		wrong["base_url"] = "say where the partner answers: " + form
	}
	if p.SSOURL != "" && !isServiceURL(p.SSOURL) {
		wrong["sso_url"] = "say where people are sent who open an add-on: " + form
	}
	if !filepath.IsAbs(p.Secrets) || filepath.Clean(p.Secrets) != p.Secrets {
		wrong["secrets"] = "name a file by its whole path, which holds the password, sso_salt and client_secret as JSON"
	}
	return wrong
}

// checkPartner checks what only a partner's service has. It has no plans of another
// provider, for nothing of it runs here.
func (f *file) checkPartner(s *Service) {
	for field, what := range s.Partner.problems() {
		f.fail(f.line("partner", field), "%s: %s", field, what)
	}
	for i, p := range s.Plans {
		f.want(p.Provider == Partner, f.line("plans", i), "plans: %q is not the partner's, as the service's others are", clip(p.Name))
	}
}

// isServiceURL tells whether passwords may be sent to a URL.
func isServiceURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || len(text) > 2048 || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}
