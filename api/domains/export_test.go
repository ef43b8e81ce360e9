package domains

// HostnameOf is hostnameOf.
func HostnameOf(text string) (string, error) { return hostnameOf(text) }
