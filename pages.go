package renga

import "net/url"

// Pages are the addresses of an app's own error pages, as its config vars
// ERROR_PAGE_URL and MAINTENANCE_PAGE_URL name them (devcenter: error-pages).
// Every visitor sees them, so they are no secrets. An empty one means the
// platform's page.
type Pages struct {
	Error       string
	Maintenance string
}

// Pages reads the addresses. What is no http or https URL, or holds a password,
// counts as empty.
func (v Vars) Pages() Pages {
	return Pages{Error: pageURL(v["ERROR_PAGE_URL"]), Maintenance: pageURL(v["MAINTENANCE_PAGE_URL"])}
}

func pageURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}
