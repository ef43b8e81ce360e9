package api

// Routes lists the API's own routes: method and path.
func Routes() [][2]string {
	var all [][2]string
	for _, rt := range (&Server{}).routes() {
		all = append(all, [2]string{rt.method, rt.path})
	}
	return all
}

// HostnameOf is hostnameOf.
func HostnameOf(text string) (string, error) { return hostnameOf(text) }
