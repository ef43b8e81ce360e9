package renga

import "strings"

// Hostname is the name in a Host header: lower case, without port and without
// the dot that ends a full name. Letters beyond ASCII stay as they are: they
// are in no name that is registered, and some of them become ASCII when they are
// lowered. An IPv6 address stays in its brackets.
func Hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		// More than one colon is an IPv6 address: its port comes after a bracket.
		if name := host[:i]; strings.IndexByte(name, ':') < 0 || strings.HasSuffix(name, "]") {
			host = name
		}
	}
	host = strings.TrimSuffix(host, ".")
	for i := range len(host) {
		if 'A' <= host[i] && host[i] <= 'Z' {
			return lower(host)
		}
	}
	return host
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
